//! Maintenance windows: the spans of a week in which a site's machines are planned to be reached.
//!
//! A plan is what people expect and what they are shown. Nothing is decided by it: a machine that is reached at any
//! other time is served all the same.

mod text;

use crate::time::{Milliseconds, Timestamp};
use crate::zone::Zone;

pub(crate) use text::check_windows;
pub use text::{read_windows, windows_text};

/// The most windows of one site.
pub const WINDOWS_MAX: usize = 14;
const MINUTES_OF_DAY: u16 = 24 * 60;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// The most days that are looked at for windows at once.
const DAYS_MAX: u32 = 40;

/// A span of some days of the week, on the site's clock. Written `Mon-Fri 02:00-02:12`, `Sat 22:00-06:00` (into the
/// next day), `Sun 00:00-24:00`, `daily 02:00-02:12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Weekday from 0, Monday.
    first: u8,
    /// The same; before `first`: over the end of the week.
    last: u8,
    /// Minute of the day, below 1,440.
    from: u16,
    /// Minute of the day, at most 1,440; not after `from`: of the next day.
    until: u16,
}

crate::schema_text!(
    Window,
    "A planned span of some days of the week on the site's clock: `Mon-Fri 02:00-02:12`, `Sat 22:00-06:00`."
);

/// When a window is open once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

/// When those windows are open between two times, by their beginning. It looks at 40 days at most.
pub fn openings(windows: &[Window], zone: &Zone, from: Timestamp, to: Timestamp) -> Vec<Opening> {
    let mut openings = Vec::new();
    // Noon, as some days lack their midnight; the day before, as a window may reach into the next.
    let mut day = zone.day_start(from, 1).shifted_by_ms(12 * 3_600_000);
    for _ in 0..DAYS_MAX {
        if zone.day_start(day, 0) >= to {
            break;
        }
        let of_day = windows.iter().filter_map(|window| window.opening(zone, day));
        openings.extend(of_day.filter(|opening| opening.to > from && opening.from < to));
        day = zone.day_start(day.shifted_by_ms(24 * 3_600_000), 0).shifted_by_ms(12 * 3_600_000);
    }
    openings.sort_by_key(|opening| (opening.from, opening.to));
    openings
}

/// The window that is open at `now`, else the next one.
pub fn next_opening(windows: &[Window], zone: &Zone, now: Timestamp) -> Option<Opening> {
    // A week, and the hour by which it may be longer.
    let until = now.shifted_by_ms((7 * 24 + 1) * 3_600_000);
    openings(windows, zone, now, until).into_iter().next()
}

impl Window {
    /// The opening that begins on the day of `at`; `None`: it does not open on that weekday, or never as clocks skip
    /// all of it.
    fn opening(&self, zone: &Zone, at: Timestamp) -> Option<Opening> {
        let weekday = WEEKDAYS.iter().position(|name| *name == zone.weekday(at))?;
        let (first, last) = (usize::from(self.first), usize::from(self.last));
        let is_open = if first <= last {
            (first..=last).contains(&weekday)
        } else {
            weekday >= first || weekday <= last
        };
        if !is_open {
            return None;
        }
        let until = if self.until <= self.from { self.until + MINUTES_OF_DAY } else { self.until };
        let opening = Opening { from: zone.minute_of(at, self.from)?, to: zone.minute_of(at, until)? };
        (opening.from < opening.to).then_some(opening)
    }
}

impl Opening {
    /// How long it lasts.
    pub fn length(&self) -> Milliseconds {
        self.to.since(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn told(windows: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let openings = openings(&read_windows(windows).unwrap(), &Zone::named(zone), at(from), at(to));
        openings.iter().map(|opening| format!("{} {}", opening.from, opening.length().0 / 60_000)).collect()
    }

    #[test]
    fn a_window_opens_on_the_sites_clock() {
        assert_eq!(
            told("Mon-Tue 02:00-02:12", "Europe/Berlin", "2026-11-21T00:00:00Z", "2026-11-28T00:00:00Z"),
            ["2026-11-23T01:00:00.000Z 12", "2026-11-24T01:00:00.000Z 12"]
        );
    }

    #[test]
    fn a_window_over_midnight_and_over_the_week_is_one() {
        assert_eq!(
            told("Sun 22:00-06:00", "UTC", "2026-11-23T05:00:00Z", "2026-11-23T05:30:00Z"),
            ["2026-11-22T22:00:00.000Z 480"]
        );
        let three = told("Sat-Mon 01:00-02:00", "UTC", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z");
        assert_eq!(three.len(), 3, "{three:?}");
    }

    #[test]
    fn clocks_that_change_skip_nothing_but_what_they_skip() {
        let spring =
            told("daily 02:00-03:30", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(spring, ["2026-03-29T01:00:00.000Z 30"], "it opens at 3, as there is no 2");
        assert!(
            told("daily 02:10-02:20", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z").len()
                <= 1
        );
        let autumn =
            told("daily 01:00-04:00", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(autumn, ["2026-10-24T23:00:00.000Z 240"], "the hour that comes twice is in it twice");
    }

    #[test]
    fn the_next_one_may_be_open_now_or_a_week_away() {
        let windows = read_windows("Mon 02:00-03:00").unwrap();
        let next =
            |now| next_opening(&windows, &Zone::named("UTC"), at(now)).map(|next| next.from.to_string());
        assert_eq!(next("2026-11-23T02:30:00Z").as_deref(), Some("2026-11-23T02:00:00.000Z"));
        assert_eq!(next("2026-11-23T03:00:00Z").as_deref(), Some("2026-11-30T02:00:00.000Z"));
        assert_eq!(next_opening(&[], &Zone::named("UTC"), at("2026-11-23T03:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn openings_lie_in_order_and_within_what_was_asked(
            from in 0_i64..4_102_444_800_000, days in 0_i64..60, zone in prop::sample::select(vec!["UTC", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"]),
        ) {
            let windows = read_windows("Fri-Mon 22:00-06:00, daily 00:00-24:00, Wed 02:00-02:12").unwrap();
            let (from, to) = (Timestamp::from_milliseconds(from), Timestamp::from_milliseconds(from + days * 86_400_000));
            let openings = openings(&windows, &Zone::named(zone), from, to);
            prop_assert!(openings.len() <= 3 * 41);
            prop_assert!(openings.is_sorted_by_key(|opening| opening.from));
            prop_assert!(openings.iter().all(|opening| opening.from < to && opening.to > from && opening.from < opening.to));
        }
    }
}
