//! Times as pages show them: in the plant's time zone, with UTC and the reader's own on hover.

use maud::{Markup, html};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::words::span;
use tidegate_core::zone::Zone;

/// The time at which a page is made, and the clock that it shows times on.
pub(super) struct Moment {
    now: Timestamp,
    zone: Zone,
}

impl Moment {
    /// Now, on the clock of the zone of that name.
    pub(super) fn new(now: Timestamp, zone: &str) -> Self {
        Self { now, zone: Zone::named(zone) }
    }

    /// Now, where machines of several sites stand together.
    pub(super) fn utc(now: Timestamp) -> Self {
        Self::new(now, "UTC")
    }

    /// The time at which the page is made.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The clock that times are shown on.
    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The day of `at` on that clock: `22 Nov`, in another year the whole date.
    pub(super) fn day(&self, at: Timestamp) -> String {
        short_day(&self.zone.local(at).0, &self.zone.local(self.now).0)
    }

    /// `plant time` or `UTC`: what stands once above times that do not say it themselves.
    pub(super) fn zone_name(&self) -> &'static str {
        self.zone.name()
    }

    /// `15:03`, on another day `22 Nov 15:03`, in another year `2025-11-22 15:03`.
    pub(super) fn at(&self, at: Timestamp) -> Markup {
        self.told(at, &self.text(at, 5))
    }

    /// The same to the second.
    pub(super) fn second(&self, at: Timestamp) -> Markup {
        self.told(at, &self.text(at, 8))
    }

    /// `Fri 27 Nov 09:00 plant time`: a time that somebody plans by.
    pub(super) fn planned(&self, at: Timestamp) -> Markup {
        let (today, _) = self.zone.local(self.now);
        let (day, clock) = self.zone.local(at);
        let clock = clock.get(..5).unwrap_or(&clock);
        let text =
            format!("{} {} {clock} {}", self.zone.weekday(at), short_day(&day, &today), self.zone.name());
        self.told(at, &text)
    }

    /// What a field for day and minute holds: `2026-11-27T09:00`.
    pub(super) fn typed(&self, at: Timestamp) -> String {
        let (day, clock) = self.zone.local(at);
        format!("{day}T{}", clock.get(..5).unwrap_or(&clock))
    }

    /// When the plant's clock shows what such a field holds; `None`: no day and minute.
    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        self.zone.read(text)
    }

    /// `12 s ago`, `3 h 5 min ago`, `in 2 min`.
    pub(super) fn ago(&self, at: Timestamp) -> Markup {
        let ms = self.now.milliseconds().saturating_sub(at.milliseconds());
        let rough = |ms: i64| {
            let ms = ms.unsigned_abs();
            // Under a minute seconds tell enough, above an hour minutes.
            let unit = if ms < 60_000 { 1_000 } else { 60_000 };
            let text = span(Milliseconds(ms / unit * unit));
            text.replace(".0 s", " s")
        };
        let text = match ms {
            0..1_000 => "just now".to_owned(),
            ..0 => format!("in {}", rough(ms)),
            _ => format!("{} ago", rough(ms)),
        };
        self.told(at, &text)
    }

    /// The text of a time, for where no markup goes.
    pub(super) fn plain(&self, at: Timestamp) -> String {
        format!("{} {}", self.text(at, 8), self.zone.name())
    }

    fn text(&self, at: Timestamp, characters: usize) -> String {
        let (today, _) = self.zone.local(self.now);
        let (day, clock) = self.zone.local(at);
        let clock = clock.get(..characters).unwrap_or(&clock);
        if day == today { clock.to_owned() } else { format!("{} {clock}", short_day(&day, &today)) }
    }

    fn told(&self, at: Timestamp, text: &str) -> Markup {
        let utc = at.to_string();
        let hover = format!("{} · {} UTC", self.plain(at), utc.get(..19).unwrap_or(&utc).replace('T', " "));
        html! { time datetime=(utc) title=(hover) { (text) } }
    }
}

/// `22 Nov` in the year of `today`, otherwise the whole date.
fn short_day(day: &str, today: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = day.split('-');
    let (year, month, date) = (parts.next(), parts.next(), parts.next());
    let name = month
        .and_then(|month| month.parse::<usize>().ok())
        .and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    match (year, name, date) {
        (Some(year), Some(name), Some(date)) if today.starts_with(year) => {
            format!("{} {name}", date.trim_start_matches('0'))
        }
        _ => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(zone: &str) -> Moment {
        Moment::new("2026-11-23T14:03:05Z".parse().unwrap(), zone)
    }

    fn text(markup: &Markup) -> String {
        let inner = markup.0.split_once('>').unwrap().1;
        inner.strip_suffix("</time>").unwrap().to_owned()
    }

    #[test]
    fn a_time_is_the_plants_and_says_utc_on_hover() {
        let told = moment("Europe/Berlin").at("2026-11-23T13:00:00Z".parse().unwrap());
        assert_eq!(
            told.0,
            "<time datetime=\"2026-11-23T13:00:00.000Z\" title=\"14:00:00 plant time · 2026-11-23 13:00:00 UTC\">14:00</time>"
        );
    }

    #[test]
    fn another_day_is_named() {
        let at = |time: &str| text(&moment("Europe/Berlin").at(time.parse().unwrap()));
        assert_eq!(at("2026-11-22T23:30:00Z"), "00:30", "after midnight at the plant");
        assert_eq!(at("2026-11-22T22:30:00Z"), "22 Nov 23:30");
        assert_eq!(at("2025-02-03T22:30:00Z"), "2025-02-03 23:30");
    }

    #[test]
    fn what_is_planned_names_its_weekday_and_is_read_as_it_is_written() {
        let berlin = moment("Europe/Berlin");
        let at: Timestamp = "2026-11-27T08:00:00Z".parse().unwrap();
        assert_eq!(text(&berlin.planned(at)), "Fri 27 Nov 09:00 plant time");
        assert_eq!(text(&moment("UTC").planned(at)), "Fri 27 Nov 08:00 UTC");
        assert_eq!(berlin.typed(at), "2026-11-27T09:00");
        assert_eq!(berlin.read(&berlin.typed(at)), Some(at));
    }

    #[test]
    fn an_age_is_as_rough_as_it_is_old() {
        let ago = |time: &str| text(&moment("UTC").ago(time.parse().unwrap()));
        assert_eq!(ago("2026-11-23T14:03:04.500Z"), "just now");
        assert_eq!(ago("2026-11-23T14:02:53Z"), "12 s ago");
        assert_eq!(ago("2026-11-23T11:00:00Z"), "3 h 3 min ago");
        assert_eq!(ago("2026-11-23T14:05:05Z"), "in 2 min");
        assert_eq!(ago("2026-11-20T10:03:05Z"), "3 d 4 h ago");
    }
}
