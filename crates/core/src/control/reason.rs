//! Why a sequence or a step is where it is, in words. None of them says that something did not run unless the journal
//! said so, or it never left (R8).

use crate::api::{SequenceState, StepState};
use crate::journal::WaitReason;
use crate::probe::Risk;
use crate::sequence::{Attempt, EndState, Sequence, Standing, StepRecord};
use crate::time::Timestamp;

const IN_DOUBT: &str = "the control plane was restored: it may have run since the backup";

/// Why the sequence is where it is; `None`: its state says it all.
pub(super) fn sequence_reason(sequence: &Sequence) -> Option<String> {
    let said = match &sequence.standing {
        Standing::Ended { state, reason, .. } => ended(sequence, *state, reason.as_deref()),
        Standing::Draft => None,
        Standing::Queued
        | Standing::Held { .. }
        | Standing::Offered { .. }
        | Standing::Delivered
        | Standing::Running
            if sequence.cancel.is_some() =>
        {
            Some("the cancel is on its way: it may be running until the machine says what the cancel met".to_owned())
        }
        Standing::Held { reason, .. } => Some(reason.clone()),
        Standing::Offered { .. } => Some("it may already be running".to_owned()),
        Standing::Delivered => Some("the machine has it: it may be running by now".to_owned())
            .filter(|_| !matches!(sequence.waiting, Some(told) if matches!(told.reason, WaitReason::NotBefore { .. }))),
        Standing::Queued | Standing::Running => None,
    };
    match (&sequence.doubt, said) {
        (Some(_), Some(said)) => Some(format!("{said}; {IN_DOUBT}")),
        (Some(_), None) => Some(IN_DOUBT.to_owned()),
        (None, said) => said,
    }
}

fn ended(sequence: &Sequence, state: SequenceState, reason: Option<&str>) -> Option<String> {
    let (ran, cut_off, steps) = (sequence.ran(), sequence.cut_off(), sequence.steps.len());
    let how_far = || match cut_off {
        0 => format!("{ran} of {steps} ran"),
        1 => format!("{ran} of {steps} ran to the end, 1 was stopped as it ran"),
        several => format!("{ran} of {steps} ran to the end, {several} were stopped as they ran"),
    };
    let has_begun = ran > 0 || cut_off > 0;
    match state {
        SequenceState::Expired if has_begun || sequence.doubt.is_none() => {
            Some(format!("{}, expired", how_far()))
        }
        SequenceState::Expired => Some("it expired before it was sent".to_owned()),
        SequenceState::Stopped if has_begun => {
            Some(format!("{}; {}", how_far(), reason.unwrap_or("ended early")))
        }
        SequenceState::Cancelled if has_begun => {
            Some(format!("{}; {}", how_far(), reason.unwrap_or("cancelled")))
        }
        SequenceState::Lost if has_begun => Some(format!(
            "{}, of the rest nobody can tell; {}",
            how_far(),
            reason.unwrap_or("what became of it is not known")
        )),
        SequenceState::Stopped
        | SequenceState::Cancelled
        | SequenceState::Lost
        | SequenceState::Succeeded
        | SequenceState::Failed
        | SequenceState::Refused
        | SequenceState::Draft
        | SequenceState::AwaitingApproval
        | SequenceState::Queued
        | SequenceState::Held
        | SequenceState::Offered
        | SequenceState::Delivered
        | SequenceState::Running
        | SequenceState::Cancelling => reason.map(str::to_owned),
    }
}

/// What a retry of an ended sequence would mean.
pub(super) fn retry_warning(sequence: &Sequence) -> Option<String> {
    let warns = sequence.is_ended() && can_change(sequence);
    warns.then(|| repeated(sequence.is_in_doubt()).to_owned())
}

/// What it means that a sequence repeats another.
pub(super) fn repeat_warning(sequence: &Sequence) -> Option<String> {
    let warns = sequence.retry_of.is_some() && can_change(sequence);
    warns.then(|| repeated(sequence.repeats_in_doubt).to_owned())
}

fn can_change(sequence: &Sequence) -> bool {
    sequence.queued.as_ref().is_none_or(|queued| queued.risk == Risk::Change)
}

fn repeated(in_doubt: bool) -> &'static str {
    if in_doubt {
        "nobody can tell whether all of the first run had its effect: an action may run twice"
    } else {
        "an action that ran runs again"
    }
}

/// Why a step is where it is; `None`: its state says it all.
pub(super) fn step_reason(
    sequence: &Sequence,
    record: &StepRecord,
    state: StepState,
    now: Timestamp,
) -> Option<String> {
    let attempt = record.attempts.last();
    let Some((attempt, end)) = attempt.and_then(|attempt| Some((attempt, attempt.end.as_ref()?))) else {
        return open_reason(sequence, state, now).map(str::to_owned);
    };
    let said = end_reason(sequence, attempt, end.state);
    match (said, end.amended_from) {
        (said, None) => said.map(str::to_owned),
        (None, Some(from)) => Some(format!("it stood as {from} until late evidence came")),
        (Some(said), Some(from)) => Some(format!("{said}; it stood as {from} until late evidence came")),
    }
}

fn end_reason(sequence: &Sequence, attempt: &Attempt, state: EndState) -> Option<&'static str> {
    let is_in_doubt = sequence.doubt.is_some();
    match state {
        EndState::Interrupted => Some("cut off while it ran: it may have had its effect"),
        EndState::Lost => Some("nobody can tell whether it ran"),
        EndState::Skipped => Some("not run: the sequence was stopped before it"),
        EndState::TimedOut => Some("ran into its time limit and was ended with everything it had started"),
        EndState::Cancelled | EndState::Expired if is_in_doubt => {
            Some("it may have run since the backup that the control plane was restored from")
        }
        EndState::Cancelled if attempt.has_started() => {
            Some("stopped while it ran: it may have had part of its effect")
        }
        EndState::Expired if attempt.has_started() => {
            Some("it started, and how it ended was never told: it may have had its effect")
        }
        EndState::Cancelled => Some("not run: it was cancelled before it started"),
        EndState::Expired => Some("not run: its time ran out before it started"),
        EndState::Succeeded | EndState::Failed | EndState::Refused => None,
    }
}

/// What may be happening to a step whose end nobody told.
fn open_reason(sequence: &Sequence, state: StepState, now: Timestamp) -> Option<&'static str> {
    let is_early = sequence
        .queued
        .as_ref()
        .and_then(|queued| queued.not_before)
        .is_some_and(|not_before| not_before > now);
    match state {
        StepState::Offered if sequence.doubt.is_some() => Some("it may have run since the backup"),
        StepState::Offered => Some("it may already be running"),
        StepState::Delivered if !is_early => Some("the machine has it: it may be running by now"),
        StepState::Cancelling => Some("it may be running until the machine says what the cancel met"),
        StepState::Delivered
        | StepState::Waiting
        | StepState::Held
        | StepState::Running
        | StepState::Succeeded
        | StepState::Failed
        | StepState::TimedOut
        | StepState::Interrupted
        | StepState::Skipped
        | StepState::Refused
        | StepState::Cancelled
        | StepState::Expired
        | StepState::Lost => None,
    }
}
