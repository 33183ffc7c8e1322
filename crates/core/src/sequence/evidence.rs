//! What evidence does to a sequence. Pure: the caller stores it and writes the transcript.
//!
//! A step ends once (G3). Late evidence may replace an end that only the control plane decided or that
//! nobody could tell, and the record says what it replaced.

use crate::api::SequenceState;
use crate::journal::{Outcome, SequenceEnd};
use crate::time::Timestamp;

use super::outcome::{EndState, Finding};
use super::record::{Attempt, AttemptEnd, EndpointTime, Sequence, Standing, StepRecord};
use super::worst;

/// Evidence replaced how a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// The step, from 1.
    pub step: u32,
    /// How it stood.
    pub from: EndState,
    /// How it stands.
    pub to: EndState,
}

/// A `step_finished` entry, as the record needs it.
#[derive(Clone, Copy, Debug)]
pub struct FinishedStep<'a> {
    /// The step, from 1.
    pub step: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub state: EndState,
    /// Whether a person should look.
    pub finding: Finding,
    /// The result's line for people.
    pub summary: &'a str,
    /// When, by the endpoint's clock.
    pub finished: EndpointTime,
    /// When the control plane stored it.
    pub returned_at: Timestamp,
    /// The transcript entry that holds the result.
    pub entry: u64,
}

impl Sequence {
    /// The step of that number, from 1.
    pub fn step(&mut self, number: u32) -> Option<&mut StepRecord> {
        self.steps.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Ends it as the journal said.
    pub fn end_by_journal(&mut self, state: SequenceState, at: Timestamp, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        (self.doubt, self.cancel, self.waiting) = (None, None, None);
        self.standing = Standing::Ended { state, at, reason, by_journal: true };
    }

    /// Ends it as lost: nobody can tell what became of the steps without a result.
    pub fn lose(&mut self, reason: &str, now: Timestamp) {
        for step in &mut self.steps {
            step.doubt_decided_end();
        }
        self.end_open_steps(EndState::Lost, now);
        (self.doubt, self.cancel, self.waiting) = (None, None, None);
        self.standing = Standing::Ended {
            state: SequenceState::Lost,
            at: now,
            reason: Some(reason.to_owned()),
            by_journal: false,
        };
    }

    /// Takes in that the current journal has it. Answers whether that brought ended work back to life.
    pub fn deliver(&mut self, at: Timestamp) -> bool {
        match &self.standing {
            Standing::Ended { by_journal: true, .. }
            | Standing::Ended { state: SequenceState::Lost, .. }
            | Standing::Draft => return false,
            Standing::Ended { .. }
            | Standing::Queued
            | Standing::Held { .. }
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running => {}
        }
        let revived = self.is_ended();
        if revived {
            self.steps.iter_mut().for_each(StepRecord::forget_decided_end);
        }
        self.doubt = None;
        self.delivered_at.get_or_insert(at);
        let has_started = self.steps.iter().flat_map(|step| &step.attempts).any(Attempt::has_started);
        self.standing = if has_started { Standing::Running } else { Standing::Delivered };
        revived
    }

    /// Takes in that the journal which is current has it under way although it was lost, as with a machine that a
    /// restore forgot and a person adopted again. Answers whether that brought it back to life.
    pub fn revive_lost(&mut self, at: Timestamp) -> bool {
        if !matches!(self.standing, Standing::Ended { state: SequenceState::Lost, by_journal: false, .. }) {
            return false;
        }
        self.steps.iter_mut().for_each(StepRecord::forget_decided_end);
        self.standing = Standing::Delivered;
        self.deliver(at);
        true
    }

    /// Takes in the end of a step, and answers what that amended.
    pub fn finish_step(&mut self, finished: &FinishedStep<'_>) -> Option<Amendment> {
        let step = self.step(finished.step)?;
        step.end_before(finished.attempt, finished.returned_at);
        let attempt = step.attempt(finished.attempt);
        let (from, amended_from) = match &attempt.end {
            None => (None, None),
            Some(end) if end.state == finished.state => (None, end.amended_from),
            Some(end) if end.state.is_amendable() => (Some(end.state), Some(end.state)),
            Some(_) => return None,
        };
        attempt.end = Some(AttemptEnd {
            state: finished.state,
            finished: Some(finished.finished),
            returned_at: finished.returned_at,
            finding: finished.finding,
            said: worst::said(finished),
            result_entry: Some(finished.entry),
            amended_from,
        });
        from.map(|from| Amendment { step: finished.step, from, to: finished.state })
    }

    /// Takes in what the endpoint says became of it; `is_current`: the current journal says so.
    pub fn apply_outcome(
        &mut self,
        outcome: &Outcome,
        is_current: bool,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Vec<Amendment> {
        if !is_current && self.is_ours_to_decide() {
            self.lose("another machine with this identity had it", now);
        }
        let amendments = self.apply_step_outcomes(outcome, is_current, now);
        let is_by_journal = matches!(self.standing, Standing::Ended { by_journal: true, .. });
        match (outcome.ended, is_current) {
            (Some(end), true) if !is_by_journal => {
                self.end_open_steps(open_step_end(end), now);
                self.end_by_journal(self.state_after(end), now, reason);
            }
            (None, true) => {
                self.deliver(now);
            }
            (Some(end), false) if self.is_ended() && !is_by_journal => self.amend_end(end),
            (Some(_), true | false) | (None, false) => {}
        }
        amendments
    }

    fn apply_step_outcomes(&mut self, outcome: &Outcome, is_current: bool, now: Timestamp) -> Vec<Amendment> {
        let mut amendments = Vec::new();
        for (number, (step, told)) in (1..).zip(self.steps.iter_mut().zip(&outcome.steps)) {
            // One attempt, and one more with `rerun`: a larger number is not believed.
            let latest = told.attempts.clamp(1, 2);
            step.end_before(latest, now);
            // Of work that is under way only the current journal tells.
            if told.attempts > 0 && (is_current || told.state.is_some()) {
                let attempt = step.attempt(latest);
                attempt.started_untold = attempt.started.is_none();
            }
            let Some(to) = told.state else { continue };
            let attempt = step.attempt(latest);
            let from = match &attempt.end {
                None => None,
                Some(end) if end.state.is_amendable() && end.state != to && to != EndState::Lost => {
                    Some(end.state)
                }
                Some(_) => continue,
            };
            attempt.end = Some(AttemptEnd {
                state: to,
                finished: None,
                returned_at: now,
                finding: Finding::None,
                said: None,
                result_entry: None,
                amended_from: from,
            });
            amendments.extend(from.map(|from| Amendment { step: number, from, to }));
        }
        amendments
    }

    /// Late evidence says how it ended; it stays lost as long as some step is.
    fn amend_end(&mut self, end: SequenceEnd) {
        if self.steps.iter().any(|step| step.end() == Some(EndState::Lost)) {
            return;
        }
        let amended = self.state_after(end);
        if let Standing::Ended { state, reason, by_journal, .. } = &mut self.standing
            && *state != amended
        {
            *reason = Some("amended by late evidence".to_owned());
            *state = amended;
            // An end that tells what was done stands against every other copy of the machine.
            *by_journal =
                !matches!(amended, SequenceState::Cancelled | SequenceState::Expired | SequenceState::Lost);
        }
    }
}

impl StepRecord {
    /// Takes in that attempt `number` exists: a second one follows only an interrupted first, whose own end may be
    /// in a gap of the journal.
    pub fn end_before(&mut self, number: u32, at: Timestamp) {
        if number < 2 {
            return;
        }
        self.attempt(number);
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.number < number) {
            attempt.end.get_or_insert(AttemptEnd {
                state: EndState::Interrupted,
                finished: None,
                returned_at: at,
                finding: Finding::None,
                said: None,
                result_entry: None,
                amended_from: None,
            });
        }
    }

    /// Turns an end that only the control plane decided into a lost one: in doubt nobody can tell.
    fn doubt_decided_end(&mut self) {
        if let Some(end) = self.attempts.last_mut().and_then(|attempt| attempt.end.as_mut())
            && is_decided_here(end)
            && end.state != EndState::Lost
        {
            end.amended_from = Some(end.state);
            end.state = EndState::Lost;
        }
    }

    /// Takes back an end that only the control plane decided.
    fn forget_decided_end(&mut self) {
        if let Some(attempt) = self.attempts.last_mut()
            && attempt.end.as_ref().is_some_and(is_decided_here)
        {
            attempt.end = None;
            if !attempt.has_started() {
                self.attempts.pop();
            }
        }
    }
}

/// Whether no journal told of the end; a doubtful one is told as lost.
fn is_decided_here(end: &AttemptEnd) -> bool {
    end.finished.is_none() && end.state.is_amendable()
}

/// How the steps of a sequence that ended so read, where they have no end of their own.
fn open_step_end(end: SequenceEnd) -> EndState {
    match end {
        SequenceEnd::Completed | SequenceEnd::Lost => EndState::Lost,
        SequenceEnd::Stopped => EndState::Skipped,
        SequenceEnd::Refused => EndState::Refused,
        SequenceEnd::Cancelled => EndState::Cancelled,
        SequenceEnd::Expired => EndState::Expired,
    }
}
