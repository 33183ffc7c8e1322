//! A machine: a disk that survives, and what a power cut takes.

use std::collections::VecDeque;
use std::rc::Rc;

use tidegate_core::id::{BootId, JournalId, RequestId, SequenceId};
use tidegate_core::keys::KeyPair;
use tidegate_core::runtime::{self, Limits, Reading, Ticket};
use tidegate_core::sql::ReadSql;
use tidegate_core::time::Timestamp;

use super::database::Database;
use super::truth::Attempt;

/// The machines of a world, by their index.
pub(crate) type MachineIndex = usize;

pub(crate) struct Machine {
    pub(crate) disk: Database,
    pub(crate) keys: Rc<KeyPair>,
    /// The journal it asked to enrol with; kept for a repeat.
    pub(crate) first_journal: JournalId,
    pub(crate) limits: Limits,
    pub(crate) clock: MachineClock,
    /// What a power cut takes; `None`: it is off.
    pub(crate) power: Option<Power>,
    /// It will never be switched on again.
    pub(crate) is_gone: bool,
}

/// What a power cut takes.
pub(crate) struct Power {
    pub(crate) boot: BootId,
    pub(crate) outstanding: Option<RequestId>,
    pub(crate) ticket: Option<Ticket>,
    /// Requests since the program started.
    pub(crate) requests: u64,
    pub(crate) process: Option<Attempt>,
    /// Processes that were ended and whose end is not told yet.
    pub(crate) killed: VecDeque<Attempt>,
}

/// The machine's clocks.
#[derive(Clone)]
pub(crate) struct MachineClock {
    /// How far the wall clock is ahead.
    pub(crate) offset_ms: i64,
    pub(crate) machine_boot: String,
    pub(crate) booted_at: Timestamp,
}

impl MachineClock {
    pub(crate) fn read(&self, now: Timestamp) -> Reading {
        Reading {
            wall: now.shifted_by_ms(self.offset_ms),
            monotonic_ms: now.since(self.booted_at).0,
            machine_boot: self.machine_boot.clone(),
        }
    }
}

/// A machine's disk and keys at one moment.
pub(crate) struct Snapshot {
    pub(crate) disk: Database,
    pub(crate) keys: Rc<KeyPair>,
    pub(crate) first_journal: JournalId,
}

impl Snapshot {
    pub(crate) fn copy(&self) -> Self {
        Self { disk: self.disk.copy(), keys: Rc::clone(&self.keys), first_journal: self.first_journal }
    }
}

impl Machine {
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { disk: self.disk.copy(), keys: Rc::clone(&self.keys), first_journal: self.first_journal }
    }

    /// Whether the disk holds an enrolled endpoint.
    pub(crate) fn is_enrolled(&self) -> bool {
        self.status_at(Timestamp::from_milliseconds(0)).is_some()
    }

    /// How the endpoint's half says it stands; `None`: not enrolled.
    pub(crate) fn status_at(&self, now: Timestamp) -> Option<runtime::Status> {
        runtime::status(&self.disk, &self.clock.read(now)).ok()
    }
}

/// The sequences that a disk holds accepted and unfinished.
pub(crate) fn unfinished(disk: &Database) -> Vec<SequenceId> {
    let rows = disk.query("SELECT sequence_id FROM work ORDER BY ordinal", &[]).expect("the table is there");
    rows.iter().map(|row| row.parsed(0).expect("ids read")).collect()
}

/// The sequences that a disk knows in any way.
pub(crate) fn known(disk: &Database) -> Vec<SequenceId> {
    let rows = disk
        .query("SELECT sequence_id FROM work UNION SELECT sequence_id FROM outcome", &[])
        .expect("the tables are there");
    rows.iter().map(|row| row.parsed(0).expect("ids read")).collect()
}
