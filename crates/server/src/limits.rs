//! What the system lets the process have.

use crate::net::CONNECTIONS_MAX;

/// Asks for as many open files as there may be connections; a shell gives 1,024, where the system allows far more.
#[cfg(unix)]
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // The database, its readers, the log and the listeners.
    const OWN_FILES: u64 = 200;
    let limit = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS_MAX as u64 + OWN_FILES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum });
    if raised.is_err() || allowed < wanted {
        tracing::warn!(allowed, wanted, "fewer files may be open than there may be connections");
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_open_files() {
    let _ = CONNECTIONS_MAX;
}
