//! The small blocking form: one connection, one thread, one transaction at a time.

use std::path::Path;

use tidegate_core::sql::{ReadSql, Sql, SqlError, SqlErrorKind};

use crate::backup::{BackupError, compact};
use crate::checkpoint::{self, Checkpoints};
use crate::database::{ControlError, Database};
use crate::error::{OpenError, ReadError, WriteError};
use crate::fatal::Fatal;
use crate::open::{open_memory, open_writer};
use crate::settings::Settings;

/// A database for one thread: durable transactions without a writer's thread or a pool.
///
/// Dropping it moves the write-ahead log into the database.
#[derive(Debug)]
pub struct Store {
    database: Database,
    checkpoints: Checkpoints,
    fatal: Fatal,
}

/// How large a database is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Pages that hold something.
    pub used_bytes: u64,
    /// Pages of the file that hold nothing and are used before the file grows.
    pub free_bytes: u64,
    /// Largest size of the file; practically unlimited (16 TiB) without
    /// [`Settings::size_limit_bytes`].
    pub limit_bytes: u64,
}

impl Store {
    /// Opens or creates the database `path`, whose directory exists and is locked by this process
    /// ([`DirectoryLock`](crate::DirectoryLock)).
    ///
    /// # Errors
    ///
    /// [`OpenError`]: no permission, no database, damaged.
    pub fn open(path: &Path, settings: &Settings, fatal: Fatal) -> Result<Self, OpenError> {
        let database = open_writer(path, settings)?;
        Self::new(database, Some(path), settings, fatal)
            .map_err(|source| OpenError::Database { path: path.to_owned(), source })
    }

    /// Creates a database in memory, for tests and simulations. It is as atomic as a file, and gone
    /// when dropped.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when memory is short.
    pub fn in_memory(settings: &Settings) -> Result<Self, OpenError> {
        let database = open_memory(settings)?;
        Self::new(database, None, settings, Fatal::default())
            .map_err(|source| OpenError::Database { path: ":memory:".into(), source })
    }

    fn new(
        database: Database,
        path: Option<&Path>,
        settings: &Settings,
        fatal: Fatal,
    ) -> Result<Self, SqlError> {
        let checkpoints = Checkpoints::new(&database, path, settings).map_err(|failed| failed.error)?;
        Ok(Self { database, checkpoints, fatal })
    }

    /// Runs `job` in one transaction and answers after it is on the disk. An error or a panic of `job`
    /// stores nothing.
    ///
    /// # Errors
    ///
    /// [`WriteError::Job`] with the error of `job`; [`WriteError::Storage`] when the disk or the
    /// configured size is full. A failing disk ends the process.
    pub fn transaction<T, E>(
        &mut self,
        job: impl FnOnce(&dyn Sql) -> Result<T, E>,
    ) -> Result<T, WriteError<E>> {
        self.transact("BEGIN IMMEDIATE").map_err(WriteError::Storage)?;
        let open = OpenTransaction { database: &self.database, fatal: &self.fatal };
        let statements = self.database.statements();
        let answer = job(&statements);
        if let Some(what) = statements.io_failure() {
            self.fatal.end(&what);
        }
        let answer = answer.map_err(WriteError::Job)?;
        if !self.database.in_transaction() {
            return Err(WriteError::Storage(rolled_back()));
        }
        self.trusted(self.database.commit()).map_err(WriteError::Storage)?;
        drop(open);
        let checkpoint = self.checkpoints.after_commit(&self.database);
        self.trusted(checkpoint).map_err(WriteError::Storage)?;
        Ok(answer)
    }

    /// Runs `read` in one read transaction.
    ///
    /// # Errors
    ///
    /// [`ReadError::Job`] with the error of `read`. A failing disk ends the process.
    pub fn read<T, E>(&self, read: impl FnOnce(&dyn ReadSql) -> Result<T, E>) -> Result<T, ReadError<E>> {
        self.transact("BEGIN DEFERRED").map_err(ReadError::Storage)?;
        // Rolled back whatever happens, so that a read cannot store.
        let _open = OpenTransaction { database: &self.database, fatal: &self.fatal };
        let statements = self.database.statements();
        let answer = read(&statements);
        if let Some(what) = statements.io_failure() {
            self.fatal.end(&what);
        }
        answer.map_err(ReadError::Job)
    }

    /// Sees to it that the write-ahead log has `bytes` on the disk behind what it holds, and answers how many it
    /// has: at least that, or fewer when the disk is full. A transaction that writes no more than that to the log,
    /// each page once with 24 bytes, is stored whatever else fills the disk, where the file system writes in place.
    ///
    /// What is asked for stays taken only with [`Settings::log_reserve_bytes`] as large, and costs least with
    /// something more.
    ///
    /// # Errors
    ///
    /// [`SqlError`] when the database is damaged. A failing disk ends the process; a full one is no error.
    pub fn make_room(&mut self, bytes: u64) -> Result<u64, SqlError> {
        let room = self.checkpoints.make_room(&self.database, bytes);
        self.trusted(room)
    }

    /// How much of the database is used.
    ///
    /// # Errors
    ///
    /// [`SqlError`] when the database is damaged.
    pub fn usage(&self) -> Result<Usage, SqlError> {
        let [pages] = self.control_row("PRAGMA page_count")?;
        let [free_pages] = self.control_row("PRAGMA freelist_count")?;
        let [pages_max] = self.control_row("PRAGMA max_page_count")?;
        let [page_bytes] = self.control_row("PRAGMA page_size")?;
        let bytes = |pages: i64| pages.unsigned_abs() * page_bytes.unsigned_abs();
        Ok(Usage {
            used_bytes: bytes(pages - free_pages),
            free_bytes: bytes(free_pages),
            limit_bytes: bytes(pages_max),
        })
    }

    /// Reads the whole database and looks for damage: pages, indexes, constraints.
    ///
    /// # Errors
    ///
    /// [`SqlError`] with the first thing that is wrong.
    pub fn check_integrity(&self) -> Result<(), SqlError> {
        let found = self.trusted(self.database.control_text("PRAGMA integrity_check(1)"))?;
        if found == "ok" { Ok(()) } else { Err(SqlError::new(SqlErrorKind::Damaged, found)) }
    }

    /// Writes what queries find into the file `to`, and nothing else: no free page, no byte of a deleted row.
    ///
    /// The file appears under its name only when it is complete and on the disk, replacing a former one; only its
    /// owner may read it. Until then it is `to` with `.partial`.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; the partial file is removed. `to` must be UTF-8.
    pub fn compact_into(&self, to: &Path) -> Result<(), BackupError> {
        compact(&self.database, to)
    }

    /// Gives up to `bytes` of free pages back to the file system; nothing unless
    /// [`Settings::shrinkable`] when the database was created.
    ///
    /// # Errors
    ///
    /// [`SqlError`] when the database is damaged or the disk too full to say that it has room.
    pub fn shrink(&mut self, bytes: u64) -> Result<(), SqlError> {
        let [page_bytes] = self.control_row("PRAGMA page_size")?;
        let pages = bytes / page_bytes.unsigned_abs();
        self.control(&format!("PRAGMA incremental_vacuum({pages})"))?;
        self.checkpoint()
    }

    /// Moves the write-ahead log into the database and cuts it to nothing, reserve and all, as before a long
    /// silence: a file that somebody puts in the database's place must not find a log of its predecessor.
    ///
    /// # Errors
    ///
    /// [`SqlError`] when the database is damaged. A failing disk ends the process.
    pub fn checkpoint(&mut self) -> Result<(), SqlError> {
        let moved = checkpoint::empty(&self.database, false);
        self.trusted(moved).map(drop)
    }

    fn transact(&self, statement: &'static str) -> Result<(), SqlError> {
        self.trusted(self.database.transact(statement))
    }

    fn control(&self, statement: &str) -> Result<(), SqlError> {
        self.trusted(self.database.control(statement))
    }

    fn control_row<const N: usize>(&self, statement: &str) -> Result<[i64; N], SqlError> {
        self.trusted(self.database.control_row(statement))
    }

    fn trusted<T>(&self, answer: Result<T, ControlError>) -> Result<T, SqlError> {
        answer.map_err(|failed| {
            if failed.is_io {
                self.fatal.end(&failed.error.message);
            }
            failed.error
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the database was closed without a checkpoint");
        }
    }
}

/// Rolls back what is still open when dropped, as by an early return or a panic.
struct OpenTransaction<'a> {
    database: &'a Database,
    fatal: &'a Fatal,
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if let Err(failed) = self.database.roll_back() {
            self.fatal.end(&failed.error.message);
        }
    }
}

/// What a call that answered `Ok` is told when SQLite had rolled everything back meanwhile.
pub(crate) fn rolled_back() -> SqlError {
    SqlError::new(SqlErrorKind::Full, "an error that the call ignored rolled its transaction back")
}
