//! What a site's maintenance windows promised, and what came of it.

use maud::{Markup, html};
use tidegate_core::api::{ContactKind, ContactsView};
use tidegate_core::time::Timestamp;
use tidegate_core::window::{Opening, Window, next_opening};
use tidegate_core::words::span;

use crate::pages::moment::Moment;
use crate::pages::words;

/// What is known of a machine's contacts.
pub(super) struct Known<'a> {
    /// Before that nothing was to be expected of it.
    pub(super) enrolled_at: Timestamp,
    /// When it was heard last, also with nothing to tell; `None`: never.
    pub(super) heard_at: Option<Timestamp>,
    /// The spans that its journal tells of.
    pub(super) contacts: &'a ContactsView,
}

/// What came of a window that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Reached,
    Missed,
    /// A machine with nothing to tell leaves no record of its contacts.
    NobodyCanTell,
}

/// The plan, the next window, and in how many of those that are over the machine was reached.
pub(super) fn in_words(
    windows: &[Window],
    planned: &[Opening],
    known: &Known<'_>,
    moment: &Moment,
) -> Markup {
    let over: Vec<_> = planned.iter().filter(|opening| known.covers(opening, moment.now())).collect();
    let of = |fate: Fate| over.iter().filter(move |opening| known.fate(opening) == fate);
    let unknown = of(Fate::NobodyCanTell).count();
    html! {
        @if windows.is_empty() {
            "No maintenance window is planned for its site. " a href="/settings/places" { "Plan one" }
        } @else {
            "Planned: " (words::windows(windows)) ". "
            @if let Some(next) = next(windows, moment) { (next) " " }
            @if !over.is_empty() {
                "It was reached in " (of(Fate::Reached).count()) " of " (words::count(over.len(), "window"))
                " that " (if over.len() == 1 { "is" } else { "are" }) " over"
                @if unknown > 0 { "; of " (unknown) " nobody can tell" } "."
            }
            @if let Some(missed) = of(Fate::Missed).next_back() { " Missed last: " (moment.planned(missed.from)) "." }
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

impl Known<'_> {
    /// Whether that window is over, and all of it lies in what is known.
    fn covers(&self, opening: &Opening, now: Timestamp) -> bool {
        opening.from >= self.enrolled_at.max(self.contacts.since) && opening.to <= now
    }

    fn fate(&self, opening: &Opening) -> Fate {
        let within = |span: &(Timestamp, Timestamp)| span.0 < opening.to && span.1 > opening.from;
        let spans = |kinds: &'static [ContactKind]| {
            let spans = self.contacts.spans.iter().filter(|span| kinds.contains(&span.kind));
            spans.map(|span| (span.from, span.to))
        };
        let is_silent_since = self.heard_at.is_none_or(|at| at < opening.from);
        if spans(&[ContactKind::Heard, ContactKind::Presumed]).any(|span| within(&span))
            || self.heard_at.is_some_and(|at| (opening.from..opening.to).contains(&at))
        {
            Fate::Reached
        } else if is_silent_since
            || spans(&[ContactKind::Outage]).any(|span| span.0 <= opening.from && span.1 >= opening.to)
        {
            Fate::Missed
        } else {
            Fate::NobodyCanTell
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::machine::contact::tests::{at, moment, span_of};
    use tidegate_core::window::{openings, read_windows};

    const FRIDAY: &str = "2026-11-20T20:00:00Z";

    /// What is said on a Monday at 15:03 of a machine that enrolled on the Tuesday before, and whose journal tells of
    /// contacts until Friday evening and of a path that was closed all Sunday.
    fn said(windows: &str, heard_at: &str) -> String {
        let (moment, windows) = (moment(), read_windows(windows).unwrap());
        let spans = vec![
            span_of("2026-11-16T00:00:00Z", FRIDAY, ContactKind::Heard),
            span_of(FRIDAY, "2026-11-21T23:00:00Z", ContactKind::Unknown),
            span_of("2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z", ContactKind::Outage),
        ];
        let contacts = ContactsView { at: moment.now(), since: at("2026-11-16T00:00:00Z"), spans };
        let planned = openings(&windows, moment.zone(), contacts.since, moment.now());
        let (enrolled_at, heard_at) = (at("2026-11-17T12:00:00Z"), Some(at(heard_at)));
        let known = Known { enrolled_at, heard_at, contacts: &contacts };
        let markup = in_words(&windows, &planned, &known, &moment).into_string();
        // Without the tags.
        markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
    }

    #[test]
    fn it_says_what_was_planned_what_was_missed_and_what_comes_next() {
        assert_eq!(
            said("Mon-Fri 02:00-02:12", FRIDAY),
            "Planned: Mon-Fri 02:00-02:12. The next maintenance window opens Tue 24 Nov 02:00 plant time, for 12 min. \
             It was reached in 3 of 4 windows that are over. Missed last: Mon 23 Nov 02:00 plant time."
        );
        assert_eq!(
            said("Mon 15:00-17:00", FRIDAY),
            "Planned: Mon 15:00-17:00. A maintenance window is open until Mon 23 Nov 17:00 plant time. "
        );
        assert_eq!(said("", FRIDAY), "No maintenance window is planned for its site. Plan one");
    }

    #[test]
    fn silence_of_a_machine_that_was_heard_since_is_not_called_missed() {
        let tail = |windows, heard_at| said(windows, heard_at).split_once("It was").unwrap().1.to_owned();
        assert_eq!(
            tail("Sat 10:00-11:00", "2026-11-23T14:00:00Z"),
            " reached in 0 of 1 window that is over; of 1 nobody can tell."
        );
        assert_eq!(
            tail("Mon 10:00-11:00", "2026-11-23T09:30:00Z"),
            " reached in 1 of 1 window that is over."
        );
        // The machine itself told of that one.
        assert_eq!(
            tail("Sun 10:00-11:00", "2026-11-23T14:00:00Z"),
            " reached in 0 of 1 window that is over. Missed last: Sun 22 Nov 10:00 plant time."
        );
        assert_eq!(
            tail("Tue 10:00-11:00, Wed 10:00-11:00", FRIDAY),
            " reached in 1 of 1 window that is over."
        );
    }
}
