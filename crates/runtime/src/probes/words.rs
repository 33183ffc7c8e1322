//! How measured things are put for people.

use std::io;
use std::time::Duration;

/// Milliseconds to the microsecond.
pub(super) fn milliseconds(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1_000.0)
}

/// To three places: microseconds where the number is milliseconds.
pub(super) fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// The operating system's words without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// `300 ms`, `1.5 s`, `5 s`: a limit as people say it.
pub(super) fn limit(time: Duration) -> String {
    match time.as_millis() {
        below @ 0..1_000 => format!("{below} ms"),
        _ => format!("{} s", time.as_secs_f64()),
    }
}

/// `2.7 MB`.
pub(super) fn amount(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// `1 error`, `3 errors`: for words whose plural takes an s.
pub(super) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// `3 min`, `5 h`, `12 days`: how long something has been.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_spans_are_what_people_say() {
        assert_eq!([amount(999), amount(2_700_000)], ["999 bytes", "2.7 MB"]);
        assert_eq!([counted(1, "error"), counted(0, "error")], ["1 error", "0 errors"]);
        assert_eq!([span(90), span(3_600), span(900_000)], ["90 s", "60 min", "10 days"]);
        assert_eq!(
            [300, 1_500, 5_000].map(|ms| limit(Duration::from_millis(ms))),
            ["300 ms", "1.5 s", "5 s"]
        );
    }
}
