//! When a machine was heard in the last days: a line for each day on the plant's clock, and the same in words.

use maud::{Markup, html};
use tidegate_core::api::{ContactKind, ContactSpan, ContactsView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::id::EndpointId;
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::words::{one_line, span};

use crate::call::ask_endpoint;
use crate::host::Host;
use crate::pages::moment::Moment;
use crate::pages::words;
use crate::problem::Problem;

/// Days drawn, today among them.
const DAYS: u32 = 7;
/// How finely a day is drawn: at most 150 marks on a line, whatever happened. What is shorter is drawn as long.
const SLOT_MS: i64 = 600_000;
/// Height of a line in the units of its drawing; its width is a unit for each slot.
const HEIGHT: i64 = 12;

/// The spans since the first day that is drawn.
pub(super) async fn read(host: &dyn Host, id: EndpointId, moment: &Moment) -> Result<ContactsView, Problem> {
    let since = moment.zone().day_start(moment.now(), DAYS - 1);
    match ask_endpoint(host, id, EndpointQuestion::Contacts { since }).await? {
        Answer::Contacts(view) => Ok(view),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// The drawing after what it says in words.
pub(super) fn drawn(view: &ContactsView, moment: &Moment) -> Markup {
    html! {
        h3 { "The last " (DAYS) " days" }
        p { (in_words(view, moment)) }
        figure .contacts {
            div .hours aria-hidden="true" { @for hour in ["0", "6", "12", "18", "24"] { span { (hour) } } }
            ol {
                @for back in (0..DAYS).rev() {
                    @let day = Day::new(moment, back);
                    li { span .day { (moment.day(day.from)) } (day.line(&view.spans)) }
                }
            }
            figcaption {
                span .key.heard { "heard" } " " span .key.presumed { "presumably reachable" } " "
                span .key.outage { "found no path" } " " span .key { "nobody can tell" }
            }
        }
    }
}

/// The whole of it in a sentence or three.
fn in_words(view: &ContactsView, moment: &Moment) -> Markup {
    let outages: Vec<_> = view.spans.iter().filter(|span| span.kind == ContactKind::Outage).collect();
    let longest = outages.iter().max_by_key(|outage| length(outage).0);
    let silent = view.spans.last().filter(|last| last.kind == ContactKind::Unknown);
    html! {
        (told(&sums(&view.spans))) ". "
        @match longest {
            Some(outage) => {
                "It was without a path " (words::count(outages.len(), "time")) ", the longest from " (moment.at(outage.from))
                " to " (moment.at(outage.to))
                @if let Some(problem) = outage.problem.as_deref().filter(|problem| !problem.is_empty()) { ": " (one_line(problem)) }
                ". "
            }
            None => { "It told of no time without a path. " }
        }
        @if let Some(last) = silent { "Nothing was heard of it since " (moment.at(last.from)) "." }
    }
}

/// How long it was each: heard, presumed, without a path, unknown.
fn sums(spans: &[ContactSpan]) -> [u64; 4] {
    let mut sums = [0; 4];
    for span in spans {
        sums[rank(span.kind)] += length(span).0;
    }
    sums
}

/// `Heard for 3 h, presumably reachable for 2 h, without a path for 48 min, unknown for 1 h`, without what is not so.
fn told(sums: &[u64; 4]) -> String {
    let names = ["heard for", "presumably reachable for", "without a path for", "unknown for"];
    let parts: Vec<_> = (names.iter().zip(sums))
        .filter(|(_, ms)| **ms > 0)
        // Seconds are below what is drawn.
        .map(|(name, ms)| {
            format!(
                "{name} {}",
                if *ms < 60_000 { span(Milliseconds(*ms)) } else { span(Milliseconds(ms / 60_000 * 60_000)) }
            )
        })
        .collect();
    let text = if parts.is_empty() { "nothing to tell".to_owned() } else { parts.join(", ") };
    text[..1].to_uppercase() + &text[1..]
}

fn length(span: &ContactSpan) -> Milliseconds {
    span.to.since(span.from)
}

/// Where a kind stands among the sums.
fn rank(kind: ContactKind) -> usize {
    match kind {
        ContactKind::Heard => 0,
        ContactKind::Presumed => 1,
        ContactKind::Outage => 2,
        ContactKind::Unknown => 3,
    }
}

/// A day on the plant's clock, which has 23 to 25 hours.
struct Day {
    from: Timestamp,
    to: Timestamp,
    /// The end of what can be known.
    now: Timestamp,
}

/// A mark in a line: its first slot, how many, and of what kind.
type Mark = (i64, i64, ContactKind);

impl Day {
    fn new(moment: &Moment, back: u32) -> Self {
        let (zone, now) = (moment.zone(), moment.now());
        let from = zone.day_start(now, back);
        // Some hours into the next day, wherever its midnight is.
        let to = zone.day_start(from.shifted_by_ms(36 * 3_600_000), 0);
        Self { from, to, now }
    }

    fn line(&self, spans: &[ContactSpan]) -> Markup {
        let slots = self.slot(self.to);
        let within: Vec<_> = spans.iter().filter_map(|span| self.cut(span)).collect();
        html! {
            svg viewBox={ "0 0 " (slots) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(told(&sums(&within))) {
                @for (at, count, kind) in self.marks(&within) {
                    @match kind {
                        ContactKind::Heard => rect .heard x=(at) y="0" width=(count) height=(HEIGHT) {},
                        ContactKind::Presumed => rect .presumed x=(at) y=(HEIGHT / 2) width=(count) height=(HEIGHT / 2) {},
                        ContactKind::Outage => rect .outage x=(at) y=(HEIGHT - 3) width=(count) height="3" {},
                        ContactKind::Unknown => {}
                    }
                }
                @if let Some(later) = self.later() { rect .later x=(later) y="0" width=(slots - later) height=(HEIGHT) {} }
            }
        }
    }

    /// The first slot of which nothing can be known yet; that of now tells already what was so in it.
    fn later(&self) -> Option<i64> {
        let later = self.slot(self.now) + 1;
        (later < self.slot(self.to)).then_some(later)
    }

    fn slot(&self, at: Timestamp) -> i64 {
        (at.milliseconds() - self.from.milliseconds()).div_euclid(SLOT_MS)
    }

    /// The part of a span that lies in this day.
    fn cut(&self, span: &ContactSpan) -> Option<ContactSpan> {
        let (from, to) = (span.from.max(self.from), span.to.min(self.to));
        (from < to).then(|| ContactSpan { from, to, ..span.clone() })
    }

    /// The marks of those spans. A slot in which several things were so shows the one that tells most: an outage, then
    /// that it was heard.
    fn marks(&self, spans: &[ContactSpan]) -> Vec<Mark> {
        let mut slots = vec![ContactKind::Unknown; usize::try_from(self.slot(self.to)).unwrap_or(0)];
        for kind in [ContactKind::Presumed, ContactKind::Heard, ContactKind::Outage] {
            for span in spans.iter().filter(|span| span.kind == kind) {
                let last = self.slot(span.to.shifted_by_ms(-1));
                for slot in self.slot(span.from)..=last {
                    if let Some(slot) = usize::try_from(slot).ok().and_then(|slot| slots.get_mut(slot)) {
                        *slot = kind;
                    }
                }
            }
        }
        let mut marks: Vec<Mark> = Vec::new();
        for (at, kind) in (0_i64..).zip(slots) {
            match marks.last_mut() {
                Some((_, count, last)) if *last == kind => *count += 1,
                Some(_) | None => marks.push((at, 1, kind)),
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn span_of(from: &str, to: &str, kind: ContactKind) -> ContactSpan {
        ContactSpan { from: at(from), to: at(to), kind, problem: None }
    }

    fn moment() -> Moment {
        Moment::new(at("2026-11-23T14:03:05Z"), "Europe/Berlin")
    }

    #[test]
    fn a_day_is_the_plants_and_shows_what_tells_most() {
        let spans = [
            span_of("2026-11-21T20:00:00Z", "2026-11-22T00:00:00Z", ContactKind::Heard),
            span_of("2026-11-22T00:00:00Z", "2026-11-22T00:05:00Z", ContactKind::Outage),
            span_of("2026-11-22T00:05:00Z", "2026-11-22T12:00:00Z", ContactKind::Presumed),
        ];
        let day = Day::new(&moment(), 1);
        assert_eq!((day.from, day.to), (at("2026-11-21T23:00:00Z"), at("2026-11-22T23:00:00Z")));
        let within: Vec<_> = spans.iter().filter_map(|span| day.cut(span)).collect();
        let marks = day.marks(&within);
        assert_eq!(
            marks,
            [
                (0, 6, ContactKind::Heard),
                (6, 1, ContactKind::Outage),
                (7, 71, ContactKind::Presumed),
                (78, 66, ContactKind::Unknown)
            ]
        );
        assert_eq!(
            told(&sums(&within)),
            "Heard for 1 h, presumably reachable for 11 h 55 min, without a path for 5 min"
        );
    }

    #[test]
    fn a_day_on_which_the_clock_changes_keeps_its_length() {
        let moment = Moment::new(at("2026-10-26T12:00:00Z"), "Europe/Berlin");
        let day = Day::new(&moment, 1);
        assert_eq!(day.slot(day.to), 150);
        let today = Day::new(&moment, 0);
        assert_eq!((today.from, today.slot(today.to)), (day.to, 144));
    }

    #[test]
    fn what_is_still_to_come_hides_nothing_that_was() {
        let moment = moment();
        let today = Day::new(&moment, 0);
        assert_eq!((today.slot(moment.now()), today.later()), (90, Some(91)));
        assert_eq!(Day::new(&moment, 1).later(), None);
        let before_midnight = Moment::new(at("2026-11-23T22:55:00Z"), "Europe/Berlin");
        assert_eq!(Day::new(&before_midnight, 0).later(), None);
    }

    #[test]
    fn marks_stay_few_however_often_a_path_closes() {
        let day = Day::new(&moment(), 1);
        let spans: Vec<_> = (0..1_440_i64)
            .map(|minute| ContactSpan {
                from: day.from.shifted_by_ms(minute * 60_000),
                to: day.from.shifted_by_ms((minute + 1) * 60_000),
                kind: if minute % 2 == 0 { ContactKind::Heard } else { ContactKind::Outage },
                problem: None,
            })
            .collect();
        assert_eq!(day.marks(&spans), [(0, 144, ContactKind::Outage)]);
    }

    #[test]
    fn it_says_since_when_nothing_was_heard_and_what_a_machine_met_is_inert() {
        let outage = ContactSpan {
            problem: Some("<b>refused</b>\u{1b}[2J".to_owned()),
            ..span_of("2026-11-22T22:00:00Z", "2026-11-23T01:00:00Z", ContactKind::Outage)
        };
        let spans =
            vec![outage, span_of("2026-11-23T01:00:00Z", "2026-11-23T14:03:05Z", ContactKind::Unknown)];
        let view = ContactsView { at: at("2026-11-23T14:03:05Z"), since: at("2026-11-22T22:00:00Z"), spans };
        let shown = drawn(&view, &moment()).into_string();
        assert!(
            shown.contains("Without a path for 3 h, unknown for 13 h 3 min. It was without a path 1 time"),
            "{shown}"
        );
        assert!(shown.contains("&lt;b&gt;refused&lt;/b&gt;\\x1b[2J") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains("Nothing was heard of it since <time"), "{shown}");
    }
}
