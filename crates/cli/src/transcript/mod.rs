//! A machine's transcript in the forms people take it away in.

mod csv;
mod html;

use tidegate_core::api::TranscriptEntryView;
use tidegate_core::words::{actor_words, kind_words};
use tidegate_core::zone::Zone;

use crate::time;

pub(crate) use csv::{CSV_HEADING, csv_lines, quoted};
pub(crate) use html::{HTML_END, HTML_RECORD, html_begin, html_rows, html_sequence};

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

/// What an entry says, in one line, with times in UTC.
pub(crate) fn describe(entry: &TranscriptEntryView) -> String {
    tidegate_core::words::describe(entry, &Zone::named("UTC"))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

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
