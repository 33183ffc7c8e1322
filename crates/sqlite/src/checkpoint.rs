//! Checkpoints of our own: SQLite's automatic ones swallow a failed fsync and go on acknowledging.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_core::sql::{SqlError, SqlErrorKind};

use crate::database::{ControlError, Database};
use crate::room::{ExtendError, Log};
use crate::settings::Settings;

/// What a frame of the log has before its page, and the log before its frames (SQLite's file format, section 4.1).
const FRAME_HEADER_BYTES: u64 = 24;
const LOG_HEADER_BYTES: u64 = 32;

/// How long nothing is tried again that a full disk refused: an attempt writes megabytes, and a person who makes
/// room does not notice a second.
const FULL_REST: Duration = Duration::from_secs(1);

/// Decides after each commit whether the write-ahead log is moved into the database, and keeps room in it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    log: Log,
    page_bytes: u64,
    checkpoint_bytes: u64,
    truncate_bytes: u64,
    reserve_bytes: u64,
    /// Log size at which readers are waited for. Raised when they did not leave in time, so that a long
    /// reader costs one wait per `truncate_bytes` written, and not one per commit.
    truncate_at_bytes: u64,
    /// Since a full disk kept the log from being moved: when that is tried again.
    full_until: Option<Instant>,
    /// The same for room in the log.
    no_room_until: Option<Instant>,
}

/// What became of an attempt to move the whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Everything is in the database, and the log begins anew.
    All,
    /// Other connections did not leave within the busy timeout.
    Busy,
    /// The disk is full. Everything is safe in the log.
    Full,
}

impl Checkpoints {
    /// For the database at `path`; `None`: in memory.
    pub(crate) fn new(
        database: &Database,
        path: Option<&Path>,
        settings: &Settings,
    ) -> Result<Self, ControlError> {
        let [page_bytes] = database.control_row("PRAGMA page_size")?;
        Ok(Self {
            log: Log::of(path.unwrap_or(Path::new(""))),
            page_bytes: page_bytes.unsigned_abs(),
            checkpoint_bytes: settings.checkpoint_bytes,
            truncate_bytes: settings.truncate_bytes,
            reserve_bytes: path.map_or(0, |_| settings.log_reserve_bytes),
            truncate_at_bytes: settings.truncate_bytes,
            full_until: None,
            no_room_until: None,
        })
    }

    /// Moves the log into the database when it has grown past a bound.
    ///
    /// A full disk is no error: everything is safe in the log, which stays until there is room.
    pub(crate) fn after_commit(&mut self, database: &Database) -> Result<(), ControlError> {
        if rests(self.full_until) {
            return Ok(());
        }
        // NOOP does nothing but answer; `PRAGMA` hands on the errors of `sqlite3_wal_checkpoint_v2`.
        let [_, log_frames, stored_frames] = database.control_row("PRAGMA wal_checkpoint(NOOP)")?;
        let log_bytes = self.bytes(log_frames);
        if log_bytes >= self.truncate_at_bytes {
            let moved = self.restart(database)?;
            let left = if moved == Moved::All { 0 } else { log_bytes };
            self.truncate_at_bytes = left + self.truncate_bytes;
        } else if log_bytes.saturating_sub(self.bytes(stored_frames)) >= self.checkpoint_bytes {
            let moved = or_full(database.control("PRAGMA wal_checkpoint(PASSIVE)").map(|()| Moved::All))?;
            self.note(moved);
        }
        Ok(())
    }

    /// Moves the whole log into the database, so that the next commit begins it anew; cuts it to nothing unless a
    /// reserve is kept in it.
    fn restart(&mut self, database: &Database) -> Result<Moved, ControlError> {
        let moved = empty(database, self.reserve_bytes > 0)?;
        self.note(moved);
        Ok(moved)
    }

    /// Sees to it that the log file has `bytes` behind what it holds, and answers how many it has: fewer when the
    /// disk is full. What the next transaction writes within them needs nothing of the file system.
    pub(crate) fn make_room(&mut self, database: &Database, bytes: u64) -> Result<u64, ControlError> {
        let mut used = self.used(database)?;
        let mut room = self.log.size_bytes().saturating_sub(used);
        if room < bytes && !rests(self.full_until) && self.restart(database)? == Moved::All {
            // Nobody reads the log any more, so that the next commit begins at its first frame.
            used = LOG_HEADER_BYTES;
            room = self.log.size_bytes().saturating_sub(used);
        }
        // A little more than is asked for at least, so that not every commit asks again.
        let wanted = (used + bytes).max(self.reserve_bytes);
        if room < bytes && self.extend(wanted)? {
            room = wanted - used;
        }
        Ok(room)
    }

    /// Keeps the configured reserve behind what the log holds, as far as the disk allows. Not after every commit: once
    /// it is half used. Nobody is waited for, and in the long run nothing written: the file keeps its length.
    pub(crate) fn keep_reserve(&mut self, database: &Database) -> Result<(), ControlError> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        let used = self.used(database)?;
        if self.log.size_bytes().saturating_sub(used) < self.reserve_bytes / 2 {
            self.extend(used + self.reserve_bytes)?;
        }
        Ok(())
    }

    /// Makes the log file so long, and answers whether it is.
    fn extend(&mut self, to_bytes: u64) -> Result<bool, ControlError> {
        if rests(self.no_room_until) {
            return Ok(false);
        }
        match self.log.extend(to_bytes) {
            Ok(()) => {
                self.no_room_until = None;
                Ok(true)
            }
            Err(ExtendError::Unwritten(error)) => {
                tracing::debug!(%error, "the write-ahead log could not be extended");
                self.no_room_until = Some(Instant::now() + FULL_REST);
                Ok(false)
            }
            Err(ExtendError::Unsynced(error)) => {
                let error = SqlError::new(SqlErrorKind::Other, format!("the log was not synced: {error}"));
                Err(ControlError { error, is_io: true, is_in_log: false })
            }
        }
    }

    /// Bytes of the log file up to the end of its last frame.
    fn used(&self, database: &Database) -> Result<u64, ControlError> {
        let [_, log_frames, _] = database.control_row("PRAGMA wal_checkpoint(NOOP)")?;
        let frames = u64::try_from(log_frames).unwrap_or(0);
        Ok(LOG_HEADER_BYTES + frames * (self.page_bytes + FRAME_HEADER_BYTES))
    }

    /// Says once that the disk is full, and once that it no longer is.
    fn note(&mut self, moved: Moved) {
        match (moved, self.full_until) {
            (Moved::Full, before) => {
                if before.is_none() {
                    tracing::warn!(
                        "the disk is too full to move the write-ahead log into the database: everything is safe in \
                         the log, which stays until there is room"
                    );
                }
                self.full_until = Some(Instant::now() + FULL_REST);
            }
            (Moved::All, Some(_)) => {
                tracing::info!("there is room again: the write-ahead log was moved into the database");
                self.full_until = None;
            }
            (Moved::All, None) | (Moved::Busy, _) => {}
        }
    }

    fn bytes(&self, frames: i64) -> u64 {
        // -1 frames mean that there is no log, as in a database in memory.
        u64::try_from(frames).unwrap_or(0) * self.page_bytes
    }
}

fn rests(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}

/// Moves the whole log into the database, and cuts it to nothing unless it `stays` as long as it is.
pub(crate) fn empty(database: &Database, stays: bool) -> Result<Moved, ControlError> {
    let statement = if stays { "PRAGMA wal_checkpoint(RESTART)" } else { "PRAGMA wal_checkpoint(TRUNCATE)" };
    or_full(database.control_row(statement).map(
        |[busy, _, _]| {
            if busy == 0 { Moved::All } else { Moved::Busy }
        },
    ))
}

fn or_full(answer: Result<Moved, ControlError>) -> Result<Moved, ControlError> {
    match answer {
        Err(failed) if failed.error.kind == SqlErrorKind::Full => Ok(Moved::Full),
        other => other,
    }
}
