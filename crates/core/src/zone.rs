//! Times as people at a site read them.
//!
//! The rules of all zones are compiled in (public domain, 200 KB), so a zone that changes its rules is told wrong by
//! an hour until the control plane is updated; the time in UTC stands beside it. Nothing is decided by a zone.

use crate::time::Timestamp;

/// The most days that are gone back at once.
const DAYS_BACK_MAX: u32 = 366;

/// The clock of a site.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// The zone of that name in the IANA database; UTC where there is none.
    pub fn named(name: &str) -> Self {
        Self(jiff::tz::TimeZone::get(name).unwrap_or(jiff::tz::TimeZone::UTC))
    }

    /// Whether the IANA database has a zone of that name, in whichever case it is written.
    pub fn is_known(name: &str) -> bool {
        jiff::tz::TimeZone::get(name).is_ok()
    }

    /// `at` as short as it stays clear: `14:03 UTC`, on another day than `now` `14:03 UTC (2026-11-22)`; with a zone
    /// of its own `15:03 plant time (14:03 UTC)`, `02:00 plant time (01:00 UTC) on 2026-11-24`, and around midnight
    /// `00:30 plant time on 2026-11-24 (2026-11-23 23:30 UTC)`.
    pub fn clock(&self, now: Timestamp, at: Timestamp) -> String {
        let (utc_now, utc) = (civil(&jiff::tz::TimeZone::UTC, now), civil(&jiff::tz::TimeZone::UTC, at));
        if self.is_utc() {
            let day = if utc.0 == utc_now.0 { String::new() } else { format!(" ({})", utc.0) };
            return format!("{} UTC{day}", utc.1);
        }
        let (here_now, here) = (civil(&self.0, now), civil(&self.0, at));
        if here.0 == here_now.0 && utc.0 == here.0 {
            format!("{} plant time ({} UTC)", here.1, utc.1)
        } else if utc.0 == here.0 {
            format!("{} plant time ({} UTC) on {}", here.1, utc.1, here.0)
        } else {
            format!("{} plant time on {} ({} {} UTC)", here.1, here.0, utc.0, utc.1)
        }
    }

    /// A whole hour of UTC as this clock shows it at the time of `now`: `02:00`, in some zones `07:30`.
    pub fn hour(&self, now: Timestamp, utc_hour: u8) -> String {
        let at = crate::day::UtcDay::of(now).starts_at().shifted_by_ms(i64::from(utc_hour) * 3_600_000);
        civil(&self.0, at).1
    }

    /// Day and time of day as this clock shows them: `2026-11-23`, `15:03:05`.
    pub fn local(&self, at: Timestamp) -> (String, String) {
        let at = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
        let at = self.0.to_datetime(at);
        (at.date().to_string(), format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
    }

    /// When the day begins on this clock that lies `days_back` days before the one of `at`. A day on which the clock is
    /// changed has 23 or 25 hours. Before the year −9999 it is `at` itself.
    pub fn day_start(&self, at: Timestamp, days_back: u32) -> Timestamp {
        let instant = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
        let date = self.0.to_datetime(instant).date();
        let midnight = date
            .checked_sub(jiff::Span::new().days(i64::from(days_back.min(DAYS_BACK_MAX))))
            .and_then(|date| self.0.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())));
        midnight.map_or(at, |midnight| Timestamp::from_milliseconds(midnight.as_millisecond()))
    }

    /// When this clock shows that minute of the day of `at`; from 1,440 on, one of the next day. A time that clocks
    /// skip is the one as much later, one that they show twice the first. `None`: beyond the year 9999.
    pub(crate) fn minute_of(&self, at: Timestamp, minute: u16) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_millisecond(at.milliseconds()).ok()?;
        let midnight = self.0.to_datetime(instant).date().to_datetime(jiff::civil::Time::midnight());
        let shown = midnight.checked_add(jiff::Span::new().minutes(i64::from(minute))).ok()?;
        Some(Timestamp::from_milliseconds(self.0.to_timestamp(shown).ok()?.as_millisecond()))
    }

    /// `Mon` of the day that this clock shows.
    pub fn weekday(&self, at: Timestamp) -> &'static str {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let at = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
        let day = self.0.to_datetime(at).weekday().to_monday_zero_offset();
        usize::try_from(day).ok().and_then(|day| NAMES.get(day)).copied().unwrap_or_default()
    }

    /// When this clock shows `text`, a day and a minute as `2026-11-23T15:03`; `None`: it is not written so, or before
    /// 1970. A time that clocks skip in spring is the one an hour later, one that they show twice in autumn the first.
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let is_plain =
            text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-T:".contains(&byte));
        let shown: jiff::civil::DateTime = text.parse().ok().filter(|_| is_plain)?;
        let at = self.0.to_timestamp(shown).ok()?.as_millisecond();
        (at >= 0).then(|| Timestamp::from_milliseconds(at))
    }

    /// What this clock is called beside a time.
    pub fn name(&self) -> &'static str {
        if self.is_utc() { "UTC" } else { "plant time" }
    }

    /// Whether this clock shows UTC.
    pub fn is_utc(&self) -> bool {
        self.0 == jiff::tz::TimeZone::UTC
    }
}

/// Day and minute of `at`.
fn civil(zone: &jiff::tz::TimeZone, at: Timestamp) -> (String, String) {
    let at = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
    let at = zone.to_datetime(at);
    (at.date().to_string(), format!("{:02}:{:02}", at.hour(), at.minute()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_as_short_as_it_stays_clear() {
        let now = at("2026-11-23T14:00:00Z");
        let utc = Zone::named("UTC");
        assert_eq!(utc.clock(now, at("2026-11-23T02:05:59Z")), "02:05 UTC");
        assert_eq!(utc.clock(now, at("2026-11-22T14:03:00Z")), "14:03 UTC (2026-11-22)");
        let berlin = Zone::named("Europe/Berlin");
        assert_eq!(berlin.clock(now, at("2026-11-23T14:03:00Z")), "15:03 plant time (14:03 UTC)");
        let night = "00:30 plant time on 2026-11-24 (2026-11-23 23:30 UTC)";
        assert_eq!(berlin.clock(now, at("2026-11-23T23:30:00Z")), night);
        let tomorrow = "02:00 plant time (01:00 UTC) on 2026-11-24";
        assert_eq!(berlin.clock(now, at("2026-11-24T01:00:00Z")), tomorrow);
        assert_eq!(berlin.hour(now, 1), "02:00");
        assert_eq!(berlin.hour(at("2026-07-01T00:00:00Z"), 1), "03:00", "summer time");
        assert_eq!(Zone::named("Asia/Kolkata").hour(now, 2), "07:30");
    }

    #[test]
    fn a_day_begins_at_the_plants_midnight_and_may_have_23_or_25_hours() {
        let berlin = Zone::named("Europe/Berlin");
        let now = at("2026-10-26T12:00:00Z");
        assert_eq!(berlin.day_start(now, 0), at("2026-10-25T23:00:00Z"));
        assert_eq!(berlin.day_start(now, 1), at("2026-10-24T22:00:00Z"), "25 hours before");
        assert_eq!(berlin.day_start(at("2026-03-30T12:00:00Z"), 1), at("2026-03-28T23:00:00Z"));
        assert_eq!(
            berlin.day_start(at("2026-03-30T12:00:00Z"), 0),
            at("2026-03-29T22:00:00Z"),
            "23 hours after"
        );
        for bound in [Timestamp::from_milliseconds(i64::MIN), Timestamp::from_milliseconds(i64::MAX)] {
            let _ = (berlin.day_start(bound, u32::MAX), berlin.day_start(bound, 0));
        }
    }

    #[test]
    fn what_a_clock_shows_is_read_again() {
        let berlin = Zone::named("Europe/Berlin");
        let read = |text| berlin.read(text).map(|at| at.to_string());
        assert_eq!(read("2026-11-23T15:03").as_deref(), Some("2026-11-23T14:03:00.000Z"));
        assert_eq!(read("2026-07-01T15:03").as_deref(), Some("2026-07-01T13:03:00.000Z"));
        assert_eq!(read("2026-03-29T02:30").as_deref(), Some("2026-03-29T01:30:00.000Z"), "clocks skip it");
        assert_eq!(
            read("2026-10-25T02:30").as_deref(),
            Some("2026-10-25T00:30:00.000Z"),
            "clocks show it twice"
        );
        for text in [
            "",
            "tomorrow",
            "2026-11-23",
            "2026-13-01T00:00",
            "1969-01-01T00:00",
            "2026-11-23T15:03Z",
            "2026-11-23T15:03[UTC]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let days = ["2026-11-23T23:30:00Z", "2026-11-28T12:00:00Z"].map(|time| berlin.weekday(at(time)));
        assert_eq!(days, ["Tue", "Sat"]);
    }

    #[test]
    fn zones_of_the_database_are_known() {
        assert!(["UTC", "Europe/Berlin", "europe/berlin"].into_iter().all(Zone::is_known));
    }

    #[test]
    fn an_unknown_zone_is_utc() {
        for name in ["Mars/Olympus", "", "../../etc/passwd"] {
            assert_eq!(Zone::named(name).name(), "UTC", "{name}");
            assert!(!Zone::is_known(name), "{name}");
        }
    }
}
