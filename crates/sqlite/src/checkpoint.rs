//! Checkpoints of our own: SQLite's automatic ones swallow a failed fsync and go on acknowledging.

use crate::database::{ControlError, Database};
use crate::settings::Settings;
use tidegate_core::sql::SqlErrorKind;

/// Decides after each commit whether the write-ahead log is moved into the database.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    page_bytes: u64,
    checkpoint_bytes: u64,
    truncate_bytes: u64,
    /// Log size at which readers are waited for. Raised when they did not leave in time, so that a long
    /// reader costs one wait per `truncate_bytes` written, and not one per commit.
    truncate_at_bytes: u64,
}

impl Checkpoints {
    pub(crate) fn new(database: &Database, settings: &Settings) -> Result<Self, ControlError> {
        let [page_bytes] = database.control_row("PRAGMA page_size")?;
        Ok(Self {
            page_bytes: page_bytes.unsigned_abs(),
            checkpoint_bytes: settings.checkpoint_bytes,
            truncate_bytes: settings.truncate_bytes,
            truncate_at_bytes: settings.truncate_bytes,
        })
    }

    /// Moves the log into the database when it has grown past a bound.
    ///
    /// A full disk is no error: everything is safe in the log, which stays until there is room.
    pub(crate) fn after_commit(&mut self, database: &Database) -> Result<(), ControlError> {
        // NOOP does nothing but answer; `PRAGMA` hands on the errors of `sqlite3_wal_checkpoint_v2`.
        let [_, log_frames, stored_frames] = database.control_row("PRAGMA wal_checkpoint(NOOP)")?;
        let log_bytes = self.bytes(log_frames);
        if log_bytes >= self.truncate_at_bytes {
            let emptied = truncate(database)?;
            self.truncate_at_bytes = if emptied { 0 } else { log_bytes } + self.truncate_bytes;
        } else if log_bytes.saturating_sub(self.bytes(stored_frames)) >= self.checkpoint_bytes {
            tolerate_full(database.control("PRAGMA wal_checkpoint(PASSIVE)"))?;
        }
        Ok(())
    }

    fn bytes(&self, frames: i64) -> u64 {
        // -1 frames mean that there is no log, as in a database in memory.
        u64::try_from(frames).unwrap_or(0) * self.page_bytes
    }
}

/// Moves the whole log into the database and cuts it to nothing. Answers whether it did: other
/// connections that do not leave within the busy timeout, or a full disk, are no error.
pub(crate) fn truncate(database: &Database) -> Result<bool, ControlError> {
    match database.control_row("PRAGMA wal_checkpoint(TRUNCATE)") {
        Ok([busy, _, _]) => Ok(busy == 0),
        Err(failed) => tolerate_full(Err(failed)).map(|()| false),
    }
}

fn tolerate_full(answer: Result<(), ControlError>) -> Result<(), ControlError> {
    match answer {
        Err(failed) if failed.error.kind == SqlErrorKind::Full => {
            tracing::warn!(error = %failed.error, "the disk is too full to checkpoint the database");
            Ok(())
        }
        other => other,
    }
}
