//! A copy of a database that is in use.

use std::fs::{File, remove_file, rename};
use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::sql::SqlError;

use crate::database::Database;
use crate::error::OpenError;
use crate::open::{create_private, open_reader, sync_directory};
use crate::settings::Settings;

/// Why there is no copy. A former copy of that name is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database cannot be read.
    #[error("failed to open the database")]
    Open(#[from] OpenError),
    /// The copy failed: the disk is full, or the database is damaged.
    #[error("failed to copy the database to `{to}`")]
    Copy {
        /// The copy.
        to: PathBuf,
        /// SQLite's reason.
        source: SqlError,
    },
    /// The copy cannot be created, made durable or given its name.
    #[error("failed to store the copy `{to}`")]
    Store {
        /// The copy.
        to: PathBuf,
        /// The file system's reason.
        source: io::Error,
    },
}

/// Copies the database `from`, which may be in use, as of one moment into the file `to`.
///
/// The copy appears under its name only when it is complete and on the disk, replacing a former one;
/// until then it is beside it, as `to` with `.partial`. Only its owner may read it. Writers are not
/// held up, but their write-ahead log grows while the copy is made.
///
/// # Errors
///
/// [`BackupError`]; the partial file is removed.
pub fn backup(from: &Path, to: &Path) -> Result<(), BackupError> {
    place(to, |partial| {
        let database = open_reader(from, &Settings::endpoint())?;
        stored(to, create_private(partial))?;
        database
            .copy_into(partial)
            .map_err(|failed| BackupError::Copy { to: to.to_owned(), source: failed.error })
    })
}

/// Writes what queries find in `database` into the file `to`, as [`backup`] does, and nothing of its free space.
pub(crate) fn compact(database: &Database, to: &Path) -> Result<(), BackupError> {
    place(to, |partial| {
        stored(to, create_private(partial))?;
        database
            .compact_into(partial)
            .map_err(|failed| BackupError::Copy { to: to.to_owned(), source: failed.error })
    })
}

/// Has `write` make the file `partial`, and gives it the name `to` once it is on the disk.
fn place(to: &Path, write: impl FnOnce(&Path) -> Result<(), BackupError>) -> Result<(), BackupError> {
    let partial = partial_name(to);
    let place = || {
        // Never build on what a killed backup left behind.
        stored(to, remove_if_there(&partial))?;
        write(&partial)?;
        stored(to, File::options().write(true).open(&partial).and_then(|file| file.sync_all()))?;
        stored(to, rename(&partial, to))?;
        stored(to, sync_directory(to))
    };
    let answer = place();
    if answer.is_err() {
        // Nothing to add to the error when the partial file cannot be removed either.
        let _ = remove_file(&partial);
    }
    answer
}

fn stored<T>(to: &Path, answer: io::Result<T>) -> Result<T, BackupError> {
    answer.map_err(|source| BackupError::Store { to: to.to_owned(), source })
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    remove_file(file).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn partial_name(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}
