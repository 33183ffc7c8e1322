//! What a site's maintenance windows promised, and what came of it.

use maud::{Markup, html};
use tidegate_core::api::{ContactKind, ContactsView};
use tidegate_core::time::Timestamp;
use tidegate_core::window::{Opening, Window, next_opening};
use tidegate_core::words::span;

use crate::pages::moment::Moment;
use crate::pages::words;

/// The plan, the next window, and in how many of those since the machine's enrolment that are over it was reached.
pub(super) fn in_words(
    windows: &[Window],
    planned: &[Opening],
    enrolled_at: Timestamp,
    view: &ContactsView,
    moment: &Moment,
) -> Markup {
    let over: Vec<_> =
        planned.iter().filter(|opening| opening.from >= enrolled_at && opening.to <= moment.now()).collect();
    let missed: Vec<_> = over.iter().filter(|opening| !was_reached(opening, view)).collect();
    html! {
        @if windows.is_empty() {
            "No maintenance window is planned for its site. " a href="/settings/places" { "Plan one" }
        } @else {
            "Planned: " (words::windows(windows)) ". "
            @if let Some(next) = next(windows, moment) { (next) " " }
            @if !over.is_empty() {
                "It was reached in " (over.len() - missed.len()) " of " (words::count(over.len(), "window")) " that " (are_over(over.len())) "."
            }
            @if let Some(missed) = missed.last() { " Missed last: " (moment.planned(missed.from)) "." }
        }
    }
}

/// `The next maintenance window opens Wed 25 Nov 02:00 plant time, for 12 min.`, or until when it is open.
pub(in crate::pages::machine) fn next(windows: &[Window], moment: &Moment) -> Option<Markup> {
    let next = next_opening(windows, moment.zone(), moment.now())?;
    Some(html! {
        @if next.from <= moment.now() {
            "A maintenance window is open until " (moment.planned(next.to)) "."
        } @else {
            "The next maintenance window opens " (moment.planned(next.from)) ", for " (span(next.length())) "."
        }
    })
}

fn are_over(windows: usize) -> &'static str {
    if windows == 1 { "is over" } else { "are over" }
}

/// Whether it was heard in that time, or in a path that it had found before.
fn was_reached(opening: &Opening, view: &ContactsView) -> bool {
    let reached =
        view.spans.iter().filter(|span| matches!(span.kind, ContactKind::Heard | ContactKind::Presumed));
    reached.into_iter().any(|span| span.from < opening.to && span.to > opening.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::api::ContactSpan;
    use tidegate_core::window::{openings, read_windows};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What is said on a Monday at 15:03 of a machine that was heard in the nights before Saturday alone.
    fn said(windows: &str) -> String {
        let moment = Moment::new(at("2026-11-23T14:03:05Z"), "Europe/Berlin");
        let (since, windows) = (at("2026-11-16T00:00:00Z"), read_windows(windows).unwrap());
        let heard = ContactSpan {
            from: since,
            to: at("2026-11-20T20:00:00Z"),
            kind: ContactKind::Heard,
            problem: None,
        };
        let view = ContactsView { at: moment.now(), since, spans: vec![heard] };
        let planned = openings(&windows, moment.zone(), since, moment.now());
        let markup = in_words(&windows, &planned, at("2026-11-17T12:00:00Z"), &view, &moment).into_string();
        // Without the tags.
        markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
    }

    #[test]
    fn it_says_what_was_planned_what_was_missed_and_what_comes_next() {
        assert_eq!(
            said("Mon-Fri 02:00-02:12"),
            "Planned: Mon-Fri 02:00-02:12. The next maintenance window opens Tue 24 Nov 02:00 plant time, for 12 min. \
             It was reached in 3 of 4 windows that are over. Missed last: Mon 23 Nov 02:00 plant time."
        );
        assert_eq!(
            said("Mon 15:00-17:00"),
            "Planned: Mon 15:00-17:00. A maintenance window is open until Mon 23 Nov 17:00 plant time. "
        );
        assert_eq!(said(""), "No maintenance window is planned for its site. Plan one");
    }
}
