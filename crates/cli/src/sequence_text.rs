//! One sequence as people read it: the verdict, every step with its five times, what came back.

use serde_json::{Map, Value};
use tidegate_core::api::{AttemptView, OutputView, SequenceView, StepView};
use tidegate_core::sequence::StopOn;
use tidegate_core::time::Timestamp;

use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::{bytes, indented, one_line, shortened, wrapped};
use crate::{time, verdict};

/// Characters of a step's arguments shown in its heading.
const ARGUMENTS_CHARACTERS_MAX: usize = 60;

/// How much of the outputs is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// All that the control plane has.
    Whole,
    /// The last lines of each, at most so many; the cut is told.
    Last(usize),
}

/// The whole of `sequence` on the machine called `machine`.
pub(crate) fn sequence(sequence: &SequenceView, machine: &str, outputs: Outputs, screen: &Screen) -> String {
    let mut text = summary(sequence, machine, screen);
    let times = times(sequence, screen.width);
    if !times.is_empty() {
        text.push_str(&format!("\n{times}"));
    }
    for step in &sequence.steps {
        text.push_str(&format!("\n{}", self::step(step, outputs, screen)));
    }
    for note in &sequence.notes {
        text.push_str(&format!("\nNote by {}, {}\n", one_line(&note.by), time::full(note.at)));
        text.push_str(&indented(&note.text, "  "));
    }
    text
}

/// Title, verdict and what surrounds them.
fn summary(sequence: &SequenceView, machine: &str, screen: &Screen) -> String {
    let mut text = format!("{}\n", screen.heading(&one_line(&sequence.title)));
    let standing =
        verdict::standing(sequence.state, verdict::attention_count(sequence), sequence.reason.as_deref());
    text.push_str(&format!("  {}\n", verdict::show(&standing, screen)));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<11}{value}\n"));
    if let Some(waiting_for) = &sequence.waiting_for {
        line("waits for", under_name(waiting_for, screen.width));
    }
    line("id", sequence.id.to_string());
    line("machine", one_line(machine));
    line("made", format!("{} by {}", time::full(sequence.created_at), one_line(&sequence.created_by)));
    let optional = [
        ("queued", sequence.queued_at),
        ("sent", sequence.offered_at),
        ("ended", sequence.ended_at),
        ("not before", sequence.not_before),
        ("expires", sequence.expires_at.filter(|_| !sequence.state.is_ended())),
    ];
    for (name, at) in optional {
        if let Some(at) = at {
            line(name, time::full(at));
        }
    }
    if sequence.stop_on != StopOn::Never {
        let what = match sequence.stop_on {
            StopOn::Never | StopOn::Failed => "the first step that does not succeed",
            StopOn::Attention => "the first step that does not succeed or needs a look",
        };
        line("stops at", what.to_owned());
    }
    if let Some(retry_of) = sequence.retry_of {
        line("repeats", retry_of.to_string());
    }
    if let Some(warning) = &sequence.repeat_warning {
        line("beware", under_name(warning, screen.width));
    }
    text
}

/// `text` on as many lines as it takes beside its name.
fn under_name(text: &str, width: usize) -> String {
    const NAME: usize = 13;
    wrapped(text, width.saturating_sub(NAME)).join(&format!("\n{:NAME$}", ""))
}

/// Every attempt with its five times. Empty where nothing was attempted.
pub(crate) fn times(sequence: &SequenceView, width: usize) -> String {
    let attempts: Vec<_> = sequence
        .steps
        .iter()
        .flat_map(|step| step.attempts.iter().map(move |attempt| (step, attempt)))
        .collect();
    let days: Vec<_> = attempts.iter().flat_map(|(_, attempt)| five(attempt)).flatten().map(day).collect();
    let Some(first_day) = days.first() else { return String::new() };
    let is_one_day = days.iter().all(|day| day == first_day);
    let heading = if is_one_day { format!("Times of {first_day}, UTC\n") } else { "Times, UTC\n".to_owned() };
    let show = |at: Option<Timestamp>| match at {
        None => "–".to_owned(),
        Some(at) if is_one_day => time::clock(at).trim_end_matches('Z').to_owned(),
        Some(at) => format!("{}\n{}", day(at), time::clock(at).trim_end_matches('Z')),
    };
    let mut table = Table::new(&[
        Column::Whole("#"),
        Column::Wrapped("STEP"),
        Column::Whole("QUEUED"),
        Column::Whole("DELIVERED"),
        Column::Whole("STARTED"),
        Column::Whole("FINISHED"),
        Column::Whole("RETURNED"),
    ]);
    for (step, attempt) in attempts {
        let again = if attempt.number > 1 { format!(", attempt {}", attempt.number) } else { String::new() };
        let [queued, delivered, started, finished, returned] = five(attempt).map(show);
        table.row(&[
            step.index.to_string(),
            format!("{}{again}", step.probe),
            queued,
            delivered,
            started,
            finished,
            returned,
        ]);
    }
    format!("{heading}{}", indented(&table.render(width - 2), "  "))
}

/// One step: its verdict and what it brought back.
fn step(step: &StepView, outputs: Outputs, screen: &Screen) -> String {
    let mut text = format!("{}. {}\n", step.index, title(step));
    for attempt in &step.attempts {
        let verdict = if attempt.number as usize == step.attempts.len() {
            verdict::of_step(step)
        } else {
            verdict::of_state(attempt.state, attempt.result.as_ref(), None)
        };
        let again =
            if step.attempts.len() > 1 { format!("attempt {}: ", attempt.number) } else { String::new() };
        let amended = attempt.amended_from.map(|from| format!(" (was `{from}` until late evidence came)"));
        let took = attempt.started_at.zip(attempt.finished_at);
        let took =
            took.map(|(started, finished)| format!("  (took {})", time::span(finished.since(started))));
        text.push_str(&format!(
            "   {again}{}{}{}\n",
            verdict::show(&verdict, screen),
            took.unwrap_or_default(),
            amended.unwrap_or_default()
        ));
        if let Some(result) = &attempt.result {
            if let Some(left_out) = &result.left_out {
                let (bytes, number) = (bytes(left_out.bytes), left_out.number);
                text.push_str(&format!(
                    "   {bytes} of details and output left out: see `transcript --entry {number}`\n"
                ));
            }
            text.push_str(&output(&result.output, "", outputs));
            if let Some(error_output) = &result.error_output {
                text.push_str(&output(error_output, "on standard error", outputs));
            }
        }
    }
    if step.attempts.is_empty() {
        text.push_str(&format!("   {}\n", verdict::show(&verdict::of_step(step), screen)));
    }
    text
}

/// The probe with its arguments on one line.
pub(crate) fn title(step: &StepView) -> String {
    let arguments = arguments(&step.with);
    let space = if arguments.is_empty() { "" } else { " " };
    format!("{}{space}{}", one_line(&step.probe), shortened(&arguments, ARGUMENTS_CHARACTERS_MAX))
}

/// Arguments on one line, as they are typed after `--probe`.
pub(crate) fn arguments(with: &Map<String, Value>) -> String {
    let pairs = with.iter().map(|(name, value)| match value {
        // A command reads best as it was typed.
        Value::String(text) if name == "command" => text.clone(),
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

fn output(output: &OutputView, stream: &str, outputs: Outputs) -> String {
    if output.text.trim().is_empty() {
        return String::new();
    }
    let mut text = if stream.is_empty() { String::new() } else { format!("     {stream}:\n") };
    let lines: Vec<_> = output.text.lines().collect();
    let shown = match outputs {
        Outputs::Last(most) if lines.len() > most => {
            text.push_str(&format!("     | … {} more before\n", lines.len() - most));
            &lines[lines.len() - most..]
        }
        Outputs::Whole | Outputs::Last(_) => &lines[..],
    };
    text.push_str(&indented(&shown.join("\n"), "     | "));
    if output.dropped_bytes > 0 {
        text.push_str(&format!(
            "     {} of {} bytes here, {} dropped on the machine\n",
            output.bytes.saturating_sub(output.dropped_bytes),
            output.bytes,
            output.dropped_bytes
        ));
    }
    if let Some(encoding) = &output.encoding {
        text.push_str(&format!("     read as {}\n", one_line(encoding)));
    }
    text
}

fn five(attempt: &AttemptView) -> [Option<Timestamp>; 5] {
    [attempt.queued_at, attempt.delivered_at, attempt.started_at, attempt.finished_at, attempt.returned_at]
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use tidegate_core::api::{NoteView, SequenceState, StepState};
    use tidegate_core::sequence::{EndState, Finding};

    #[test]
    fn a_finished_sequence_shows_verdicts_times_and_outputs() {
        let ok = (StepState::Succeeded, Finding::Ok);
        let look = (StepState::Succeeded, Finding::Attention);
        let mut view = sample::sequence(SequenceState::Succeeded, &[ok, look]);
        let result = view.steps[1].attempts[0].result.as_mut().unwrap();
        result.output.text = "one\ntwo\u{1b}[31m\nthree\n".into();
        (result.output.bytes, result.output.dropped_bytes) = (2_700_000, 2_682_000);
        view.steps[1].attempts[0].amended_from = Some(EndState::Lost);
        view.notes.push(NoteView {
            by: "day@msp.example".into(),
            at: sample::at("15:00:00"),
            text: "Cable.\nReplaced.".into(),
        });
        let text = sequence(&view, "hmi-3", Outputs::Last(2), &Screen::plain());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_waiting_sequence_says_what_it_waits_for() {
        let mut view = sample::sequence(SequenceState::Queued, &[(StepState::Waiting, Finding::None)]);
        (view.offered_at, view.ended_at) = (None, None);
        view.waiting_for = Some(
            "the machine's next check-in; no contact since 14:03 UTC (2026-11-22), usually every 30 s; what has not \
             started by 15:00 UTC expires"
                .into(),
        );
        view.repeat_warning = Some("an action that ran runs again".into());
        insta::assert_snapshot!(sequence(&view, "hmi-3", Outputs::Whole, &Screen::plain()));
    }

    #[test]
    fn work_that_nobody_sees_reads_as_what_may_be_happening() {
        let mut view = sample::sequence(SequenceState::Offered, &[(StepState::Offered, Finding::None)]);
        view.ended_at = None;
        view.reason = Some("it may already be running".into());
        view.waiting_for = Some(
            "word from the machine: it was sent at 14:46 UTC and may already be running; no contact since 14:46 UTC"
                .into(),
        );
        insta::assert_snapshot!(sequence(&view, "hmi-3", Outputs::Whole, &Screen::plain()));
    }

    #[test]
    fn times_over_midnight_show_their_days() {
        let mut view = sample::sequence(SequenceState::Succeeded, &[(StepState::Succeeded, Finding::Ok)]);
        view.steps[0].attempts[0].returned_at = "2026-11-24T00:10:00Z".parse().ok();
        insta::assert_snapshot!(times(&view, 80));
    }
}
