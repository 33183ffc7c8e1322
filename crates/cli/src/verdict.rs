//! The one verdict people read, and how a program that waited for it ends.

use tidegate_core::api::{SequenceState, SequenceView, StepState, StepView};
use tidegate_core::words::Verdict;
pub(crate) use tidegate_core::words::{attention_count, of_sequence, of_state, of_step, standing};

use crate::exit::Exit;
use crate::screen::Screen;

/// Mark and text of a verdict in its tone's colour.
pub(crate) fn show(verdict: &Verdict, screen: &Screen) -> String {
    screen.paint(verdict.tone, &format!("{} {}", verdict.tone.mark(), verdict.text()))
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
    use tidegate_core::api::ResultView;
    use tidegate_core::sequence::Finding;
    use tidegate_core::words::of_sequence_state;

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
