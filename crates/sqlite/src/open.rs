//! Opening a database file: who may read it, and every setting with its reason.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tidegate_core::sql::{SqlError, SqlErrorKind};

use crate::checkpoint;
use crate::database::Database;
use crate::error::{OpenError, sql_error};
use crate::room::check_opening;
use crate::settings::Settings;

/// How long a statement waits for another connection. The writer is alone, so it meets one only in
/// recovery, at a forced checkpoint, or when an operator's command opens the file beside it; long
/// enough for those, short enough that a stuck reader does not look like a dead server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Statements kept prepared on each connection. The core has a few hundred; the least recently used
/// is prepared again when it is passed.
const STATEMENTS_MAX: usize = 256;

/// SQLite's largest page number (`SQLITE_MAX_PAGE_COUNT`).
const PAGES_MAX: i64 = 4_294_967_294;

/// Opens the only writing connection of `path`, creating it readable by its owner alone.
pub(crate) fn open_writer(path: &Path, settings: &Settings) -> Result<Database, OpenError> {
    let fail = |source: SqlError| OpenError::Database { path: path.to_owned(), source };
    check_opening(path).map_err(fail)?;
    create_private(path).map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
    let connection = connect(path).map_err(|error| fail(sql_error(&error)))?;
    writer_settings(&connection, settings).map_err(fail)?;
    let database = Database::new(connection).map_err(|error| fail(sql_error(&error)))?;
    // Pages whose fsync failed in a former process may look stored and be only in the page cache.
    // Writing what the log holds anew, before anything builds on it, makes that true.
    checkpoint::empty(&database, settings.log_reserve_bytes > 0).map_err(|failed| fail(failed.error))?;
    Ok(database)
}

/// Opens one more connection of an existing database that cannot write.
pub(crate) fn open_reader(path: &Path, settings: &Settings) -> Result<Database, OpenError> {
    let open = || {
        let connection = connect(path)?;
        shared_settings(&connection, settings)?;
        // Opened for writing all the same: a reader may have to recover the log's shared index.
        connection.pragma_update(None, "query_only", true)?;
        Database::new(connection)
    };
    open().map_err(|error| OpenError::Database { path: path.to_owned(), source: sql_error(&error) })
}

/// Opens an empty database in memory, for tests and simulations.
pub(crate) fn open_memory(settings: &Settings) -> Result<Database, OpenError> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        shared_settings(&connection, settings)?;
        limit_size(&connection, settings)?;
        Database::new(connection)
    };
    open().map_err(|error| OpenError::Database { path: ":memory:".into(), source: sql_error(&error) })
}

/// Makes the names in a directory durable. Windows has no such call and needs none on NTFS.
pub(crate) fn sync_directory(of: &Path) -> io::Result<()> {
    let directory = match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Creates an empty file that only its owner may read, unless it exists. SQLite gives the files beside
/// it the same mode.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_directory(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // NO_MUTEX: a connection is only ever used by one thread at a time.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn writer_settings(connection: &Connection, settings: &Settings) -> Result<(), SqlError> {
    let set = || {
        if settings.shrinkable {
            // Takes effect only before the first page is written, so it comes first.
            connection.pragma_update(None, "auto_vacuum", "incremental")?;
        }
        // Readers do not block the writer, and a commit is one fsync of one file.
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        shared_settings(connection, settings)?;
        limit_size(connection, settings)?;
        limit_log(connection, settings)?;
        Ok(mode)
    };
    let mode = set().map_err(|error: rusqlite::Error| sql_error(&error))?;
    if mode == "wal" {
        return Ok(());
    }
    let message = format!("the database stays in journal mode `{mode}`, a write-ahead log is needed");
    Err(SqlError::new(SqlErrorKind::Other, message))
}

fn limit_size(connection: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    let Some(bytes) = settings.size_limit_bytes else { return Ok(()) };
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    // The database refuses to grow before the disk does, so that there is room to say why.
    let pages = i64::try_from(bytes / page_bytes.unsigned_abs()).unwrap_or(i64::MAX).clamp(1, PAGES_MAX);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

/// Cuts a log that begins anew to its bound. Without a reserve it is cut to nothing where it is emptied.
fn limit_log(connection: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    if settings.log_reserve_bytes == 0 {
        return Ok(());
    }
    let bytes = settings.log_reserve_bytes.max(settings.truncate_bytes);
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "journal_size_limit", bytes, |_| Ok(()))
}

fn shared_settings(connection: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    // An acknowledged commit is on the disk (guarantee G1). NORMAL loses some at a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    // What is deleted is overwritten: keys that were replaced are in no page, and in no later backup.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    // Automatic checkpoints swallow a failed fsync; `checkpoint` does them and looks.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    // The last connection to close would checkpoint too, and swallow the error likewise.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Through a memory map a bad sector is a signal that kills, and not an error.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(without_row)?;
    // On Durable Objects foreign keys are always checked.
    connection.pragma_update(None, "foreign_keys", true)?;
    // Sorting must not leave rows in files outside the directory we answer for.
    connection.pragma_update(None, "temp_store", "memory")?;
    // Negative means KiB.
    let cache_kib = i64::try_from(settings.cache_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // A double-quoted string is a misspelt column, and says so.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // The inner tables of full text search and the schema cannot be written by a statement.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A plan is made once for a statement, and not again for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// A database in memory answers no row to a setting that concerns files.
fn without_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}
