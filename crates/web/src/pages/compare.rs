//! One step beside what the same check found the last time on this machine.

use axum::extract::{Path, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::{Map, Value};
use tidegate_core::api::{AttemptView, ComparisonView, PreviousRun, ResultView, StepView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::error::Code;
use tidegate_core::id::SequenceId;
use tidegate_core::words::{of_state, of_step, one_line};

use super::differing::{Difference, lines_of};
use super::layout::{Live, Section, page};
use super::machine;
use super::moment::Moment;
use super::places::Places;
use super::result;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::ask_endpoint;
use crate::host::Host;
use crate::problem::Problem;

/// Fields of a result that are compared; the rest is counted.
const FIELDS_MAX: usize = 60;

/// Both, and what differs.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Path((id, number)): Path<(String, String)>,
) -> Result<Html<String>, Problem> {
    let nothing = || Problem::new(Code::NotFound, "there is no such step: look at its sequence");
    let id: SequenceId = id.parse().map_err(|_| nothing())?;
    let number: u32 = number.parse().map_err(|_| nothing())?;
    let comparison = read(host.as_ref(), id, number).await?;
    let view = result::read(host.as_ref(), id).await?;
    let step = view.steps.iter().find(|step| step.index == number).ok_or_else(nothing)?;
    let machine = machine::read(host.as_ref(), id.endpoint()).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let back = format!("/sequences/{id}#step-{number}");
    let main = html! {
        (machine::strip(&machine, &places, &moment))
        p { a href=(back) { "‹ Step " (number) " of " (one_line(&view.title)) } }
        h2 { (words::label(&step.probe)) " " code { (words::arguments(&step.with)) } }
        p .fine { "Times are " (moment.zone_name()) "." }
        (both(step, comparison.previous.as_ref(), &comparison, &moment))
    };
    let live = Live::Machine(id.endpoint().to_string());
    Ok(page(&viewer, Section::Machines, &format!("Compared: {}", words::label(&step.probe)), &live, &main))
}

async fn read(host: &dyn Host, sequence: SequenceId, step: u32) -> Result<ComparisonView, Problem> {
    match ask_endpoint(host, sequence.endpoint(), EndpointQuestion::Previous { sequence, step }).await? {
        Answer::Comparison(comparison) => Ok(*comparison),
        _ => Err(Problem::unexpected_answer()),
    }
}

fn both(
    step: &StepView,
    previous: Option<&PreviousRun>,
    comparison: &ComparisonView,
    moment: &Moment,
) -> Markup {
    let latest = step.attempts.last();
    html! {
        dl .card {
            div { dt { "now" @if let Some(at) = latest.and_then(ran_at) { ", " (moment.at(at)) } } dd { (words::verdict(&of_step(step))) } }
            @if let Some(run) = previous {
                div {
                    dt { "before" @if let Some(at) = ran_at(&run.attempt) { ", " (moment.at(at)) } }
                    dd {
                        (words::verdict(&of_state(run.attempt.state, run.attempt.result.as_ref(), None)))
                        " in " a href={ "/sequences/" (run.sequence_id) "#step-" (run.step) } { (one_line(&run.title)) }
                    }
                }
            }
        }
        @match previous {
            None => p .empty-line {
                "The same check with the same arguments has not run here before, as far as was looked: since "
                (moment.at(comparison.looked_since)) "."
            },
            Some(run) => {
                @match (run.attempt.result.as_ref(), latest.and_then(|attempt| attempt.result.as_ref())) {
                    (Some(before), Some(now)) => (differences(before, now)),
                    (None, _) => p .empty-line { "What the earlier run brought back is not here any more." },
                    (_, None) => p .empty-line { "This run has brought nothing back yet." },
                }
            }
        }
    }
}

/// When an attempt ran, as well as it is known.
fn ran_at(attempt: &AttemptView) -> Option<tidegate_core::time::Timestamp> {
    attempt.started_at.or(attempt.finished_at).or(attempt.returned_at)
}

fn differences(before: &ResultView, now: &ResultView) -> Markup {
    let empty = String::new();
    let errors = |result: &ResultView| {
        result.error_output.as_ref().map_or_else(|| empty.clone(), |output| output.text.clone())
    };
    let fields = fields(&before.data, &now.data);
    let output = lines_of(&before.output.text, &now.output.text);
    let error_output = lines_of(&errors(before), &errors(now));
    html! {
        @if fields.is_empty() && output.is_empty() && error_output.is_empty() {
            p .empty-line { "Both brought back the same." }
        }
        @if !fields.is_empty() { (field_table(&fields)) }
        (stream("Output", &output))
        (stream("Error output", &error_output))
    }
}

/// The fields that differ: which, before, now.
fn fields(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<(String, String, String)> {
    let mut names: Vec<_> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let shown = |value: Option<&Value>| value.map_or_else(|| "–".to_owned(), words::fact);
    let differ = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    differ.map(|name| (words::label(name), shown(before.get(name)), shown(now.get(name)))).collect()
}

fn field_table(fields: &[(String, String, String)]) -> Markup {
    html! {
        section aria-label="Details that differ" {
            h3 { "Details" }
            table .list {
                thead { tr { th scope="col" { "What" } th scope="col" { "Before" } th scope="col" { "Now" } } }
                tbody {
                    @for (name, before, now) in fields.iter().take(FIELDS_MAX) {
                        tr { td data-label="What" { (name) } td data-label="Before" { (before) } td data-label="Now" { (now) } }
                    }
                }
            }
            @if fields.len() > FIELDS_MAX { p .fine { (fields.len() - FIELDS_MAX) " more differ." } }
        }
    }
}

fn stream(name: &str, difference: &Difference) -> Markup {
    html! {
        @if !difference.is_empty() {
            section aria-label=(name) {
                h3 { (name) }
                (side("Lines only now", "+", &difference.now, difference.now_rest))
                (side("Lines only before", "−", &difference.before, difference.before_rest))
                @if difference.is_cut { p .fine { "The outputs are long: only the beginning of each was compared." } }
            }
        }
    }
}

fn side(name: &str, mark: &str, lines: &[String], rest: usize) -> Markup {
    html! {
        @if !lines.is_empty() {
            figure .output {
                figcaption { (name) }
                pre tabindex="0" { @for line in lines { (mark) " " (line) "\n" } }
                @if rest > 0 { p .fine { (words::count(rest, "more line")) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_fields_that_differ_are_told_with_both_values() {
        let before = map(&json!({ "exit_code": 0, "host": "a", "gone": true }));
        let now = map(&json!({ "exit_code": 3, "host": "a", "new_field": "<b>\u{1b}[2J" }));
        let told = fields(&before, &now);
        let told: Vec<_> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        let expected = [("exit code", "0", "3"), ("gone", "true", "–"), ("new field", "–", "<b>\\x1b[2J")];
        assert_eq!(told, expected);
        assert!(fields(&now, &now).is_empty());
    }

    fn ran(summary: &str, exit_code: u8, output: &str) -> Value {
        json!({
            "number": 1, "state": "succeeded", "started_at": "2026-11-23T09:00:00.000Z",
            "result": {
                "summary": summary, "finding": "none", "data": { "exit_code": exit_code },
                "output": { "text": output, "bytes": output.len(), "dropped_bytes": 0, "artifact": null }
            }
        })
    }

    fn compared(previous: &Value, now: &Value) -> String {
        let step = json!({
            "index": 1, "probe": "shell", "with": { "command": "ip route" }, "state": "succeeded", "timeout": "30s", "rerun": false, "attempts": [now]
        });
        let comparison = json!({ "looked_since": "2026-11-01T00:00:00.000Z", "previous": previous });
        let (step, comparison): (StepView, ComparisonView) =
            (serde_json::from_value(step).unwrap(), serde_json::from_value(comparison).unwrap());
        let moment = Moment::new("2026-11-23T14:00:00Z".parse().unwrap(), "Europe/Berlin");
        both(&step, comparison.previous.as_ref(), &comparison, &moment).into_string()
    }

    fn run(attempt: &Value) -> Value {
        json!({
            "sequence_id": "060r30c1g60r30c1-060r30c1g60r30c1", "title": "At night", "step": 2, "attempt": attempt
        })
    }

    #[test]
    fn both_verdicts_stand_above_what_differs() {
        let (before, now) =
            (ran("exit code 0", 0, "eth0 up\neth1 up"), ran("exit code 1", 1, "eth0 up\neth1 down"));
        let page = compared(&run(&before), &now);
        for told in
            ["exit code 0", "exit code 1", "At night", "#step-2", ">10:00<", "+ eth1 down", "− eth1 up"]
        {
            assert!(page.contains(told), "{told}: {page}");
        }
        assert!(!page.contains("eth0"), "{page}");
        let same = compared(&run(&now), &now);
        assert!(same.contains("Both brought back the same.") && !same.contains("<table"), "{same}");
    }

    #[test]
    fn without_an_earlier_run_it_says_how_far_was_looked() {
        let page = compared(&Value::Null, &ran("exit code 0", 0, ""));
        assert!(page.contains("has not run here before") && page.contains("1 Nov 01:00"), "{page}");
    }

    #[test]
    fn an_earlier_run_whose_body_was_erased_is_told_as_such() {
        let now = ran("exit code 0", 0, "x");
        let mut erased = now.clone();
        erased.as_object_mut().unwrap().remove("result");
        assert!(compared(&run(&erased), &now).contains("is not here any more"));
    }
}
