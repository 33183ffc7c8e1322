//! The result as plain text, for a ticket or a message.

use std::fmt::Write as _;

use maud::{Markup, html};
use tidegate_core::api::{EndpointView, SequenceView};
use tidegate_core::words::{of_sequence, of_step, one_line};

use super::moment::Moment;
use super::places::Places;
use super::words;

/// The text in a field of its own, to be copied by hand or by a press.
pub(super) fn copy(view: &SequenceView, machine: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        section .no-print aria-label="For a ticket" {
            details {
                summary { "Copy for a ticket" }
                textarea #ticket readonly rows="10" aria-label="The result as text" { (text(view, machine, places, moment)) }
                button .script-only type="button" data-copy="ticket" { "Copy" }
            }
        }
    }
}

fn text(view: &SequenceView, machine: &EndpointView, places: &Places, moment: &Moment) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}: {}", one_line(&machine.name), one_line(&view.title));
    let _ = writeln!(
        text,
        "{} > {}, sent {} by {}",
        one_line(places.client(machine.client_id)),
        one_line(places.site(machine.site_id)),
        moment.plain(view.queued_at.unwrap_or(view.created_at)),
        one_line(&view.created_by)
    );
    let _ = writeln!(text, "Result: {}\n", of_sequence(view).text());
    for step in &view.steps {
        let finished = step.attempts.last().and_then(|attempt| attempt.finished_at);
        let at = finished.map(|at| format!(" ({})", moment.plain(at))).unwrap_or_default();
        let _ = writeln!(
            text,
            "{}. {} {}{at}\n   {}",
            step.index,
            words::label(&step.probe),
            words::arguments(&step.with),
            of_step(step).text()
        );
    }
    for note in &view.notes {
        let _ =
            writeln!(text, "\nNote by {}: {}", one_line(&note.by), tidegate_core::words::lines(&note.text));
    }
    text
}
