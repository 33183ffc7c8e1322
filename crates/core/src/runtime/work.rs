//! Work on the endpoint: accepted, under way, ended; and what is remembered of it (R1).

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::id::SequenceId;
use crate::journal::{JournalBody, Known, Outcome, SequenceEnd, StepOutcome, WaitReason};
use crate::sequence::EndState;
use crate::sql::{ReadSql, Row, Sql};
use crate::time::Timestamp;
use crate::wire::{KNOWN_MAX, Work};

use super::state::{Object, State};

/// How far accepted work came; stored as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) steps: Vec<StepOutcome>,
    /// The attempt that was started and has not ended.
    pub(super) running: Option<RunningStep>,
    pub(super) is_cancelled: bool,
    /// What the journal last said about why it does not start.
    pub(super) waiting: Option<WaitReason>,
    /// The serial of the order key that signed it.
    pub(super) serial: u64,
}

/// An attempt that was started and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunningStep {
    /// From 1.
    pub(super) step: u32,
    /// From 1.
    pub(super) attempt: u32,
}

/// Accepted work that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LiveWork {
    pub(super) work: Work,
    pub(super) progress: Progress,
}

impl LiveWork {
    pub(super) fn new(work: Work, serial: u64) -> Self {
        let steps = vec![StepOutcome { attempts: 0, state: None }; work.steps.len()];
        Self { work, progress: Progress { steps, running: None, is_cancelled: false, waiting: None, serial } }
    }

    /// Whether any step was started or ended.
    pub(super) fn is_begun(&self) -> bool {
        self.progress.steps.iter().any(|step| step.attempts > 0 || step.state.is_some())
    }

    /// The next step to run, from 1; `None`: every step has ended.
    pub(super) fn next_step(&self) -> Option<u32> {
        let index = self.progress.steps.iter().position(|step| step.state.is_none())?;
        u32::try_from(index + 1).ok()
    }

    pub(super) fn waits_for_room(&self) -> bool {
        self.progress.waiting == Some(WaitReason::JournalFull)
    }

    pub(super) fn outcome(&self, ended: Option<SequenceEnd>) -> Outcome {
        Outcome { sequence: self.work.sequence, ended, steps: self.progress.steps.clone() }
    }

    /// Ends every step that has not ended. One whose attempt was cut off and that never ran again did start, and
    /// no other end may hide that.
    fn end_open_steps(&mut self, state: EndState) {
        for step in self.progress.steps.iter_mut().filter(|step| step.state.is_none()) {
            step.state = Some(if step.attempts > 0 { EndState::Interrupted } else { state });
        }
    }
}

fn read(row: &Row) -> Result<LiveWork, Error> {
    Ok(LiveWork { work: row.json(0)?, progress: row.json(1)? })
}

/// Everything that has not ended, in the order it was accepted.
pub(super) fn live(db: &dyn ReadSql) -> Result<Vec<LiveWork>, Error> {
    db.query("SELECT work, progress FROM work ORDER BY ordinal", &[])?.iter().map(read).collect()
}

pub(super) fn live_load(db: &dyn ReadSql, sequence: SequenceId) -> Result<Option<LiveWork>, Error> {
    let rows = db.query("SELECT work, progress FROM work WHERE sequence_id = ?1", &[sequence.into()])?;
    rows.first().map(read).transpose()
}

/// What became of a sequence; `None`: never heard of.
pub(super) fn outcome_load(db: &dyn ReadSql, sequence: SequenceId) -> Result<Option<Outcome>, Error> {
    if let Some(live) = live_load(db, sequence)? {
        return Ok(Some(live.outcome(None)));
    }
    let rows = db.query("SELECT outcome FROM outcome WHERE sequence_id = ?1", &[sequence.into()])?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

/// Everything known of any work, oldest first.
pub(super) fn known(db: &dyn ReadSql, state: &State) -> Result<Known, Error> {
    let rows = db.query("SELECT outcome FROM outcome ORDER BY ordinal", &[])?;
    let mut outcomes: Vec<Outcome> = rows.iter().map(|row| row.json(0)).collect::<Result<_, _>>()?;
    outcomes.extend(live(db)?.iter().map(|live| live.outcome(None)));
    Ok(Known { complete_since: state.complete_since, outcomes })
}

pub(super) fn live_add(db: &dyn Sql, live: &LiveWork) -> Result<(), Error> {
    db.execute(
        "INSERT INTO work (sequence_id, work, progress) VALUES (?1, ?2, ?3)",
        &[live.work.sequence.into(), json(&live.work), json(&live.progress)],
    )?;
    Ok(())
}

pub(super) fn live_save(db: &dyn Sql, live: &LiveWork) -> Result<(), Error> {
    db.execute(
        "UPDATE work SET progress = ?2 WHERE sequence_id = ?1",
        &[live.work.sequence.into(), json(&live.progress)],
    )?;
    Ok(())
}

fn json(value: &impl Serialize) -> crate::sql::Value {
    serde_json::to_string(value).expect("stored documents serialize").into()
}

impl Object<'_> {
    /// Ends work: its open steps as `open`, the whole as `end`; remembered from here on.
    pub(super) fn work_end(
        &mut self,
        mut live: LiveWork,
        end: SequenceEnd,
        open: EndState,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        live.end_open_steps(open);
        let outcome = live.outcome(Some(end));
        self.db.execute("DELETE FROM work WHERE sequence_id = ?1", &[live.work.sequence.into()])?;
        self.outcome_add(&outcome, live.work.issued_at)?;
        self.record(&JournalBody::SequenceFinished { outcome, reason: reason.map(str::to_owned) })
    }

    /// Remembers what became of work; forgets the oldest where there are too many.
    pub(super) fn outcome_add(&mut self, outcome: &Outcome, issued_at: Timestamp) -> Result<(), Error> {
        self.db.execute(
            "INSERT INTO outcome (sequence_id, issued_at, outcome) VALUES (?1, ?2, ?3)
             ON CONFLICT (sequence_id) DO NOTHING",
            &[outcome.sequence.into(), issued_at.into(), json(outcome)],
        )?;
        let kept = self.cx.limits.outcomes_max.min(KNOWN_MAX) as u64;
        let rows = self.db.query(
            "DELETE FROM outcome WHERE ordinal <= (SELECT MAX(ordinal) FROM outcome) - ?1 RETURNING issued_at",
            &[kept.into()],
        )?;
        for row in &rows {
            // What is forgotten was issued then: from just after it on the list is complete.
            let forgotten = Timestamp::from_milliseconds(row.integer(0)?).shifted_by_ms(1);
            self.state.complete_since = self.state.complete_since.max(forgotten);
        }
        Ok(())
    }
}
