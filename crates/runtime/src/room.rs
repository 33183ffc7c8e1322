//! Room for results, taken on the disk before a step starts, and what becomes of events while there is none.
//!
//! The reserve is the write-ahead log of the state directory, kept longer than what it holds: a commit needs nothing
//! else, and no other program can take it. While it cannot be kept nothing starts (`journal full`), the result of a
//! step that runs has the whole rest to itself, and everything else is tried again or asked for again.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use tidegate_core::runtime::Input;
use tidegate_core::sql::{SqlError, SqlErrorKind};

/// What a result needs at most, in the log: the largest entry (512 KiB), its pages written twice where the cache is
/// passed, and as much again for what else its transaction starts, ends and says.
const RESULT_BYTES: u64 = 3 << 19;
/// What any other event needs, but for the orders that an answer brings: they are counted.
const OTHER_BYTES: u64 = 3 << 19;
/// What is kept in the log: room for both, and a little, so that not every event asks for more.
pub(crate) const RESERVE_BYTES: u64 = 4 << 20;

/// How long a program that has no room to start rests between two attempts.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// Most events that are kept; the oldest that is no result goes first. Each is some hundred bytes, but for results,
/// of which there is one.
const KEPT_MAX: usize = 64;

/// How this program stands for room, and the events that found none.
#[derive(Debug, Default)]
pub(crate) struct Room {
    kept: VecDeque<Input>,
    is_missing: bool,
}

impl Room {
    /// Everything that waits to be performed, `input` last.
    pub(crate) fn queue(&mut self, input: Input) -> VecDeque<Input> {
        let mut queue = std::mem::take(&mut self.kept);
        queue.push_back(input);
        queue
    }

    /// Keeps what found no room as far as it must not be lost.
    pub(crate) fn keep(&mut self, inputs: impl IntoIterator<Item = Input>) {
        self.kept.extend(inputs.into_iter().filter(must_be_kept));
        while self.kept.len() > KEPT_MAX {
            let index = self.kept.iter().position(|input| !is_result(input)).unwrap_or(0);
            self.kept.remove(index);
        }
    }

    /// Whether a result waits for room.
    pub(crate) fn keeps_result(&self) -> bool {
        self.kept.iter().any(is_result)
    }

    /// Whether room was missing for the last event.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// Takes note of whether there is room; says in the log what changed.
    pub(crate) fn found(&mut self, has_room: bool, directory: &std::path::Path) {
        let (was_missing, directory) =
            (std::mem::replace(&mut self.is_missing, !has_room), directory.display());
        match (was_missing, has_room) {
            (false, false) => tracing::error!(
                %directory,
                "the disk is full: no step starts until there are {} MiB for the state directory (journal full); \
                 nothing acknowledged is lost and results are returned; free some, and work goes on by itself",
                RESERVE_BYTES >> 20
            ),
            (true, true) => tracing::info!(%directory, "there is room on the disk again: steps start"),
            (false, true) | (true, false) => {}
        }
    }
}

/// Bytes of log that must be there for `input` and, after it, for the result of a step that runs or that it starts.
pub(crate) fn bytes_needed(input: &Input) -> u64 {
    let orders = match input {
        Input::SyncAnswered { answer, .. } if !answer.offered.is_empty() => {
            serde_json::to_vec(&answer.offered).map_or(0, |orders| orders.len() as u64)
        }
        Input::SyncAnswered { .. }
        | Input::Booted { .. }
        | Input::Tick
        | Input::StepExited { .. }
        | Input::Facts { .. }
        | Input::TimeLearned(_)
        | Input::Certificate(_)
        | Input::Link { .. }
        | Input::Traffic { .. } => 0,
    };
    RESULT_BYTES + OTHER_BYTES + 2 * orders
}

/// Whether the room that is reserved for a result may be used for `input`.
pub(crate) fn may_use_reserve(input: &Input) -> bool {
    is_result(input) || matches!(input, Input::Booted { .. })
}

/// Whether a failure says that there is no room, as against a state directory that is unusable.
pub(crate) fn is_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_sqlite =
            cause.downcast_ref::<SqlError>().is_some_and(|error| error.kind == SqlErrorKind::Full);
        let of_files = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
        of_sqlite || of_files
    })
}

fn is_result(input: &Input) -> bool {
    matches!(input, Input::StepExited { .. })
}

/// An answer comes again when it is not taken, time is asked for again, and the next tick is near. What this machine
/// alone knows does not come again.
pub(crate) fn must_be_kept(input: &Input) -> bool {
    match input {
        Input::StepExited { .. } | Input::Facts { .. } | Input::Link { .. } | Input::Traffic { .. } => true,
        Input::Booted { .. }
        | Input::Tick
        | Input::SyncAnswered { .. }
        | Input::TimeLearned(_)
        | Input::Certificate(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use tidegate_core::time::Timestamp;

    use super::*;

    fn link(attempts: u32) -> Input {
        Input::Link { closed_at: Timestamp::from_milliseconds(0), attempts, problem: String::new() }
    }

    #[test]
    fn what_comes_again_is_not_kept_and_the_rest_keeps_its_order_within_a_bound() {
        let mut room = Room::default();
        let queue = room.queue(Input::Tick);
        room.keep(queue);
        assert!(room.queue(Input::Tick).len() == 1, "a tick is not kept");
        room.keep((0..100).map(link));
        let queue = room.queue(Input::Tick);
        assert_eq!(queue.len(), KEPT_MAX + 1);
        assert_eq!((&queue[0], &queue[KEPT_MAX]), (&link(36), &Input::Tick));
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one_however_deep_it_is_said() {
        let full = SqlError::new(SqlErrorKind::Full, "full");
        let deep =
            Err::<(), _>(tidegate_core::error::Error::Sql(full)).context("failed to store").unwrap_err();
        assert!(is_full(&deep));
        assert!(is_full(&anyhow::Error::new(std::io::Error::from(ErrorKind::StorageFull)).context("lock")));
        assert!(!is_full(&anyhow::Error::new(SqlError::new(SqlErrorKind::Other, "disk I/O error"))));
    }
}
