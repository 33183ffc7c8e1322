//! A machine's transcript in the forms people take it away in.

mod csv;
mod html;

use serde_json::Value;
use tidegate_core::api::{OutageView, TrafficView, TranscriptEntryView};

use crate::text::{bytes, one_line, shortened};
use crate::time;

pub(crate) use csv::csv;
pub(crate) use html::html;

/// Longest description of an entry in characters; the whole body is in `--format json`.
const DESCRIPTION_CHARACTERS_MAX: usize = 200;
/// Fields that mean something only to a program.
const UNTOLD: [&str; 6] = ["kind", "sequence", "work", "hash", "key", "previous"];
/// Fields told first, in this order; what they do not cover follows as it comes.
const FIRST: [&str; 10] =
    ["step", "attempt", "state", "reason", "title", "text", "name", "old", "new", "journal"];

/// One entry on one line: `  12  2026-11-23 14:48:02Z  endpoint  step finished: step 2, …`.
pub(crate) fn line(entry: &TranscriptEntryView) -> String {
    let description = describe(entry);
    let colon = if description.is_empty() { "" } else { ": " };
    format!(
        "{:>5}  {}  {}  {}{colon}{description}",
        entry.number,
        time::full(entry.at),
        actor_words(&entry.actor),
        kind_words(&entry.kind)
    )
}

/// What an entry says, in one line.
pub(crate) fn describe(entry: &TranscriptEntryView) -> String {
    let Some(body) = &entry.body else { return "(erased)".to_owned() };
    let Value::Object(fields) = body else { return shortened(&body.to_string(), DESCRIPTION_CHARACTERS_MAX) };
    let told = match entry.kind.as_str() {
        "journal.link" => serde_json::from_value(body.clone()).ok().map(|outage| path_closed(&outage)),
        "journal.traffic" => serde_json::from_value(body.clone()).ok().map(|day| traffic(&day)),
        _ => None,
    };
    if let Some(told) = told {
        return shortened(&told, DESCRIPTION_CHARACTERS_MAX);
    }
    let mut parts = Vec::new();
    if let Some(Value::String(summary)) = fields.get("result").and_then(|result| result.get("summary")) {
        parts.push(summary.clone());
    }
    for name in FIRST {
        if let Some(text) = fields.get(name).and_then(scalar) {
            parts.push(format!("{} {text}", name.replace('_', " ")));
        }
    }
    for (name, value) in fields {
        let is_told = FIRST.contains(&name.as_str()) || UNTOLD.contains(&name.as_str());
        if let (false, Some(text)) = (is_told, scalar(value)) {
            parts.push(format!("{} {text}", name.replace('_', " ")));
        }
    }
    shortened(&parts.join(", "), DESCRIPTION_CHARACTERS_MAX)
}

/// A span without a path: `path closed 2026-11-23 02:10:00Z to 02:58:00Z, 31 attempts: connection refused`.
pub(crate) fn path_closed(outage: &OutageView) -> String {
    let (closed, opened) = (time::full(outage.closed_at), time::full(outage.opened_at));
    let is_one_day = closed.get(..10) == opened.get(..10);
    let opened = if is_one_day { time::clock(outage.opened_at) } else { opened };
    let attempts = if outage.attempts == 1 { "attempt" } else { "attempts" };
    let problem = one_line(&outage.problem);
    let colon = if problem.is_empty() { "" } else { ": " };
    format!("path closed {closed} to {opened}, {} {attempts}{colon}{problem}", outage.attempts)
}

/// What a day cost: `2026-11-22: 143 KB up, 61 KB down`.
fn traffic(day: &TrafficView) -> String {
    format!("{}: {} up, {} down", day.day, bytes(day.up_bytes), bytes(day.down_bytes))
}

/// `journal.step_finished` as people read it: `step finished`.
pub(crate) fn kind_words(kind: &str) -> String {
    match kind.trim_start_matches("journal.") {
        // The machine wrote the control plane's signed head into its own journal.
        "head" => "endorsed the record so far".to_owned(),
        kind => one_line(&kind.replace('_', " ")),
    }
}

/// Who did it: people read "machine" where programs read `endpoint`.
fn actor_words(actor: &str) -> String {
    if actor == "endpoint" { "machine".to_owned() } else { one_line(actor) }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_one_line_whatever_it_says() {
        let lines: Vec<_> = entries().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    pub(crate) fn entries() -> Vec<TranscriptEntryView> {
        let entry = |number: u64, actor: &str, kind: &str, body: Value| -> TranscriptEntryView {
            serde_json::from_value(json!({
                "number": number, "at": "2026-11-23T14:03:05.000Z", "actor": actor, "kind": kind,
                "sequence_id": "060r30c1g60r30c1-060r30c1g60r30c1",
                "hash": "0".repeat(64), "previous_hash": "1".repeat(64), "body": body
            }))
            .unwrap()
        };
        vec![
            entry(1, "kim@msp.example", "queued", json!({"title": "=HYPERLINK(\"x\")", "steps": 2})),
            entry(
                2,
                "endpoint",
                "journal.step_finished",
                json!({"kind": "step_finished", "step": 1, "attempt": 1, "state": "succeeded",
                       "result": {"summary": "no <b>reply</b>\u{1b}[31m", "finding": "attention"}}),
            ),
            entry(
                3,
                "endpoint",
                "journal.link",
                json!({"kind": "link", "closed_at": "2026-11-23T02:10:00.000Z", "opened_at": "2026-11-23T02:58:12.000Z",
                       "attempts": 31, "problem": "connection\nrefused"}),
            ),
            entry(
                4,
                "endpoint",
                "journal.traffic",
                json!({"kind": "traffic", "day": "2026-11-22", "up_bytes": 143_012, "down_bytes": 61_440}),
            ),
            TranscriptEntryView { body: None, ..entry(5, "control plane", "erased", json!({})) },
        ]
    }
}
