//! The one verdict people read, made of a step's state and its finding: "Done: no reply".

use tidegate_core::api::{ResultView, SequenceState, SequenceView, StepState, StepView};
use tidegate_core::sequence::Finding;

use crate::exit::Exit;
use crate::screen::{Screen, Tone};
use crate::text::one_line;

/// What became of something, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// For its colour and mark.
    pub tone: Tone,
    /// One or two words: `Done`, `Timed out`.
    pub word: &'static str,
    /// What makes it particular; may be empty.
    pub detail: String,
}

impl Verdict {
    /// The verdict as text: `Done: no reply`.
    pub(crate) fn text(&self) -> String {
        if self.detail.is_empty() { self.word.to_owned() } else { format!("{}: {}", self.word, self.detail) }
    }

    /// Mark and text in the tone's colour.
    pub(crate) fn show(&self, screen: &Screen) -> String {
        screen.paint(self.tone, &format!("{} {}", self.tone.mark(), self.text()))
    }
}

/// The verdict of a step: of its latest attempt, or why it is where it is.
pub(crate) fn of_step(step: &StepView) -> Verdict {
    let result = step.attempts.last().and_then(|attempt| attempt.result.as_ref());
    of_state(step.state, result, step.reason.as_deref())
}

/// The verdict of an attempt in `state` that brought back `result`.
pub(crate) fn of_state(state: StepState, result: Option<&ResultView>, reason: Option<&str>) -> Verdict {
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
pub(crate) fn of_sequence(sequence: &SequenceView) -> Verdict {
    match &sequence.waiting_for {
        // It says all that the reason says, and what the proof of it is.
        Some(waiting_for) if !sequence.state.is_ended() => Verdict {
            detail: format!("waiting for {}", one_line(waiting_for)),
            ..of_sequence_state(sequence.state, 0)
        },
        Some(_) | None => standing(sequence.state, attention_count(sequence), sequence.reason.as_deref()),
    }
}

/// The verdict of a sequence by its state and reason, for where what it waits for stands elsewhere or nowhere.
pub(crate) fn standing(state: SequenceState, attention: u32, reason: Option<&str>) -> Verdict {
    let verdict = of_sequence_state(state, attention);
    match reason {
        Some(reason) => Verdict { detail: one_line(reason), ..verdict },
        None => verdict,
    }
}

/// The verdict of a sequence in `state`, `attention` of whose steps found something.
pub(crate) fn of_sequence_state(state: SequenceState, attention: u32) -> Verdict {
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
pub(crate) fn attention_count(sequence: &SequenceView) -> u32 {
    let found = sequence.steps.iter().filter(|step| {
        let result = step.attempts.last().and_then(|attempt| attempt.result.as_ref());
        result.is_some_and(|result| result.finding == Finding::Attention)
    });
    u32::try_from(found.count()).unwrap_or(u32::MAX)
}

/// How a program that waited for the sequence ends.
///
/// One that has not ended: [`Exit::Attention`] where a person must decide or it is under way,
/// [`Exit::NotReachable`] while the machine has not been heard to take it.
pub(crate) fn exit_of(sequence: &SequenceView) -> Exit {
    match sequence.state {
        SequenceState::Succeeded if attention_count(sequence) == 0 => Exit::Done,
        SequenceState::Succeeded
        | SequenceState::Held
        | SequenceState::Draft
        | SequenceState::AwaitingApproval
        | SequenceState::Delivered
        | SequenceState::Running
        | SequenceState::Cancelling => Exit::Attention,
        SequenceState::Queued | SequenceState::Offered => Exit::NotReachable,
        SequenceState::Refused => Exit::Refused,
        SequenceState::Stopped => match sequence.steps.iter().any(did_not_succeed) {
            true => Exit::StepFailed,
            false => Exit::Attention,
        },
        SequenceState::Failed | SequenceState::Cancelled | SequenceState::Expired | SequenceState::Lost => {
            Exit::StepFailed
        }
    }
}

/// Whether the step was to run and did not do its work; one that `stop_on` skipped does not count.
fn did_not_succeed(step: &StepView) -> bool {
    !matches!(step.state, StepState::Succeeded | StepState::Skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_verdict_of_a_step_is_made_of_its_state_and_its_finding() {
        let result = |summary: &str, finding| sample::result(summary, finding);
        let text = |state, result: Option<&ResultView>| {
            let verdict = of_state(state, result, None);
            format!("{} {}", verdict.tone.mark(), verdict.text())
        };
        let no_reply = result("no reply", Finding::Attention);
        assert_eq!(text(StepState::Succeeded, Some(&no_reply)), "! Done: no reply");
        let replies = result("4 of 4 replies, 0.8 ms", Finding::Ok);
        assert_eq!(text(StepState::Succeeded, Some(&replies)), "✓ Done: 4 of 4 replies, 0.8 ms");
        let exit_code = result("exit code 2", Finding::None);
        assert_eq!(text(StepState::Failed, Some(&exit_code)), "✗ Failed: exit code 2");
        assert_eq!(text(StepState::Interrupted, Some(&exit_code)), "✗ Interrupted: may have had its effect");
        assert_eq!(text(StepState::Offered, None), "▸ On its way: may already be running");
    }

    #[test]
    fn every_state_has_its_words() {
        let mut words = String::new();
        for state in sample::STEP_STATES {
            words.push_str(&format!("{}\n", of_state(state, None, None).text()));
        }
        words.push('\n');
        for state in sample::SEQUENCE_STATES {
            words.push_str(&format!("{}\n", of_sequence_state(state, 2).text()));
        }
        insta::assert_snapshot!(words);
    }

    #[test]
    fn who_waits_learns_from_the_exit_code_what_became_of_it() {
        let exit = |state, steps: &[(StepState, Finding)]| exit_of(&sample::sequence(state, steps));
        let ok = (StepState::Succeeded, Finding::Ok);
        let look = (StepState::Succeeded, Finding::Attention);
        let failed = (StepState::Failed, Finding::None);
        let skipped = (StepState::Skipped, Finding::None);
        assert_eq!(exit(SequenceState::Succeeded, &[ok, ok]), Exit::Done);
        assert_eq!(exit(SequenceState::Succeeded, &[ok, look]), Exit::Attention);
        assert_eq!(exit(SequenceState::Failed, &[look, failed]), Exit::StepFailed);
        assert_eq!(exit(SequenceState::Stopped, &[failed, skipped]), Exit::StepFailed);
        assert_eq!(exit(SequenceState::Stopped, &[look, skipped]), Exit::Attention);
        assert_eq!(exit(SequenceState::Refused, &[]), Exit::Refused);
        assert_eq!(exit(SequenceState::Queued, &[]), Exit::NotReachable);
        assert_eq!(exit(SequenceState::Running, &[]), Exit::Attention);
        for state in [SequenceState::Lost, SequenceState::Expired, SequenceState::Cancelled] {
            assert_eq!(exit(state, &[]), Exit::StepFailed, "{state:?}");
        }
    }
}
