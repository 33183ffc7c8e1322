//! A copy of a database that is in use.

use std::fs::{File, remove_file, rename};
use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::sql::SqlError;

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
    let partial = partial_name(to);
    let answer = copy(from, &partial, to);
    if answer.is_err() {
        // Nothing to add to the error when the partial file cannot be removed either.
        let _ = remove_file(&partial);
    }
    answer
}

fn copy(from: &Path, partial: &Path, to: &Path) -> Result<(), BackupError> {
    let stored =
        |answer: io::Result<()>| answer.map_err(|source| BackupError::Store { to: to.to_owned(), source });
    // One that a killed backup left behind is not ours to build on.
    stored(remove_file(partial).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }))?;
    let database = open_reader(from, &Settings::endpoint())?;
    stored(create_private(partial))?;
    database
        .copy_into(partial)
        .map_err(|failed| BackupError::Copy { to: to.to_owned(), source: failed.error })?;
    stored(File::options().write(true).open(partial).and_then(|file| file.sync_all()))?;
    stored(rename(partial, to))?;
    stored(sync_directory(to))
}

fn partial_name(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}
