//! One process per data or state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The right to use a directory, until dropped or until the process ends, however it ends.
///
/// The lock is the operating system's, on the file `lock` inside; the file stays, and means nothing by
/// itself.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why a directory may not be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it. Two writers would each believe to be alone.
    #[error("directory `{0}` is in use by another process")]
    Held(PathBuf),
    /// The lock file cannot be created or locked: no permission, or a file system without locks.
    #[error("failed to lock directory `{directory}`")]
    Io {
        /// The directory.
        directory: PathBuf,
        /// The file system's reason.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes the lock of an existing `directory`, without waiting.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] when another process, or another lock of this one, has it.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { directory: directory.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(directory.join("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(directory.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_with_the_directory_named() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::acquire(directory.path()).unwrap();
        let refused = DirectoryLock::acquire(directory.path()).unwrap_err();
        assert!(refused.to_string().contains(&*directory.path().to_string_lossy()), "{refused}");
        drop(first);
        DirectoryLock::acquire(directory.path()).unwrap();
    }
}
