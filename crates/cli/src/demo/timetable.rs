//! When the link opens and closes in the story. It is printed before it happens, and kept to the second.

use std::time::Duration;

use tidegate_core::time::{Milliseconds, Timestamp};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::link::{Path, Schedule, Span};
use crate::time;

/// The night. The fourth step outlasts the first window; the second one opens after it has ended.
const NIGHT: &str = "closed 14s, open 10s, closed 14s, open 8s, closed";
/// How long the link stays closed before a window that the night did not plan.
const CLOSED: Duration = Duration::from_secs(10);
/// Such a window.
const OPEN: Duration = Duration::from_secs(10);

/// The link's schedule, tied to the clock.
#[derive(Debug)]
pub(super) struct Timetable {
    began: Instant,
    began_at: Timestamp,
    spans: Vec<Span>,
    windows: Vec<Window>,
    windows_used: usize,
}

/// A span in which the link is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// When it opens.
    pub opens: Instant,
    /// How long it stays open.
    pub lasts: Duration,
}

impl Window {
    /// When it closes.
    pub(super) fn closes(self) -> Instant {
        self.opens + self.lasts
    }
}

impl Timetable {
    /// The night begins.
    pub(super) fn begin() -> Result<Self, Failure> {
        let schedule: Schedule =
            NIGHT.parse().map_err(|error| Failure::refused("the night has no schedule").caused_by(&error))?;
        let began = Instant::now();
        let spans: Vec<_> = schedule.spans().collect();
        let mut windows = Vec::new();
        let mut at = began;
        for span in &spans {
            let lasts = span.duration().unwrap_or_default();
            if span.path == Path::Open {
                windows.push(Window { opens: at, lasts });
            }
            at += lasts;
        }
        Ok(Self { began, began_at: time::now(), spans, windows, windows_used: 0 })
    }

    /// The next window; past the planned ones, another soon.
    pub(super) fn next_window(&mut self) -> Window {
        let planned = self.windows.get(self.windows_used).copied();
        self.windows_used += 1;
        planned.unwrap_or_else(|| Window { opens: Instant::now().max(self.began) + CLOSED, lasts: OPEN })
    }

    /// A line a span, with the time at which it begins.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut at = self.began_at;
        let mut lines = Vec::new();
        for span in &self.spans {
            let (path, bar) = match span.path {
                Path::Open => ("open", '█'),
                Path::Closed => ("closed", '·'),
            };
            let seconds = span.duration().unwrap_or_default().as_secs();
            let lasts = match span.lasts {
                Some(_) => format!("for {seconds} s"),
                None => "until morning".to_owned(),
            };
            let bar = bar.to_string().repeat(usize::try_from(seconds).unwrap_or(0));
            lines.push(format!("{}  {path:<6}  {lasts:<13}  {bar}", time::clock(at)).trim_end().to_owned());
            at = at.plus(span.lasts.unwrap_or(Milliseconds(0)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_has_two_windows_and_another_where_those_do_not_do() {
        let mut timetable = Timetable::begin().unwrap();
        let first = timetable.next_window();
        let second = timetable.next_window();
        assert_eq!(first.opens, timetable.began + Duration::from_secs(14));
        assert_eq!(second.opens, first.closes() + Duration::from_secs(14));
        assert_eq!(timetable.next_window().lasts, OPEN);
        assert_eq!(timetable.lines().len(), 5);
        assert!(timetable.lines()[4].ends_with("closed  until morning"));
    }
}
