//! A day as a line.

use maud::{Markup, html};
use tidegate_core::api::{ContactKind, ContactSpan};
use tidegate_core::time::Timestamp;
use tidegate_core::window::Opening;

use super::{sums, told};
use crate::pages::moment::Moment;

/// How finely a day is drawn: at most 150 marks on a line, whatever happened. What is shorter is drawn as long.
const SLOT_MS: i64 = 600_000;
/// Height of a line in the units of its drawing; its width is a unit for each slot.
const HEIGHT: i64 = 12;

/// A day on the plant's clock, which has 23 to 25 hours.
pub(super) struct Day {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The end of what can be known.
    now: Timestamp,
}

/// A mark in a line: its first slot, how many, and of what kind.
type Mark = (i64, i64, ContactKind);

impl Day {
    pub(super) fn new(moment: &Moment, back: u32) -> Self {
        let (zone, now) = (moment.zone(), moment.now());
        let from = zone.day_start(now, back);
        // Some hours into the next day, wherever its midnight is.
        let to = zone.day_start(from.shifted_by_ms(36 * 3_600_000), 0);
        Self { from, to, now }
    }

    /// What was so on it, and above that what was planned for it.
    pub(super) fn line(&self, spans: &[ContactSpan], planned: &[Opening]) -> Markup {
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
                @for (at, count) in planned.iter().filter_map(|opening| self.place(opening)) {
                    rect .planned x=(at) y="0" width=(count) height="4" {}
                }
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

    /// The slots of what is planned for this day: the first, and how many.
    fn place(&self, opening: &Opening) -> Option<(i64, i64)> {
        let (from, to) = (opening.from.max(self.from), opening.to.min(self.to));
        let first = self.slot(from);
        (from < to).then(|| (first, self.slot(to.shifted_by_ms(-1)) - first + 1))
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
    use crate::pages::machine::contact::tests::{at, moment, span_of};

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
    fn what_is_planned_stands_above_what_was_and_what_is_to_come() {
        let day = Day::new(&moment(), 0);
        let opening = |from: &str, to: &str| Opening { from: at(from), to: at(to) };
        let night = opening("2026-11-22T21:00:00Z", "2026-11-23T05:00:00Z");
        assert_eq!(day.place(&night), Some((0, 36)), "the part of it that lies in the day");
        let short = opening("2026-11-23T15:05:00Z", "2026-11-23T15:06:00Z");
        assert_eq!(day.place(&short), Some((96, 1)), "it is seen however short");
        assert_eq!(day.place(&opening("2026-11-21T21:00:00Z", "2026-11-22T23:00:00Z")), None);
        let drawn = day.line(&[], &[night, short]).into_string();
        assert!(drawn.find("later").unwrap() < drawn.find("planned").unwrap(), "{drawn}");
    }
}
