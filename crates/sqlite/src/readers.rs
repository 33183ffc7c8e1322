//! Reading beside the writer: a bounded pool of connections that cannot write.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use tidegate_core::sql::ReadSql;

use crate::database::{ControlError, Database};
use crate::error::{OpenError, ReadError};
use crate::fatal::Fatal;
use crate::open::open_reader;
use crate::settings::Settings;

/// Connections that read snapshots of a database file while a [`Writer`](crate::Writer) has it open.
#[derive(Debug)]
pub struct Readers {
    free: Mutex<Vec<Database>>,
    returned: Condvar,
    fatal: Fatal,
}

impl Readers {
    /// Opens `count` connections (at least 1) to the existing database `path`.
    ///
    /// Each costs a file handle and up to [`Settings::cache_bytes`] of memory.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the file does not exist or is no database.
    pub fn open(path: &Path, count: usize, settings: &Settings, fatal: Fatal) -> Result<Self, OpenError> {
        let free = (0..count.max(1)).map(|_| open_reader(path, settings)).collect::<Result<_, _>>()?;
        Ok(Self { free: Mutex::new(free), returned: Condvar::new(), fatal })
    }

    /// Runs `read` in one read transaction: every statement of it sees the same committed state.
    ///
    /// Waits for a connection when all are in use. A snapshot that is held long keeps the write-ahead
    /// log from being reused, so page through what is large. A panic of `read` goes on to the caller,
    /// and the connection goes back.
    ///
    /// # Errors
    ///
    /// [`ReadError::Job`] with the error of `read`. A failing disk ends the process.
    pub fn with<T, E>(&self, read: impl FnOnce(&dyn ReadSql) -> Result<T, E>) -> Result<T, ReadError<E>> {
        let lease = self.lease();
        let database = lease.database();
        database.transact("BEGIN DEFERRED").map_err(|failed| self.storage_error(failed))?;
        let statements = database.statements();
        let answer = read(&statements);
        if let Some(what) = statements.io_failure() {
            self.fatal.end(&what);
        }
        answer.map_err(ReadError::Job)
    }

    fn lease(&self) -> Lease<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
        Lease { database: free.pop(), readers: self }
    }

    fn storage_error<E>(&self, failed: ControlError) -> ReadError<E> {
        if failed.is_io {
            self.fatal.end(&failed.error.message);
        }
        ReadError::Storage(failed.error)
    }
}

/// A connection on loan; dropping it, a panic included, ends its snapshot and gives it back.
struct Lease<'a> {
    /// Present until dropped.
    database: Option<Database>,
    readers: &'a Readers,
}

impl Lease<'_> {
    fn database(&self) -> &Database {
        self.database.as_ref().expect("a lease holds its connection until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(database) = self.database.take() else { return };
        if let Err(failed) = database.roll_back() {
            self.readers.fatal.end(&failed.error.message);
        }
        self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).push(database);
        self.readers.returned.notify_one();
    }
}
