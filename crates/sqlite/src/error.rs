//! Errors per operation, and what SQLite's codes mean to the core.

use rusqlite::{ErrorCode, ffi};
use tidegate_core::sql::{SqlError, SqlErrorKind};

/// Why a write did not happen. Nothing of the call is stored, whichever it is.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The call itself answered an error, which rolled it back.
    #[error("the transaction was refused")]
    Job(#[source] E),
    /// The database could not begin or commit the call: the disk is full, or a constraint that is
    /// checked at the commit failed.
    #[error("the database did not store the transaction")]
    Storage(#[source] SqlError),
    /// Too many calls are waiting: try again later, and tell the caller so.
    #[error("too many writes are waiting")]
    Busy,
    /// The call panicked with this message. A bug; other calls are unharmed.
    #[error("the transaction panicked: {0}")]
    Panicked(String),
    /// The writer is closed: the program is shutting down.
    #[error("the database is closed")]
    Closed,
}

/// Why a read gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The call itself answered an error.
    #[error("the read was refused")]
    Job(#[source] E),
    /// The database could not begin the snapshot.
    #[error("the database did not begin a snapshot")]
    Storage(#[source] SqlError),
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, or its directory cannot be made durable.
    #[error("failed to create `{path}`")]
    Create {
        /// The database file.
        path: std::path::PathBuf,
        /// The file system's reason.
        source: std::io::Error,
    },
    /// SQLite refused: not a database, damaged, locked, or a setting that did not take.
    #[error("failed to open `{path}`")]
    Database {
        /// The database file.
        path: std::path::PathBuf,
        /// SQLite's reason.
        source: SqlError,
    },
    /// The writer's thread did not start.
    #[error("failed to start the writer's thread")]
    Thread(#[source] std::io::Error),
}

/// Whether the error says that the disk failed, after which no answer may be trusted.
///
/// Corruption is not one of them: it is an error of the statement that met it, and ending the process
/// would end it again at every start. Nor is a full disk, which SQLite reports as an I/O error in one place.
pub(crate) fn is_io(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) && !is_index_full(error)
}

/// Whether the log's shared index could not grow: with every 4096 frames it needs 32 KiB more. Nothing else that has
/// this code can happen to a file that is open.
pub(crate) fn is_index_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// SQLite's error in the words of the core.
pub(crate) fn sql_error(error: &rusqlite::Error) -> SqlError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => SqlErrorKind::Full,
        Some(ErrorCode::SystemIoFailure) if is_index_full(error) => SqlErrorKind::Full,
        Some(ErrorCode::ConstraintViolation) => SqlErrorKind::Constraint,
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            SqlErrorKind::NotWritable
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => SqlErrorKind::Damaged,
        _ => SqlErrorKind::Other,
    };
    let code = error.sqlite_error().map(|error| format!(" (SQLite {})", error.extended_code));
    let what = if is_index_full(error) { "the disk is full".to_owned() } else { error.to_string() };
    SqlError::new(kind, format!("{what}{}", code.unwrap_or_default()))
}
