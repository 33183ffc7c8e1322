//! An entry of a transcript in words: who did what, and what it says.

use serde_json::Value;

use super::text::{bytes, one_line, shortened};
use crate::api::{OutageView, TrafficView, TranscriptEntryView};
use crate::zone::Zone;

/// Longest description of an entry in characters; the whole body is in `--format json`.
const DESCRIPTION_CHARACTERS_MAX: usize = 200;
/// Fields that mean something only to a program.
const UNTOLD: [&str; 6] = ["kind", "sequence", "work", "hash", "key", "previous"];
/// Fields told first, in this order; what they do not cover follows as it comes.
const FIRST: [&str; 10] =
    ["step", "attempt", "state", "reason", "title", "text", "name", "old", "new", "journal"];

/// What an entry says, in one line; times on the clock of `zone`.
pub fn describe(entry: &TranscriptEntryView, zone: &Zone) -> String {
    let told = body_words(entry, zone);
    if entry.claimed { format!("claimed by the machine: {told}") } else { told }
}

fn body_words(entry: &TranscriptEntryView, zone: &Zone) -> String {
    let Some(body) = &entry.body else {
        let left_out =
            entry.left_out.as_ref().map(|left_out| format!("({}, left out here)", bytes(left_out.bytes)));
        return left_out.unwrap_or_else(|| "(erased)".to_owned());
    };
    let Value::Object(fields) = body else { return shortened(&body.to_string(), DESCRIPTION_CHARACTERS_MAX) };
    let told = match entry.kind.as_str() {
        "journal.link" => serde_json::from_value(body.clone()).ok().map(|outage| path_closed(&outage, zone)),
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

/// A span without a path: `path closed 2026-11-23 02:10:00Z to 02:58:00Z, 31 attempts: connection refused`; on a clock
/// that is not UTC without the `Z`.
pub fn path_closed(outage: &OutageView, zone: &Zone) -> String {
    let mark = if zone.is_utc() { "Z" } else { "" };
    let (closed, opened) = (zone.local(outage.closed_at), zone.local(outage.opened_at));
    let day = if closed.0 == opened.0 { String::new() } else { format!("{} ", opened.0) };
    let attempts = if outage.attempts == 1 { "attempt" } else { "attempts" };
    let problem = one_line(&outage.problem);
    let colon = if problem.is_empty() { "" } else { ": " };
    format!(
        "path closed {} {}{mark} to {day}{}{mark}, {} {attempts}{colon}{problem}",
        closed.0, closed.1, opened.1, outage.attempts
    )
}

/// What a day cost: `2026-11-22: 143 KB up, 61 KB down`.
fn traffic(day: &TrafficView) -> String {
    format!("{}: {} up, {} down", day.day, bytes(day.up_bytes), bytes(day.down_bytes))
}

/// `journal.step_finished` as people read it: `step finished`.
pub fn kind_words(kind: &str) -> String {
    match kind.trim_start_matches("journal.") {
        // The machine wrote the control plane's signed head into its own journal.
        "head" => "endorsed the record so far".to_owned(),
        kind => one_line(&kind.replace('_', " ")),
    }
}

/// Who did it: people read "machine" where programs read `endpoint`.
pub fn actor_words(actor: &str) -> String {
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
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(kind: &str, body: &Value) -> TranscriptEntryView {
        serde_json::from_value(json!({
            "number": 1, "at": "2026-11-23T14:03:05.000Z", "actor": "endpoint", "kind": kind,
            "hash": "0".repeat(64), "previous_hash": "1".repeat(64), "body": body
        }))
        .unwrap()
    }

    #[test]
    fn a_time_without_a_path_is_told_on_the_readers_clock() {
        let outage = json!({"kind": "link", "closed_at": "2026-11-22T22:10:00.000Z",
            "opened_at": "2026-11-22T23:58:12.000Z", "attempts": 1, "problem": "connection\nrefused"});
        let entry = entry("journal.link", &outage);
        let utc = "path closed 2026-11-22 22:10:00Z to 23:58:12Z, 1 attempt: connection refused";
        assert_eq!(describe(&entry, &Zone::named("UTC")), utc);
        let berlin = "path closed 2026-11-22 23:10:00 to 2026-11-23 00:58:12, 1 attempt: connection refused";
        assert_eq!(describe(&entry, &Zone::named("Europe/Berlin")), berlin);
    }

    #[test]
    fn an_entry_is_told_by_its_summary_first_and_cannot_move_the_cursor() {
        let finished = json!({"kind": "step_finished", "attempt": 1, "step": 2, "state": "succeeded",
            "result": {"summary": "no reply\u{1b}[2J"}});
        let told = describe(&entry("journal.step_finished", &finished), &Zone::named("UTC"));
        assert_eq!(told, "no reply\\x1b[2J, step 2, attempt 1, state succeeded");
        assert_eq!(kind_words("journal.step_finished"), "step finished");
        assert_eq!((actor_words("endpoint").as_str(), actor_words("kim\n").as_str()), ("machine", "kim"));
        let claimed = TranscriptEntryView { claimed: true, ..entry("journal.step_finished", &finished) };
        assert!(describe(&claimed, &Zone::named("UTC")).starts_with("claimed by the machine: no reply"));
        let erased = TranscriptEntryView { body: None, ..entry("noted", &json!({})) };
        assert_eq!(describe(&erased, &Zone::named("UTC")), "(erased)");
        let left_out = json!({ "number": 1, "bytes": 528_384, "href": "/api/v1/endpoints/e/transcript/1" });
        let left_out = TranscriptEntryView { left_out: serde_json::from_value(left_out).unwrap(), ..erased };
        assert_eq!(describe(&left_out, &Zone::named("UTC")), "(528 KB, left out here)");
    }
}
