//! Batches: which calls share a transaction, and what happens when it fails.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tidegate_core::sql::SqlError;

use super::call::{Call, Queued, storage};
use crate::checkpoint::{self, Checkpoints};
use crate::database::{ControlError, Database};
use crate::fatal::Fatal;
use crate::settings::Settings;
use crate::store::rolled_back;

/// Calls in one transaction. Past a few dozen the fsync is a small part of the time, and a failed
/// batch runs them all again, one fsync each.
const CALLS_MAX: usize = 256;

/// How long the first call of a batch waits for others to finish running, so that slow calls do not
/// make quick ones late: about the time of a few fsyncs.
const RUN_TIME_MAX: Duration = Duration::from_millis(20);

/// A transaction that reached the disk, for whoever measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The calls that shared it.
    pub calls: usize,
    /// How long `COMMIT` took, its fsync included.
    pub time: Duration,
}

/// Hears of every commit, on the writer's thread.
pub(super) type Observer = Box<dyn FnMut(Commit) + Send>;

/// The writer's own state, on its thread.
pub(super) struct Batches {
    database: Database,
    checkpoints: Checkpoints,
    fatal: Fatal,
    /// How many calls the last batch had: as many callers are likely to come back.
    expected: usize,
    /// How long the last commit took, which is what one more in the batch saves.
    commit_time: Duration,
    observer: Observer,
}

/// What became of a shared transaction.
enum Shared {
    /// On the disk.
    Committed,
    /// Rolled back, at a call or at the commit: nothing of any call is stored.
    Failed,
}

impl Batches {
    pub(super) fn new(
        database: Database,
        path: &Path,
        settings: &Settings,
        fatal: Fatal,
        observer: Observer,
    ) -> Result<Self, SqlError> {
        let mut checkpoints =
            Checkpoints::new(&database, Some(path), settings).map_err(|failed| failed.error)?;
        checkpoints.keep_reserve(&database).map_err(|failed| failed.error)?;
        Ok(Self { database, checkpoints, fatal, expected: 1, commit_time: Duration::ZERO, observer })
    }

    /// Runs calls until nobody can submit any more and all are finished.
    pub(super) fn run(mut self, calls: &Receiver<Queued>) {
        while let Ok(first) = calls.recv() {
            let mut batch = vec![first];
            match self.share(&mut batch, calls) {
                Ok(Shared::Committed) => batch.into_iter().for_each(|call| call.finish(Ok(()))),
                Ok(Shared::Failed) => batch.into_iter().for_each(|call| self.alone(call)),
                Err(error) => {
                    batch.into_iter().for_each(|call| call.finish(Err(storage(error.clone()))));
                }
            }
            let checkpoint = self.checkpoints.after_commit(&self.database);
            self.warn("the database could not be checkpointed", checkpoint);
            let reserve = self.checkpoints.keep_reserve(&self.database);
            self.warn("the reserve of the write-ahead log could not be kept", reserve);
        }
        let checkpoint = checkpoint::empty(&self.database, false).map(drop);
        self.warn("the database was closed without a checkpoint", checkpoint);
    }

    /// Runs the first call, and those that come while the batch is open, in one transaction.
    ///
    /// An error means that no transaction could be begun and no call has run.
    fn share(&mut self, batch: &mut Vec<Queued>, calls: &Receiver<Queued>) -> Result<Shared, SqlError> {
        self.trusted(self.database.transact("BEGIN IMMEDIATE"))?;
        let opened = Instant::now();
        let mut ran = 0;
        loop {
            if !self.in_savepoint(&mut *batch[ran]) {
                return Ok(self.failed());
            }
            ran += 1;
            if ran == CALLS_MAX || opened.elapsed() >= RUN_TIME_MAX {
                break;
            }
            let Some(call) = self.next(ran, calls) else { break };
            batch.push(call);
        }
        self.expected = ran;
        let committing = Instant::now();
        if self.trusted(self.database.commit()).is_err() {
            return Ok(self.failed());
        }
        self.commit_time = committing.elapsed();
        (self.observer)(Commit { calls: ran, time: self.commit_time });
        Ok(Shared::Committed)
    }

    /// The next call that shares the transaction, if one is there or likely to come soon.
    ///
    /// Callers who wait for their answers come back one after the other; without a little patience the
    /// first would be alone in the next batch. A caller who was alone last time is not kept waiting.
    /// With 64 callers and an fsync of 2.5 ms this stores 91,000 rows a second, without it 80,000; with
    /// an fsync of 0.2 ms it makes no difference.
    fn next(&self, ran: usize, calls: &Receiver<Queued>) -> Option<Queued> {
        if let Ok(call) = calls.try_recv() {
            return Some(call);
        }
        if ran >= self.expected {
            return None;
        }
        calls.recv_timeout(self.commit_time / 4).ok()
    }

    /// Runs one call of the batch; its own failure undoes only its own effects. Answers whether the
    /// shared transaction still stands.
    fn in_savepoint(&self, call: &mut dyn Call) -> bool {
        if self.trusted(self.database.transact("SAVEPOINT call")).is_err() {
            return false;
        }
        let wanted = self.run_call(call);
        if !self.database.in_transaction() {
            return false;
        }
        let undone = wanted || self.trusted(self.database.transact("ROLLBACK TO call")).is_ok();
        undone && self.trusted(self.database.transact("RELEASE call")).is_ok()
    }

    /// Runs a call of a failed batch again, in a transaction of its own, and finishes it.
    fn alone(&mut self, mut call: Queued) {
        let fate = match self.trusted(self.database.transact("BEGIN IMMEDIATE")) {
            Err(error) => Err(error),
            Ok(()) if !self.run_call(&mut *call) => Ok(()),
            Ok(()) if !self.database.in_transaction() => Err(rolled_back()),
            Ok(()) => self.trusted(self.database.commit()),
        };
        self.roll_back();
        call.finish(fate.map_err(storage));
    }

    fn run_call(&self, call: &mut dyn Call) -> bool {
        let statements = self.database.statements();
        let wanted = call.run(&statements);
        if let Some(what) = statements.io_failure() {
            self.fatal.end(&what);
        }
        wanted
    }

    fn failed(&mut self) -> Shared {
        self.roll_back();
        self.expected = 1;
        Shared::Failed
    }

    /// A rollback that fails leaves a transaction open that nobody owns.
    fn roll_back(&self) {
        if let Err(failed) = self.database.roll_back() {
            self.fatal.end(&failed.error.message);
        }
    }

    /// Ends the process when the disk failed.
    fn trusted<T>(&self, answer: Result<T, ControlError>) -> Result<T, SqlError> {
        answer.map_err(|failed| {
            if failed.is_io {
                self.fatal.end(&failed.error.message);
            }
            failed.error
        })
    }

    fn warn(&self, what: &str, checkpoint: Result<(), ControlError>) {
        if let Err(error) = self.trusted(checkpoint) {
            tracing::error!(%error, "{what}");
        }
    }
}
