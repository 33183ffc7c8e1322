//! When a link is open, and how: `closed 20s, open 12s`, again and again, or ending in a state that stays.
//!
//! A span is a state, its length and conditions of its own: `forget 2m, open 6s rate=32kbit/s latency=300ms`.

use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use tidegate_core::time::Milliseconds;

use super::Path;
use super::conditions::{Closed, Conditions, Setting};

/// Spans in their order. Where the last one has no length it stays; otherwise they begin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Span>);

/// One state, how long it lasts and what is different in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The state.
    pub path: Path,
    /// In which way it is closed; `None`: in the link's usual way, or it is open.
    pub closed: Option<Closed>,
    /// What is different from the link's usual conditions while it lasts; a later one counts more.
    pub settings: Vec<Setting>,
    /// How long; `None`: for good.
    pub lasts: Option<Milliseconds>,
}

/// A text that is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a schedule such as `closed 20s, open 12s`, `open 5s, closed` or `drop 2m, open 6s rate=32kbit/s`"
)]
pub struct InvalidSchedule(String);

impl Schedule {
    /// Open for good.
    pub fn always_open() -> Self {
        Self(vec![Span { path: Path::Open, closed: None, settings: Vec::new(), lasts: None }])
    }

    /// The spans, again and again where none lasts for good.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let lasts_for_good = self.0.last().is_some_and(|span| span.lasts.is_none());
        let rounds = if lasts_for_good { 1 } else { usize::MAX };
        (0..rounds).flat_map(|_| self.0.iter().cloned())
    }
}

impl Span {
    /// How long it lasts; `None`: for good.
    pub fn duration(&self) -> Option<Duration> {
        self.lasts.map(|lasts| Duration::from_millis(lasts.0))
    }

    /// The conditions while it lasts, where `usual` are the link's.
    pub fn conditions(&self, usual: Conditions) -> Conditions {
        Conditions { closed: self.closed.unwrap_or(usual.closed), ..usual }.with(&self.settings)
    }

    /// Reads one span: a state, perhaps a length, and settings.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().peekable();
        let (path, closed) = match words.next()? {
            "open" => (Path::Open, None),
            "closed" => (Path::Closed, None),
            way => (Path::Closed, Some(clap::ValueEnum::from_str(way, false).ok()?)),
        };
        let length = words.next_if(|word| !word.contains('='));
        let lasts = length.map(Milliseconds::parse).transpose().ok()?;
        let settings = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { path, closed, settings, lasts })
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |part: &str| InvalidSchedule(part.trim().to_owned());
        let parts: Vec<_> = text.split(',').collect();
        let mut spans = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let span = Span::read(part).ok_or_else(|| invalid(part))?;
            let is_last = index + 1 == parts.len();
            // A span of nothing could be repeated for ever without time passing.
            if !span.lasts.map_or(is_last, |lasts| lasts.0 > 0) {
                return Err(invalid(text));
            }
            spans.push(span);
        }
        Ok(Self(spans))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.closed {
            Some(closed) => closed.fmt(formatter)?,
            None => self.path.fmt(formatter)?,
        }
        if let Some(lasts) = self.lasts {
            write!(formatter, " {lasts}")?;
        }
        self.settings.iter().try_for_each(|setting| write!(formatter, " {setting}"))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{span}")?;
        }
        if self.0.last().is_some_and(|span| span.lasts.is_some()) {
            formatter.write_str(", and again")?;
        }
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Closed => "closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_begins_again_unless_its_last_state_stays() {
        let again: Schedule = "closed 20s, open 12s".parse().unwrap();
        let paths: Vec<_> = again.spans().take(5).map(|span| span.path).collect();
        assert_eq!(paths, [Path::Closed, Path::Open, Path::Closed, Path::Open, Path::Closed]);
        assert_eq!(again.to_string(), "closed 20s, open 12s, and again");

        let once: Schedule = "open 5s,closed".parse().unwrap();
        assert_eq!(once.spans().count(), 2);
        assert_eq!(once.to_string(), "open 5s, closed");
        assert_eq!(Schedule::always_open().spans().count(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = [
            "",
            "open,closed 3s",
            "ajar 3s",
            "open 3",
            "open 0s",
            "open 3s,",
            "open 3s 4s",
            "open rate=1kbit/s 3s",
            "open 3s speed=4",
        ];
        for wrong in wrong {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_can_have_conditions_of_its_own() {
        let text = "open 10s, drop 2m, open 6s rate=32kbit/s latency=up:300ms, closed";
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.to_string(), text);
        let usual = Conditions::closing(Closed::Silent);
        let conditions: Vec<_> = schedule.spans().map(|span| span.conditions(usual)).collect();
        assert_eq!(conditions[0], usual);
        assert_eq!(conditions[1].closed, Closed::Drop);
        assert_eq!(conditions[2].up.latency, Duration::from_millis(300));
        assert_eq!(conditions[2].down.latency, Duration::ZERO);
        assert_eq!(conditions[3], usual);
    }
}
