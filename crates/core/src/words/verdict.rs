//! The one verdict people read, made of a step's state and its finding: "Done: no reply".

use super::text::one_line;
use crate::api::{ResultView, SequenceState, SequenceView, StepState, StepView};
use crate::sequence::Finding;

/// What a piece of text tells, for its colour and mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done, all well.
    Good,
    /// A person should look.
    Attention,
    /// Did not do what it should.
    Bad,
    /// Under way.
    Active,
    /// Waiting, or nothing to tell.
    Quiet,
}

impl Tone {
    /// One character that tells the same without colour.
    pub fn mark(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Attention => '!',
            Self::Bad => '✗',
            Self::Active => '▸',
            Self::Quiet => '·',
        }
    }
}

/// What became of something, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For its colour and mark.
    pub tone: Tone,
    /// One or two words: `Done`, `Timed out`.
    pub word: &'static str,
    /// What makes it particular; may be empty.
    pub detail: String,
}

impl Verdict {
    /// The verdict as text: `Done: no reply`.
    pub fn text(&self) -> String {
        if self.detail.is_empty() { self.word.to_owned() } else { format!("{}: {}", self.word, self.detail) }
    }
}

/// The verdict of a step: of its latest attempt, or why it is where it is.
pub fn of_step(step: &StepView) -> Verdict {
    let result = step.attempts.last().and_then(|attempt| attempt.result.as_ref());
    of_state(step.state, result, step.reason.as_deref())
}

/// The verdict of an attempt in `state` that brought back `result`.
pub fn of_state(state: StepState, result: Option<&ResultView>, reason: Option<&str>) -> Verdict {
    let summary = result.map(|result| result.summary.as_str()).filter(|summary| !summary.is_empty());
    let (tone, word, general) = match state {
        StepState::Waiting => (Tone::Quiet, "Waiting", ""),
        StepState::Held => (Tone::Attention, "Held", "a person decides"),
        StepState::Offered => (Tone::Active, "On its way", "may already be running"),
        StepState::Delivered => (Tone::Active, "On the machine", ""),
        StepState::Running => (Tone::Active, "Running", ""),
        StepState::Cancelling => (Tone::Active, "Cancelling", "may still be running"),
        StepState::Succeeded => match result.map(|result| result.finding) {
            Some(Finding::Attention) => (Tone::Attention, "Done", "needs a look"),
            Some(Finding::Ok | Finding::None) | None => (Tone::Good, "Done", ""),
        },
        StepState::Failed => (Tone::Bad, "Failed", ""),
        StepState::TimedOut => (Tone::Bad, "Timed out", ""),
        StepState::Interrupted => (Tone::Bad, "Interrupted", "may have had its effect"),
        StepState::Skipped => (Tone::Quiet, "Skipped", "an earlier step ended the sequence"),
        StepState::Refused => (Tone::Bad, "Refused", "the machine would not run it"),
        StepState::Cancelled => (Tone::Quiet, "Cancelled", ""),
        StepState::Expired => (Tone::Bad, "Expired", "its time ran out"),
        StepState::Lost => (Tone::Bad, "Lost", "nobody can tell whether it ran"),
    };
    let detail = match state {
        // What a crash means outweighs what the runtime could still say about it.
        StepState::Interrupted => general,
        // And so does whether it ran when it was stopped.
        StepState::Cancelled | StepState::Expired => reason.or(summary).unwrap_or(general),
        _ => summary.or(reason).unwrap_or(general),
    };
    Verdict { tone, word, detail: one_line(detail) }
}

/// The verdict of a whole sequence in one line: how it ended, or what it waits for.
pub fn of_sequence(sequence: &SequenceView) -> Verdict {
    let attention = attention_count(sequence);
    of_waiting(sequence.state, attention, sequence.waiting_for.as_deref(), sequence.reason.as_deref())
}

/// The same for a sequence of which a listing tells.
pub fn of_waiting(
    state: SequenceState,
    attention: u32,
    waiting_for: Option<&str>,
    reason: Option<&str>,
) -> Verdict {
    match waiting_for {
        // It says all that the reason says, and what the proof of it is.
        Some(waiting_for) if !state.is_ended() => Verdict {
            detail: format!("waiting for {}", one_line(waiting_for)),
            ..of_sequence_state(state, 0)
        },
        Some(_) | None => standing(state, attention, reason),
    }
}

/// The verdict of a sequence by its state and reason, for where what it waits for stands elsewhere or nowhere.
pub fn standing(state: SequenceState, attention: u32, reason: Option<&str>) -> Verdict {
    let verdict = of_sequence_state(state, attention);
    match reason {
        Some(reason) => Verdict { detail: one_line(reason), ..verdict },
        None => verdict,
    }
}

/// The verdict of a sequence in `state`, `attention` of whose steps found something.
pub fn of_sequence_state(state: SequenceState, attention: u32) -> Verdict {
    let (tone, word, detail) = match state {
        SequenceState::Draft => (Tone::Quiet, "Draft", ""),
        SequenceState::AwaitingApproval => (Tone::Attention, "Awaiting approval", ""),
        SequenceState::Queued => (Tone::Quiet, "Queued", ""),
        SequenceState::Held => (Tone::Attention, "Held", "release or purge it"),
        SequenceState::Offered => (Tone::Active, "On its way", "may already be running"),
        SequenceState::Delivered => (Tone::Active, "On the machine", ""),
        SequenceState::Running => (Tone::Active, "Running", ""),
        SequenceState::Cancelling => (Tone::Active, "Cancelling", "may still be running"),
        SequenceState::Succeeded if attention == 0 => (Tone::Good, "Done", ""),
        SequenceState::Succeeded => (Tone::Attention, "Done", ""),
        SequenceState::Failed => (Tone::Bad, "Failed", "some step did not succeed"),
        SequenceState::Stopped => (Tone::Bad, "Stopped early", ""),
        SequenceState::Refused => (Tone::Bad, "Refused", "the machine would not run it"),
        SequenceState::Cancelled => (Tone::Quiet, "Cancelled", ""),
        SequenceState::Expired => (Tone::Bad, "Expired", ""),
        SequenceState::Lost => (Tone::Bad, "Lost", "nobody can tell what became of it"),
    };
    let detail = match (detail, attention) {
        _ if !state.is_ended() => detail.to_owned(),
        ("", 1) => "1 step needs a look".to_owned(),
        ("", 2..) => format!("{attention} steps need a look"),
        (detail, _) => detail.to_owned(),
    };
    Verdict { tone, word, detail }
}

/// How many steps found something that needs a person.
pub fn attention_count(sequence: &SequenceView) -> u32 {
    let found = sequence.steps.iter().filter(|step| {
        let result = step.attempts.last().and_then(|attempt| attempt.result.as_ref());
        result.is_some_and(|result| result.finding == Finding::Attention)
    });
    u32::try_from(found.count()).unwrap_or(u32::MAX)
}
