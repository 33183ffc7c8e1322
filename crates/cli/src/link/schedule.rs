//! When a link is open: `closed 20s, open 12s`, again and again, or ending in a state that stays.

use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use tidegate_core::time::Milliseconds;

use super::Path;

/// Spans in their order. Where the last one has no length it stays; otherwise they begin again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Span>);

/// One state and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The state.
    pub path: Path,
    /// How long; `None`: for good.
    pub lasts: Option<Milliseconds>,
}

/// A text that is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a schedule such as `closed 20s, open 12s` or `open 5s, closed`")]
pub struct InvalidSchedule(String);

impl Schedule {
    /// Open for good.
    pub fn always_open() -> Self {
        Self(vec![Span { path: Path::Open, lasts: None }])
    }

    /// The spans, again and again where none lasts for good.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let lasts_for_good = self.0.last().is_some_and(|span| span.lasts.is_none());
        let rounds = if lasts_for_good { 1 } else { usize::MAX };
        (0..rounds).flat_map(|_| self.0.iter().copied())
    }
}

impl Span {
    /// How long it lasts; `None`: for good.
    pub fn duration(self) -> Option<Duration> {
        self.lasts.map(|lasts| Duration::from_millis(lasts.0))
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSchedule(text.to_owned());
        let parts: Vec<_> = text.split(',').collect();
        let mut spans = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let mut words = part.split_whitespace();
            let path = match words.next() {
                Some("open") => Path::Open,
                Some("closed") => Path::Closed,
                Some(_) | None => return Err(invalid()),
            };
            let lasts = words.next().map(Milliseconds::parse).transpose().map_err(|_| invalid())?;
            let is_last = index + 1 == parts.len();
            // A span of nothing could be repeated for ever without time passing.
            let has_sense = lasts.map_or(is_last, |lasts| lasts.0 > 0);
            if words.next().is_some() || !has_sense {
                return Err(invalid());
            }
            spans.push(Span { path, lasts });
        }
        Ok(Self(spans))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match span.lasts {
                Some(lasts) => write!(formatter, "{comma}{} {lasts}", span.path)?,
                None => write!(formatter, "{comma}{}", span.path)?,
            }
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
        for wrong in ["", "open,closed 3s", "ajar 3s", "open 3", "open 0s", "open 3s,", "open 3s 4s"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }
}
