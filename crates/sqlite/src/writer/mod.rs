//! One thread that writes: many callers, one fsync.
//!
//! The surprising part is that a call may run more than once. Calls share a transaction, each in a
//! savepoint of its own, and SQLite can roll back the whole transaction from inside a savepoint
//! (`SQLITE_FULL` does). Then every call of the batch runs again in a transaction of its own, so that
//! only those fail that must. A call takes effect at most once whichever way it went.

mod batch;
mod call;

use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tidegate_core::sql::Sql;

use crate::error::{OpenError, WriteError};
use crate::fatal::Fatal;
use crate::open::open_writer;
use crate::settings::Settings;
use batch::Batches;
pub use batch::Commit;
use call::{Queued, TypedCall};

/// Calls that may wait. Four full batches: at the measured rates less than a tenth of a second of work,
/// so a caller that is refused would have waited for nothing much. When it is hit, callers get
/// [`WriteError::Busy`].
const QUEUE_MAX: usize = 1024;

/// The only writer of a database file, on a thread of its own.
///
/// Calls take effect in the order they were submitted, and are answered in that order, each after the
/// `COMMIT` that holds it is on the disk. Dropping the writer waits for the calls already queued.
#[derive(Debug)]
pub struct Writer {
    queue: Mutex<Option<SyncSender<Queued>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Opens or creates the database `path`, whose directory exists and is locked by this process
    /// ([`DirectoryLock`](crate::DirectoryLock)), and starts its writer.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: no permission, no database, damaged.
    pub fn open(path: &Path, settings: &Settings, fatal: Fatal) -> Result<Self, OpenError> {
        Self::open_observed(path, settings, fatal, |_| ())
    }

    /// As [`open`](Self::open), and tells `observer` of every commit that calls shared. It is called on
    /// the writer's thread before the callers hear, so it must be quick.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_observed(
        path: &Path,
        settings: &Settings,
        fatal: Fatal,
        observer: impl FnMut(Commit) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let database = open_writer(path, settings)?;
        let batches = Batches::new(database, path, settings, fatal, Box::new(observer))
            .map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
        let (queue, calls) = sync_channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || batches.run(&calls))
            .map_err(OpenError::Thread)?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues `job` and calls `done` once, on the writer's thread, when its fate is on the disk; or on
    /// this thread, before returning, when it cannot be queued ([`WriteError::Busy`],
    /// [`WriteError::Closed`]).
    ///
    /// `job` may run more than once and takes effect at most once, so it must compute its answer anew
    /// from its arguments and the database each time. `Err` and a panic roll back this call alone.
    /// `done` must be quick: it holds up every other writer.
    pub fn submit<T, E>(
        &self,
        job: impl FnMut(&dyn Sql) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, WriteError<E>>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: Send + 'static,
    {
        let call: Queued = Box::new(TypedCall::new(job, done));
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match &*queue {
            None => Some((call, WriteError::Closed)),
            Some(queue) => match queue.try_send(call) {
                Ok(()) => None,
                Err(TrySendError::Full(call)) => Some((call, WriteError::Busy)),
                Err(TrySendError::Disconnected(call)) => Some((call, WriteError::Closed)),
            },
        };
        drop(queue);
        if let Some((call, error)) = refused {
            call.finish(Err(error));
        }
    }

    /// Runs `job` as [`submit`](Self::submit) does and waits for its fate. Not for the writer's own
    /// thread, which would wait for itself.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing of the call is stored.
    pub fn call<T, E>(
        &self,
        job: impl FnMut(&dyn Sql) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        self.submit(job, move |result| {
            // Nobody else holds the receiver, which waits below.
            let _ = answer.send(result);
        });
        answered.recv().unwrap_or(Err(WriteError::Closed))
    }

    /// Refuses new calls, waits for those already queued, and moves the write-ahead log into the
    /// database. Called on the writer's own thread, as from `done`, it does not wait.
    pub fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // Panics of calls are caught, so a panic here is a bug of the writer's own.
            thread.join().expect("the writer's thread ends without a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}
