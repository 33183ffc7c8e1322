//! The data directory: who may enter it, and the one file in it that matters.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_sqlite::{DirectoryLock, LockError};

/// The database's name within the data directory.
const DATABASE: &str = "tidegate.db";

/// The database of the data directory `data`.
pub(crate) fn database(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// Takes the directory for this process alone.
///
/// # Errors
///
/// When another process has it, naming the directory.
pub(crate) fn lock(data: &Path) -> anyhow::Result<DirectoryLock> {
    match DirectoryLock::acquire(data) {
        Ok(lock) => Ok(lock),
        Err(LockError::Held(directory)) => {
            bail!("data directory `{}` is in use: another tidegate is running on it", directory.display())
        }
        Err(error) => Err(error).context("failed to take the data directory"),
    }
}

/// Takes the directory when no other process has it; `None`: one has.
///
/// # Errors
///
/// When the lock file cannot be used.
pub(crate) fn lock_if_free(data: &Path) -> anyhow::Result<Option<DirectoryLock>> {
    match DirectoryLock::acquire(data) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held(_)) => Ok(None),
        Err(error) => Err(error).context("failed to take the data directory"),
    }
}

/// Refuses a directory that no owner was made in.
///
/// # Errors
///
/// Says how to make one.
pub(crate) fn require_database(data: &Path) -> anyhow::Result<PathBuf> {
    let database = database(data);
    if database.is_file() {
        return Ok(database);
    }
    bail!(no_owner(data))
}

/// What an operator is told who serves, or asks for a token of, a directory without an owner.
pub(crate) fn no_owner(data: &Path) -> String {
    format!("data directory `{}` has no owner yet: run `tidegate admin owner` first", data.display())
}

/// Makes the directory for its owner alone; one that exists and is empty becomes so.
///
/// # Errors
///
/// When it cannot be made, or others may enter it although something is in it.
pub(crate) fn create(data: &Path) -> anyhow::Result<()> {
    let made = fs::create_dir_all(data).and_then(|()| restrict(data));
    made.with_context(|| format!("failed to make the data directory `{}`", data.display()))
}

#[cfg(unix)]
fn restrict(data: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(data)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    if fs::read_dir(data)?.next().is_some() {
        let reason = "others may enter it and it holds something already: `chmod 700` it, or choose another";
        return Err(io::Error::other(reason));
    }
    fs::set_permissions(data, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes the names in `directory` durable. Windows has no such call and needs none on NTFS.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}
