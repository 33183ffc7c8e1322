//! The end of the process, for when storage can no longer be trusted.

use std::fmt;
use std::sync::Arc;

/// What happens when a commit, an fsync or a checkpoint fails.
///
/// After a failed fsync the kernel may have dropped the pages and call the next fsync a success, so
/// there is nothing to retry: whatever was not acknowledged is not, and nothing is acknowledged any
/// more. On the next start SQLite recovers what the disk holds.
#[derive(Clone)]
pub struct Fatal(Arc<dyn Fn(&str) + Send + Sync>);

impl Fatal {
    /// Runs `end` with one line for a person. It should not return; if it does, the process is aborted.
    pub fn new(end: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(end))
    }

    pub(crate) fn end(&self, what: &str) -> ! {
        (self.0)(what);
        std::process::abort()
    }
}

impl Default for Fatal {
    /// Prints one line to standard error and aborts.
    fn default() -> Self {
        Self::new(|what| eprintln!("tidegate: storage failed, nothing more is acknowledged: {what}"))
    }
}

impl fmt::Debug for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fatal")
    }
}
