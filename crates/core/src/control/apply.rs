//! What a journal entry means for the record. After work is offered only the journal decides (R8).

use std::collections::BTreeSet;

use crate::api::{OutageView, SequenceState, TrafficView};
use crate::error::Error;
use crate::id::{LogId, SequenceId};
use crate::journal::{Accepted, CancelMet, JournalBody, JournalHeader, Known, Outcome, WaitReason};
use crate::sequence::{
    Amendment, EndState, EndpointTime, FinishedStep, HoldCause, Sequence, Standing, ToldWait,
};
use crate::transcript::{ACTOR_CONTROL_PLANE, ACTOR_ENDPOINT, TranscriptBody};
use crate::wire::{Head, SyncLine, TranscriptHead};

use super::object::Object;
use super::outages;
use super::store::{self, JournalRow};

/// The entry that tells something.
pub(super) struct Evidence {
    /// When it was written, as well as it is known now.
    pub(super) time: EndpointTime,
    pub(super) transcript_number: u64,
    /// Entries of a journal that is not current amend, and never make work live (R12).
    pub(super) is_current: bool,
}

/// When an entry was written: what the endpoint did not know then, it knows by the `line` that brings the entry, where
/// both are of one start of the program.
pub(super) fn written_at(header: &JournalHeader, line: &SyncLine) -> EndpointTime {
    let known_since = line.clock.filter(|_| header.is_unsure && header.boot == line.boot);
    let at = known_since.map_or(header.at, |clock| {
        let earlier_ms = clock.monotonic_ms.saturating_sub(header.monotonic_ms);
        clock.at.shifted_by_ms(i64::try_from(earlier_ms).map_or(i64::MIN, |ms| -ms))
    });
    EndpointTime { at, wall: header.wall }
}

/// When an entry was written that an earlier request brought, whose line is gone.
pub(super) fn written_at_before(header: &JournalHeader) -> EndpointTime {
    EndpointTime { at: header.at, wall: header.wall }
}

impl Object<'_> {
    /// Applies one entry of `journal` that has just been stored.
    pub(super) fn apply(
        &mut self,
        journal: &mut JournalRow,
        evidence: &Evidence,
        body: &JournalBody,
    ) -> Result<(), Error> {
        match body {
            JournalBody::Opened { log, known } => self.opened_apply(evidence.is_current, *log, known),
            JournalBody::Continued { known, .. } => known
                .outcomes
                .iter()
                .try_for_each(|outcome| self.outcome_apply(outcome, evidence.is_current, None)),
            JournalBody::Accepted { .. }
            | JournalBody::Refused { .. }
            | JournalBody::Waiting { .. }
            | JournalBody::StepStarted { .. }
            | JournalBody::StepFinished { .. }
            | JournalBody::SequenceFinished { .. } => self.apply_to_sequence(evidence, body),
            JournalBody::Tampered { .. } => {
                let reason =
                    "an order reached this machine altered; it was not run and fetched again".to_owned();
                self.attention_set(
                    "tampered",
                    reason,
                    "find out what alters traffic on the path (proxy, antivirus)",
                );
                Ok(())
            }
            JournalBody::Voided { log, number } => self.voided_apply(*log, *number),
            JournalBody::Facts { facts, probes } => {
                journal.facts.clone_from(facts);
                if evidence.is_current && probes.is_bounded() {
                    self.row.facts.clone_from(facts);
                    store::catalogue_save(self.db, self.id, probes)?;
                }
                Ok(())
            }
            JournalBody::Traffic { day, up_bytes, down_bytes } => {
                let told = TrafficView { day: *day, up_bytes: *up_bytes, down_bytes: *down_bytes };
                if evidence.is_current { self.traffic_apply(told) } else { Ok(()) }
            }
            JournalBody::Head { head } => self.head_apply(evidence, head),
            JournalBody::Link { closed_at, opened_at, attempts, problem } => {
                let outage = OutageView {
                    closed_at: *closed_at,
                    opened_at: *opened_at,
                    attempts: *attempts,
                    problem: problem.chars().take(outages::PROBLEM_CHARACTERS_MAX).collect(),
                };
                if evidence.is_current {
                    self.outage_apply(evidence.transcript_number, &outage)
                } else {
                    Ok(())
                }
            }
            JournalBody::Retired | JournalBody::Booted { .. } | JournalBody::Authority { .. } => Ok(()),
        }
    }

    /// Applies one entry to the sequence that it is about; any other entry changes nothing.
    pub(super) fn apply_to_sequence(&mut self, evidence: &Evidence, body: &JournalBody) -> Result<(), Error> {
        match body {
            JournalBody::Accepted { order, .. } => self.accepted_apply(evidence, order),
            JournalBody::Refused { sequence: None, .. } => Ok(()),
            JournalBody::Refused { sequence: Some(sequence), reason, .. } => {
                self.refused_apply(evidence, *sequence, reason)
            }
            JournalBody::Waiting { sequence, reason } => {
                // A machine that does not know the time cannot say when it said so.
                let at = match reason {
                    WaitReason::ClockUnknown => self.cx.now,
                    WaitReason::NotBefore { .. } | WaitReason::JournalFull => evidence.time.at,
                };
                if let Some(sequence) = self.theirs(*sequence)?.filter(|sequence| sequence.is_live()) {
                    sequence.waiting = Some(ToldWait { reason: *reason, at });
                }
                Ok(())
            }
            JournalBody::StepStarted { sequence, step, attempt } => {
                self.step_started_apply(evidence, *sequence, *step, *attempt)
            }
            JournalBody::StepFinished { sequence, step, attempt, state, result } => {
                let finished = FinishedStep {
                    step: *step,
                    attempt: *attempt,
                    state: *state,
                    finding: result.finding,
                    summary: &result.summary,
                    finished: evidence.time,
                    returned_at: self.cx.now,
                    entry: evidence.transcript_number,
                };
                self.step_finished_apply(*sequence, &finished)
            }
            JournalBody::SequenceFinished { outcome, reason } => {
                self.outcome_apply(outcome, evidence.is_current, reason.as_deref())
            }
            JournalBody::Opened { .. }
            | JournalBody::Continued { .. }
            | JournalBody::Tampered { .. }
            | JournalBody::Voided { .. }
            | JournalBody::Facts { .. }
            | JournalBody::Traffic { .. }
            | JournalBody::Head { .. }
            | JournalBody::Link { .. }
            | JournalBody::Retired
            | JournalBody::Authority { .. }
            | JournalBody::Booted { .. } => Ok(()),
        }
    }

    /// The sequence that the endpoint names, where it is one of this endpoint.
    fn theirs(&mut self, id: SequenceId) -> Result<Option<&mut Sequence>, Error> {
        if id.endpoint() == self.id { self.sequence(id) } else { Ok(None) }
    }

    fn accepted_apply(&mut self, evidence: &Evidence, order: &Accepted) -> Result<(), Error> {
        match order {
            Accepted::Adopt | Accepted::Configure | Accepted::Retire => Ok(()),
            Accepted::Run { sequence, .. } => self.run_apply(evidence, *sequence),
            Accepted::Known { outcome } => self.outcome_apply(outcome, evidence.is_current, None),
            Accepted::TooOld { sequence } => {
                let now = self.cx.now;
                let reason =
                    "the machine no longer remembers work this old: it may have run before".to_owned();
                if let Some(sequence) = self.theirs(*sequence)?.filter(|sequence| sequence.is_live()) {
                    sequence.lose(&reason, now);
                }
                Ok(())
            }
            Accepted::Cancel { sequence, met } => self.cancel_met(*sequence, *met),
        }
    }

    fn run_apply(&mut self, evidence: &Evidence, id: SequenceId) -> Result<(), Error> {
        if evidence.is_current {
            return self.delivered(id, evidence);
        }
        let now = self.cx.now;
        if let Some(sequence) = self.theirs(id)?.filter(|sequence| sequence.is_ours_to_decide()) {
            sequence.lose("another machine with this identity accepted it", now);
        }
        Ok(())
    }

    /// The current journal has the work: it is live whatever this record thought of it (R9, R12).
    fn delivered(&mut self, id: SequenceId, evidence: &Evidence) -> Result<(), Error> {
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        if sequence.deliver(evidence.time.at) {
            self.record(ACTOR_ENDPOINT, Some(id), &TranscriptBody::Revived)?;
        }
        Ok(())
    }

    fn cancel_met(&mut self, id: SequenceId, met: CancelMet) -> Result<(), Error> {
        let now = self.cx.now;
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        match met {
            CancelMet::Waiting | CancelMet::Running => {}
            CancelMet::Ended => sequence.cancel = None,
            CancelMet::Unknown if sequence.is_live() => {
                sequence.end_by_journal(
                    SequenceState::Cancelled,
                    now,
                    Some("cancelled before it reached the machine"),
                );
                sequence.end_open_steps(EndState::Cancelled, now);
            }
            CancelMet::Unknown => {}
        }
        Ok(())
    }

    fn refused_apply(&mut self, evidence: &Evidence, id: SequenceId, reason: &str) -> Result<(), Error> {
        let now = self.cx.now;
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        if sequence.is_live() && evidence.is_current {
            sequence.end_open_steps(EndState::Refused, now);
            sequence.end_by_journal(SequenceState::Refused, now, Some(reason));
        }
        Ok(())
    }

    /// Ends what the endpoint holds an order for and does not list: it never became work there. The entry that said so is in
    /// a gap. `orders` is how far the endpoint holds the open log.
    pub(super) fn held_unlisted_apply(&mut self, orders: Head<LogId>, known: &Known) -> Result<(), Error> {
        let is_ours = self.row.log.is_some_and(|open| open.id == orders.id)
            && super::orders::order_hash(self.db, self.id, orders.id, orders.number)? == Some(orders.hash);
        if !is_ours {
            return Ok(());
        }
        let now = self.cx.now;
        let listed: BTreeSet<_> = known.outcomes.iter().map(|outcome| outcome.sequence).collect();
        for (number, id) in self.orders_run(orders.id, orders.number)? {
            let issued_at = self.issued_at(id)?;
            let Some(sequence) = self.theirs(id)?.filter(|_| !listed.contains(&id)) else { continue };
            if !matches!(sequence.standing, Standing::Offered { log } if log == orders.id) {
                continue;
            }
            if issued_at.is_none_or(|issued_at| issued_at < known.complete_since) {
                let reason = "the machine no longer remembers it: it may have run before";
                sequence.lose(reason, now);
                self.record(
                    ACTOR_CONTROL_PLANE,
                    Some(id),
                    &TranscriptBody::Lost { reason: reason.to_owned() },
                )?;
            } else {
                self.voided_apply(orders.id, number)?;
            }
        }
        Ok(())
    }

    fn voided_apply(&mut self, log: LogId, number: u64) -> Result<(), Error> {
        let now = self.cx.now;
        let Some(id) = self.order_sequence(log, number)? else { return Ok(()) };
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        if sequence.is_live() {
            let reason = "taken back: it could not be delivered unaltered, three copies were tampered with";
            sequence.end_open_steps(EndState::Cancelled, now);
            sequence.end_by_journal(SequenceState::Cancelled, now, Some(reason));
        }
        Ok(())
    }

    fn step_started_apply(
        &mut self,
        evidence: &Evidence,
        id: SequenceId,
        step: u32,
        attempt: u32,
    ) -> Result<(), Error> {
        let now = self.cx.now;
        if evidence.is_current {
            self.delivered(id, evidence)?;
        }
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        sequence.waiting = None;
        let is_ended = sequence.is_ended();
        if let Some(step) = sequence.step(step) {
            step.end_before(attempt, now);
            let attempt = step.attempt(attempt);
            attempt.started.get_or_insert(evidence.time);
            attempt.started_untold = false;
            if is_ended {
                // A copy of the machine goes on with work that is lost: so is this attempt, until the journal reports its end.
                step.end_open(EndState::Lost, now);
            }
        }
        if evidence.is_current && matches!(sequence.standing, Standing::Delivered) {
            sequence.standing = Standing::Running;
        }
        Ok(())
    }

    fn step_finished_apply(&mut self, id: SequenceId, finished: &FinishedStep<'_>) -> Result<(), Error> {
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        if let Some(amendment) = sequence.finish_step(finished) {
            self.amendment_record(id, amendment)?;
        }
        Ok(())
    }

    fn amendment_record(&mut self, id: SequenceId, amendment: Amendment) -> Result<(), Error> {
        let Amendment { step, from, to } = amendment;
        self.record(ACTOR_ENDPOINT, Some(id), &TranscriptBody::Amended { step, from, to })?;
        Ok(())
    }

    /// Applies what the endpoint says became of one sequence.
    pub(super) fn outcome_apply(
        &mut self,
        outcome: &Outcome,
        is_current: bool,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let (id, now) = (outcome.sequence, self.cx.now);
        if id.endpoint() != self.id {
            return Ok(());
        }
        if self.sequence(id)?.is_none() {
            return self.claim(id, Some(outcome));
        }
        let was_ended = self.sequence_named(id)?.is_ended();
        let sequence = self.sequence_named(id)?;
        let amendments = sequence.apply_outcome(outcome, is_current, reason, now);
        if was_ended && !sequence.is_ended() {
            self.record(ACTOR_ENDPOINT, Some(id), &TranscriptBody::Revived)?;
        }
        amendments.into_iter().try_for_each(|amendment| self.amendment_record(id, amendment))
    }

    /// The endpoint took up a log: what it does not list of earlier logs it never heard of (R7), and what it has
    /// under way is live, whatever was lost with another journal.
    pub(super) fn opened_apply(&mut self, is_current: bool, log: LogId, known: &Known) -> Result<(), Error> {
        for outcome in &known.outcomes {
            self.outcome_apply(outcome, is_current, None)?;
        }
        let is_open = self.row.log.is_some_and(|open| open.id == log);
        if !is_current || !is_open {
            return Ok(());
        }
        self.log_taken_up(log)?;
        for outcome in known.outcomes.iter().filter(|outcome| outcome.ended.is_none()) {
            self.revive_lost(outcome.sequence)?;
        }
        let listed: BTreeSet<_> = known.outcomes.iter().map(|outcome| outcome.sequence).collect();
        let live = self.live()?;
        live.into_iter()
            .filter(|id| !listed.contains(id))
            .try_for_each(|id| self.unlisted_apply(id, log, known))
    }

    fn revive_lost(&mut self, id: SequenceId) -> Result<(), Error> {
        let now = self.cx.now;
        let Some(sequence) = self.theirs(id)? else { return Ok(()) };
        if sequence.revive_lost(now) {
            self.record(ACTOR_ENDPOINT, Some(id), &TranscriptBody::Revived)?;
        }
        Ok(())
    }

    fn unlisted_apply(&mut self, id: SequenceId, log: LogId, known: &Known) -> Result<(), Error> {
        let now = self.cx.now;
        let issued_at = self.issued_at(id)?;
        let sequence = self.sequence_named(id)?;
        let is_offered_earlier = match &sequence.standing {
            Standing::Offered { log: offered } => *offered != log,
            Standing::Queued | Standing::Held { .. } => sequence.doubt.is_some(),
            Standing::Delivered | Standing::Running => true,
            Standing::Ended { .. } => {
                // The control plane ended it and the endpoint never heard of it: so it stays.
                sequence.doubt = None;
                return Ok(());
            }
            Standing::Draft => false,
        };
        if !is_offered_earlier {
            return Ok(());
        }
        let was_accepted = matches!(sequence.standing, Standing::Delivered | Standing::Running);
        let is_too_old = issued_at.is_none_or(|issued_at| issued_at < known.complete_since);
        if was_accepted || is_too_old {
            let reason = "the machine no longer remembers it: it may have run before";
            sequence.lose(reason, now);
            self.record(ACTOR_CONTROL_PLANE, Some(id), &TranscriptBody::Lost { reason: reason.to_owned() })?;
            return Ok(());
        }
        sequence.doubt = None;
        sequence.offered_at = None;
        let held = sequence.hold_on_return.take();
        if matches!(sequence.standing, Standing::Offered { .. }) {
            sequence.standing = match held.clone() {
                Some(reason) => Standing::Held { reason, cause: HoldCause::PersonDeactivated, at: now },
                None => Standing::Queued,
            };
        }
        let cancelled_by = sequence.cancel.take();
        self.record(ACTOR_CONTROL_PLANE, Some(id), &TranscriptBody::Returned)?;
        if let Some(reason) = held {
            self.record(ACTOR_CONTROL_PLANE, Some(id), &TranscriptBody::Held { reason })?;
        }
        if let Some(cancel) = cancelled_by {
            self.end_ours(&cancel.by, id, EndState::Cancelled, "cancelled before it reached the machine")?;
        }
        Ok(())
    }

    fn head_apply(&mut self, evidence: &Evidence, head: &crate::envelope::Envelope) -> Result<(), Error> {
        let Ok(head) = head.open::<TranscriptHead>(&self.cx.keys.public_key(crate::keys::Role::Statement))
        else {
            return Ok(());
        };
        // A head of before a restore is about another history.
        let is_ours = head.endpoint == self.id
            && store::transcript_hash(self.db, self.id, head.number)? == Some(head.hash);
        if evidence.is_current && is_ours {
            self.row.endorsed_number = self.row.endorsed_number.max(head.number);
        }
        Ok(())
    }
}
