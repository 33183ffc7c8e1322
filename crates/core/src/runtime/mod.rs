//! The endpoint's half: what the program on the machine does, decided here and performed there.
//!
//! Reading order: `state` (what a call works on), `execute` (steps), `answer` and `orders` (what the control
//! plane says), `request` (what it is told), `clock`.

mod answer;
mod authority;
mod clock;
mod execute;
mod orders;
mod policy;
mod proofs;
mod request;
mod state;
mod work;

pub use authority::authority;
pub use clock::{Clock, Now, Reading, verify_time};
pub use request::{Idle, Request, Ticket, request};
pub use state::{Context, create, document_load, document_save};

use serde_json::{Map, Value};

use crate::day::UtcDay;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::{JournalId, LogId, RequestId, SequenceId};
use crate::journal::JournalBody;
use crate::probe::Catalogue;
use crate::schema::Schema;
use crate::sequence::{EndState, StepResult};
use crate::sql::{ReadSql, Sql};
use crate::time::{Milliseconds, Timestamp};
use crate::wire::{Head, Policy, SyncAnswer};

pub use policy::POLICY_ENTRIES_MAX;
use state::{Object, state_load};
use work::RunningStep;

/// The tables of a state directory.
pub const SCHEMA: Schema = Schema {
    name: "runtime",
    migrations: &[
        include_str!("schema/0001_runtime.sql"),
        include_str!("schema/0003_quota.sql"),
        include_str!("schema/0004_pruned.sql"),
    ],
};

/// How much an endpoint keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of journal entries; past it nothing starts (`journal full`).
    pub journal_bytes_max: u64,
    /// Most bytes of journal entries while acknowledged ones can be dropped.
    pub acknowledged_bytes_max: u64,
    /// Most outcomes of ended work, at most [`crate::wire::KNOWN_MAX`].
    pub outcomes_max: usize,
    /// Whether the disk has room for this call and for the result of a step that it starts; without it nothing starts
    /// (`journal full`). The program sees to it before it calls, since room that is not taken is soon somebody else's.
    pub has_room: bool,
    /// Most bytes of entries in one request; one entry always travels.
    pub request_bytes_max: u64,
}

impl Default for Limits {
    /// 64 MiB of journal: a hundred of the largest results while the path is closed. 8 MiB of acknowledged entries:
    /// months of ordinary work.
    fn default() -> Self {
        Self {
            journal_bytes_max: 64 * 1024 * 1024,
            acknowledged_bytes_max: 8 * 1024 * 1024,
            outcomes_max: crate::wire::KNOWN_MAX,
            has_room: true,
            request_bytes_max: request::ENTRIES_BYTES_MAX,
        }
    }
}

/// What can happen on an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The program started; leftovers of earlier steps are ended already (R3, G2).
    Booted {
        /// The program's version.
        version: String,
        /// How many processes of earlier steps had to be ended.
        leftovers: u32,
    },
    /// Time passed: something may start that could not before.
    Tick,
    /// The attempt of a step ended.
    StepExited {
        /// The sequence.
        sequence: SequenceId,
        /// The step, from 1.
        step: u32,
        /// The attempt, from 1.
        attempt: u32,
        /// How.
        state: EndState,
        /// What it brought back, within the bounds of [`crate::sequence`].
        result: Box<StepResult>,
    },
    /// An answer came for the outstanding request.
    SyncAnswered {
        /// The id of that request.
        request: RequestId,
        /// What came.
        answer: Box<SyncAnswer>,
    },
    /// The machine's facts and probes as they are now; journaled where they differ from the last.
    Facts {
        /// Host name, system, addresses and the like.
        facts: Map<String, Value>,
        /// Its probes.
        probes: Catalogue,
    },
    /// Signed time was heard and verified ([`verify_time`]).
    TimeLearned(Timestamp),
    /// An answer other than that to a sync brought a certificate of the order key.
    Certificate(Box<Envelope>),
    /// The path was closed for a while; journaled once it is open again.
    Link {
        /// When it was first seen closed, by the wall clock as it showed.
        closed_at: Timestamp,
        /// Attempts in between.
        attempts: u32,
        /// What the last one met.
        problem: String,
    },
    /// A day is over: what the transport sent and received in it. Telling the day told last once more changes
    /// nothing, so the program may repeat it after a crash.
    Traffic {
        /// Which day, by the corrected clock.
        day: UtcDay,
        /// Bytes sent.
        up_bytes: u64,
        /// Bytes received.
        down_bytes: u64,
    },
}

/// What the program must do once the call is committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run one attempt of a step.
    StartStep {
        /// The sequence.
        sequence: SequenceId,
        /// The step, from 1.
        step: u32,
        /// The attempt, from 1.
        attempt: u32,
        /// Which probe.
        probe: String,
        /// Its arguments.
        with: Map<String, Value>,
        /// Its time limit.
        timeout: Milliseconds,
        /// What the machine allows: the probe judges the file that it opened and the address that it reaches.
        policy: Box<Policy>,
    },
    /// Use this ticket from the next request on; `None`: discard the one in use. Follows every answer that counts (R5),
    /// and no other.
    KeepTicket(Option<Ticket>),
    /// End the process tree of a running attempt.
    Kill {
        /// The sequence.
        sequence: SequenceId,
        /// The step, from 1.
        step: u32,
        /// The attempt, from 1.
        attempt: u32,
    },
}

/// Applies `input` in the program's transaction; the effects are performed after the commit.
///
/// # Errors
///
/// [`Error`]; the program rolls back. [`crate::error::Code::Conflict`]: the state directory is not enrolled.
pub fn handle(db: &dyn Sql, cx: &Context<'_>, input: Input) -> Result<Vec<Effect>, Error> {
    let mut object = Object::open(db, cx)?;
    match input {
        Input::Booted { version, leftovers } => {
            let machine_boot = cx.clock.machine_boot.clone();
            object.record(&JournalBody::Booted { version, machine_boot, leftovers })?;
            object.interrupt_running()?;
        }
        Input::Tick => {}
        Input::StepExited { sequence, step, attempt, state, result } => {
            object.step_exited(sequence, RunningStep { step, attempt }, state, *result)?;
        }
        Input::SyncAnswered { request, answer } => object.answered(request, &answer)?,
        Input::Facts { facts, probes } => object.facts_tell(facts, probes)?,
        Input::Certificate(certificate) => object.certificate_take(&certificate)?,
        Input::TimeLearned(time) => {
            object.state.clock.learn(time, cx.clock);
            object.now = object.state.clock.now(cx.clock);
        }
        Input::Link { closed_at, attempts, problem } => {
            let opened_at = object.now.at;
            // Corrected by what is known of the clock now: when the path closed, less may have been known.
            let ahead_ms = cx.clock.wall.milliseconds() - opened_at.milliseconds();
            let closed_at = closed_at.shifted_by_ms(-ahead_ms);
            let problem = problem.chars().take(300).collect();
            object.record(&JournalBody::Link { closed_at, opened_at, attempts, problem })?;
        }
        Input::Traffic { day, up_bytes, down_bytes } => object.traffic_tell(day, up_bytes, down_bytes)?,
    }
    object.advance()?;
    object.close()
}

impl Object<'_> {
    fn facts_tell(&mut self, facts: Map<String, Value>, probes: Catalogue) -> Result<(), Error> {
        let digest = Digest::of(serde_json::to_vec(&(&facts, &probes)).expect("facts serialize"));
        if self.state.facts == Some(digest) {
            return Ok(());
        }
        self.state.facts = Some(digest);
        self.record(&JournalBody::Facts { facts, probes })
    }

    fn traffic_tell(&mut self, day: UtcDay, up_bytes: u64, down_bytes: u64) -> Result<(), Error> {
        // Not "a later one": a clock that was ahead for a while must not silence the days after its correction.
        if self.state.traffic_told == Some(day) {
            return Ok(());
        }
        self.state.traffic_told = Some(day);
        self.record(&JournalBody::Traffic { day, up_bytes, down_bytes })
    }
}

/// How an endpoint stands, for its own `status`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Status {
    /// The journal and how far it goes.
    pub journal: Head<JournalId>,
    /// How many of its entries the control plane holds, as it last said.
    pub acknowledged: u64,
    /// Whether the control plane works with this journal; otherwise a person must adopt it.
    pub is_adopted: bool,
    /// The order log taken up.
    pub orders: Option<Head<LogId>>,
    /// Sequences whose signed work the control plane asked for and was not shown yet.
    pub asked: usize,
    /// Sequences that have not ended.
    pub live: usize,
    /// How many of them wait for room, as the journal last said.
    pub waiting_for_room: usize,
    /// Bytes of kept journal entries.
    pub kept_bytes: u64,
    /// What it lets run.
    pub policy: Policy,
    /// The time as this machine knows it.
    pub time: Timestamp,
    /// Whether the time is known.
    pub is_time_known: bool,
    /// Whether the control plane signed it within this start of the machine.
    pub is_time_confirmed: bool,
    /// Whether it was retired.
    pub is_retired: bool,
    /// The serial of the newest certificate of the order key that it has verified.
    pub serial: u64,
}

/// Answers how the endpoint stands; writes nothing.
///
/// # Errors
///
/// As [`request`].
pub fn status(db: &dyn ReadSql, clock: &Reading) -> Result<Status, Error> {
    let state = state_load(db)?;
    let live = work::live(db)?;
    let now = state.clock.now(clock);
    Ok(Status {
        journal: state.journal,
        acknowledged: state.acknowledged,
        is_adopted: state.is_adopted,
        orders: state.orders,
        asked: state.asked.len(),
        live: live.len(),
        waiting_for_room: live.iter().filter(|live| live.waits_for_room()).count(),
        kept_bytes: state.kept_bytes,
        time: now.at,
        is_time_known: now.is_known,
        is_time_confirmed: now.is_confirmed,
        policy: state.policy,
        is_retired: state.is_retired,
        serial: state.keys.serial,
    })
}

/// The first moment after `now` at which time alone changes something, so that [`Input::Tick`] is needed; `None`: only
/// an event does. Room on a disk comes back at no known moment ([`Status::waiting_for_room`]).
///
/// # Errors
///
/// As [`request`].
pub fn next_deadline(db: &dyn ReadSql, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let live = work::live(db)?;
    let deadlines = live.iter().flat_map(|live| [live.work.not_before, Some(live.work.expires_at)]);
    Ok(deadlines.flatten().filter(|at| *at > now).min())
}
