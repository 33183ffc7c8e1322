//! What a listing says of a sequence in one line: the fault, so that nobody has to open it to learn of one.

use super::evidence::FinishedStep;
use super::outcome::{EndState, Finding};
use super::record::{AttemptEnd, Sequence};
use super::spec::StepSpec;

/// Longest line of a listing, in characters.
pub const WORST_CHARACTERS_MAX: usize = 200;
/// Longest line that is kept of one result, in characters: the rest of [`WORST_CHARACTERS_MAX`] names the step.
pub const SAID_CHARACTERS_MAX: usize = 160;
/// Longest argument that names what a step is about, in characters.
const ABOUT_CHARACTERS_MAX: usize = 60;
/// The arguments that name what a step is about, the most telling first.
const ABOUT: [&str; 6] = ["host", "url", "name", "path", "channel", "command"];

/// What is kept of a result's summary: the line where it has a fault to tell.
pub(super) fn said(finished: &FinishedStep<'_>) -> Option<String> {
    let tells = finished.finding == Finding::Attention || finished.state != EndState::Succeeded;
    let line = one_line(finished.summary, SAID_CHARACTERS_MAX);
    Some(line).filter(|line| tells && !line.is_empty())
}

impl Sequence {
    /// The fault in one line, such as `ping 10.20.0.5: no reply`, at most [`WORST_CHARACTERS_MAX`] characters: of the
    /// first step that found something, else that did not succeed, else that nobody can tell of. `None`: there is none.
    pub fn worst(&self) -> Option<String> {
        let ends = || {
            let steps = self.spec.steps.iter().zip(&self.steps);
            steps.filter_map(|(spec, record)| Some((spec, record.attempts.last()?.end.as_ref()?)))
        };
        let (spec, end) =
            (0..GRAVITIES).find_map(|gravity| ends().find(|(_, end)| rank(end) == Some(gravity)))?;
        let (probe, words) = (spec.probe.replace('_', " "), words(end));
        let step = match about(spec) {
            // Most summaries begin with what they are about.
            Some(about) if !words.starts_with(about.as_str()) => format!("{probe} {about}"),
            Some(_) | None => probe,
        };
        Some(one_line(&format!("{step}: {words}"), WORST_CHARACTERS_MAX))
    }

    /// How many of its steps were cut off and may have had their effect.
    pub fn interrupted(&self) -> u32 {
        self.count(|end| end.state == EndState::Interrupted)
    }
}

/// How many ranks there are.
const GRAVITIES: u8 = 3;

/// How telling an end is, 0 the most; `None`: nothing is wrong with it.
fn rank(end: &AttemptEnd) -> Option<u8> {
    match end.state {
        EndState::Succeeded if end.finding == Finding::Attention => Some(0),
        EndState::Failed | EndState::TimedOut | EndState::Interrupted => Some(1),
        EndState::Refused | EndState::Lost => Some(2),
        EndState::Succeeded | EndState::Skipped | EndState::Cancelled | EndState::Expired => None,
    }
}

fn words(end: &AttemptEnd) -> &str {
    let said = end.said.as_deref();
    match end.state {
        // What a crash means outweighs what the runtime could still say about it.
        EndState::Interrupted => "interrupted, it may have had its effect",
        EndState::Lost => "nobody can tell whether it ran",
        EndState::TimedOut => "ran into its time limit",
        EndState::Failed => said.unwrap_or("failed"),
        EndState::Refused => said.unwrap_or("the machine would not run it"),
        EndState::Succeeded | EndState::Skipped | EndState::Cancelled | EndState::Expired => {
            said.unwrap_or("needs a look")
        }
    }
}

/// What a step is about, as far as its arguments say; `None`: they do not.
fn about(spec: &StepSpec) -> Option<String> {
    let told = ABOUT.iter().find_map(|name| spec.with.get(*name)?.as_str())?;
    Some(one_line(told, ABOUT_CHARACTERS_MAX)).filter(|about| !about.is_empty())
}

/// The text on one line, cut where it is longer.
fn one_line(text: &str, characters_max: usize) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let line: String = text.trim().chars().map(plain).take(characters_max + 1).collect();
    if line.chars().count() <= characters_max {
        return line;
    }
    line.chars().take(characters_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_characters_and_has_no_control_in_it() {
        assert_eq!(one_line(" no reply\n", 20), "no reply");
        assert_eq!(one_line("ää\u{7}ää", 5), "ää ää");
        assert_eq!(one_line("äääääää", 5), "ääää…");
    }

    #[test]
    fn a_step_is_named_by_its_most_telling_argument() {
        let step = |with: serde_json::Value| StepSpec {
            probe: "x".into(),
            with: with.as_object().cloned().unwrap_or_default(),
            timeout: None,
            rerun: false,
        };
        assert_eq!(
            about(&step(serde_json::json!({"count": 4, "host": "10.20.0.5"}))).as_deref(),
            Some("10.20.0.5")
        );
        assert_eq!(about(&step(serde_json::json!({"count": 4}))), None);
    }
}
