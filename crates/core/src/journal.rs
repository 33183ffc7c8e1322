//! The endpoint's own append-only log: what its entries say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chain::Link;
use crate::day::UtcDay;
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError};
use crate::id::{BootId, JournalId, LogId, SequenceId};
use crate::keys::PublicKey;
use crate::probe::Catalogue;
use crate::sequence::{EndState, StepResult};
use crate::time::Timestamp;

/// Largest body of a journal entry in bytes: one step's result with both ends of both streams.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// Largest header of a journal entry in bytes.
pub const HEADER_BYTES_MAX: usize = 1_024;
/// Most bytes of one direction in one day: 1 PiB, which is 100 Gbit/s around the clock. More is not believed.
pub const TRAFFIC_BYTES_MAX: u64 = 1 << 50;

/// The header of a journal entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHeader {
    /// The journal.
    pub journal: JournalId,
    /// The kind of the body, so that an erased one still tells what it was.
    pub kind: String,
    /// When, by the endpoint's corrected clock; equal to `wall` while the correction is unknown.
    pub at: Timestamp,
    /// Whether nobody had signed the time since the machine started: then `at` is the machine's own word, and may be
    /// years off. What the time was shows once the control plane is heard: see [`crate::wire::SyncLine::clock`].
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_unsure: bool,
    /// When, by the endpoint's wall clock as it showed.
    pub wall: Timestamp,
    /// Milliseconds since the machine started, sleep included.
    pub monotonic_ms: u64,
    /// The start of the runtime that wrote it.
    pub boot: BootId,
    /// Its place in the chain.
    pub link: Link,
}

/// What a journal entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JournalBody {
    /// The runtime started (R3). Its fresh boot id makes two copies differ before they do anything.
    Booted {
        /// The version of the runtime.
        version: String,
        /// The operating system's own id of this start of the machine; empty where it has none.
        machine_boot: String,
        /// Processes of earlier steps that had outlived the runtime and were ended.
        leftovers: u32,
    },
    /// An order log was taken up (R7).
    Opened {
        /// The log.
        log: LogId,
        /// Everything the endpoint knows of any work.
        known: Known,
    },
    /// This journal continues another one after a rollback or copy (R11).
    Continued {
        /// The journal before.
        journal: JournalId,
        /// How far it went.
        number: u64,
        /// Its hash there.
        hash: Digest,
        /// Everything the endpoint knows of any work.
        known: Known,
    },
    /// An order was stored and the cursor moved (R2).
    Accepted {
        /// The log.
        log: LogId,
        /// The order's place.
        number: u64,
        /// What became of it.
        order: Accepted,
    },
    /// An authentic order that will not be obeyed.
    Refused {
        /// The log.
        log: LogId,
        /// The order's place.
        number: u64,
        /// The work it carried; absent: another kind of order.
        sequence: Option<SequenceId>,
        /// Why, for a person.
        reason: String,
    },
    /// A sequence cannot start yet.
    Waiting {
        /// Which.
        sequence: SequenceId,
        /// Why.
        reason: WaitReason,
    },
    /// A step is about to start; durable before its process exists.
    StepStarted {
        /// The sequence.
        sequence: SequenceId,
        /// The step, from 1.
        step: u32,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// A step ended.
    StepFinished {
        /// The sequence.
        sequence: SequenceId,
        /// The step, from 1.
        step: u32,
        /// The attempt, from 1.
        attempt: u32,
        /// How.
        state: EndState,
        /// What it brought back.
        result: StepResult,
    },
    /// A sequence ended.
    SequenceFinished {
        /// Its outcome, every step included.
        outcome: Outcome,
        /// Why, where it did not simply run to its end.
        reason: Option<String>,
    },
    /// An order that does not verify (R13); one entry per digest.
    Tampered {
        /// The log it claimed.
        log: Option<LogId>,
        /// The place it claimed.
        number: Option<u64>,
        /// The digest of what came.
        digest: Digest,
        /// What did not hold.
        problem: EnvelopeError,
    },
    /// A `void` took the place of an order.
    Voided {
        /// The log.
        log: LogId,
        /// The place.
        number: u64,
    },
    /// What the machine tells of itself.
    Facts {
        /// Host name, system, addresses and the like.
        facts: Map<String, Value>,
        /// Its probes.
        probes: Catalogue,
    },
    /// What the runtime saw of its own connectivity.
    Link {
        /// When the path was first seen closed, by the corrected clock.
        closed_at: Timestamp,
        /// When it was seen open again.
        opened_at: Timestamp,
        /// Attempts in between.
        attempts: u32,
        /// What the last one met.
        problem: String,
    },
    /// What the runtime sent and received in one day, once the day is over.
    Traffic {
        /// Which day.
        day: UtcDay,
        /// Bytes sent, as its transport counted them; past [`TRAFFIC_BYTES_MAX`] the day is not counted.
        up_bytes: u64,
        /// Bytes received, likewise.
        down_bytes: u64,
    },
    /// A signed transcript head of the control plane, kept here so that both sides hold it.
    Head {
        /// The [`crate::wire::TranscriptHead`], as signed.
        head: Envelope,
    },
    /// The endpoint was retired and stops.
    Retired,
    /// A certificate with a higher serial was verified: from here on only its keys count.
    Authority {
        /// The certificate's serial.
        serial: u64,
        /// Its order key.
        order_key: PublicKey,
    },
}

/// What became of an order that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Accepted {
    /// A new log for this journal.
    Adopt,
    /// Work that will run.
    Run {
        /// Which.
        sequence: SequenceId,
        /// The digest of its signed bytes.
        work: Digest,
        /// Its title, for a control plane that never heard of it (R12).
        title: String,
        /// The probes of its steps, for the same reason.
        steps: Vec<String>,
    },
    /// Work that was known already: not started again, this is what became of it (R1).
    Known {
        /// What became of it so far.
        outcome: Outcome,
    },
    /// Work older than the list of outcomes reaches back: nobody can tell (R1).
    TooOld {
        /// Which.
        sequence: SequenceId,
    },
    /// A cancel.
    Cancel {
        /// Which work.
        sequence: SequenceId,
        /// What it met.
        met: CancelMet,
    },
    /// A narrower policy.
    Configure,
    /// The endpoint stops and removes itself.
    Retire,
}

/// What a cancel met on the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelMet {
    /// Work that had not started a step, or was between two.
    Waiting,
    /// A running step, which is being ended.
    Running,
    /// Work that had ended.
    Ended,
    /// Work it never heard of; it will never start it.
    Unknown,
}

/// Why a sequence cannot start yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitReason {
    /// Its earliest start is not reached.
    NotBefore {
        /// When it is.
        at: Timestamp,
    },
    /// It has a condition on time and the endpoint does not know the time.
    ClockUnknown,
    /// There is no room for another result.
    JournalFull,
}

/// Everything an endpoint knows of any work, and since when that is everything (R1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Work issued after this is on the list if it was ever accepted.
    pub complete_since: Timestamp,
    /// The outcomes, oldest first.
    pub outcomes: Vec<Outcome>,
}

/// What became of one sequence, as the endpoint knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub sequence: SequenceId,
    /// How it ended; absent: it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<SequenceEnd>,
    /// Its steps in order: how far each came.
    pub steps: Vec<StepOutcome>,
}

/// How a sequence ended on the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceEnd {
    /// It ran to its end; the steps say how each went.
    Completed,
    /// `stop_on` ended it early.
    Stopped,
    /// Refused when it came.
    Refused,
    /// Cancelled.
    Cancelled,
    /// It expired before every step had started.
    Expired,
    /// The journal that told of it was replaced while it had not ended (R7, R11).
    Lost,
}

/// How far one step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// How many attempts started.
    #[serde(rename = "n")]
    pub attempts: u32,
    /// How the latest one ended, or how the step ended without one; absent: it has not.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<EndState>,
}

impl JournalBody {
    /// The word that the header repeats.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Booted { .. } => "booted",
            Self::Opened { .. } => "opened",
            Self::Continued { .. } => "continued",
            Self::Accepted { .. } => "accepted",
            Self::Refused { .. } => "refused",
            Self::Waiting { .. } => "waiting",
            Self::StepStarted { .. } => "step_started",
            Self::StepFinished { .. } => "step_finished",
            Self::SequenceFinished { .. } => "sequence_finished",
            Self::Tampered { .. } => "tampered",
            Self::Voided { .. } => "voided",
            Self::Facts { .. } => "facts",
            Self::Link { .. } => "link",
            Self::Traffic { .. } => "traffic",
            Self::Head { .. } => "head",
            Self::Retired => "retired",
            Self::Authority { .. } => "authority",
        }
    }

    /// The sequence it is about, if it is about one.
    pub fn sequence(&self) -> Option<SequenceId> {
        match self {
            Self::Refused { sequence, .. } => *sequence,
            Self::Waiting { sequence, .. }
            | Self::StepStarted { sequence, .. }
            | Self::StepFinished { sequence, .. } => Some(*sequence),
            Self::SequenceFinished { outcome, .. } => Some(outcome.sequence),
            Self::Accepted { order, .. } => order.sequence(),
            Self::Booted { .. }
            | Self::Opened { .. }
            | Self::Continued { .. }
            | Self::Tampered { .. }
            | Self::Voided { .. }
            | Self::Facts { .. }
            | Self::Link { .. }
            | Self::Traffic { .. }
            | Self::Head { .. }
            | Self::Retired
            | Self::Authority { .. } => None,
        }
    }
}

impl Accepted {
    /// The sequence it is about, if it is about one.
    pub fn sequence(&self) -> Option<SequenceId> {
        match self {
            Self::Run { sequence, .. } | Self::TooOld { sequence } | Self::Cancel { sequence, .. } => {
                Some(*sequence)
            }
            Self::Known { outcome } => Some(outcome.sequence),
            Self::Adopt | Self::Configure | Self::Retire => None,
        }
    }
}
