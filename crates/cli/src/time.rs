//! Times and spans as people read them in a terminal, and the clock of this computer.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::time::{Milliseconds, Timestamp};

/// The time by this computer's clock; 1970 where the clock is before it.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// `2026-11-23 14:03:05Z`.
pub(crate) fn full(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(date), Some(clock)) => format!("{date} {clock}Z"),
        _ => text,
    }
}

/// `14:03:05Z`.
pub(crate) fn clock(time: Timestamp) -> String {
    time.to_string().get(11..19).map(|clock| format!("{clock}Z")).unwrap_or_default()
}

/// `11-23 14:03Z`, for narrow columns.
pub(crate) fn short(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(5..10), text.get(11..16)) {
        (Some(date), Some(clock)) => format!("{date} {clock}Z"),
        _ => text,
    }
}

/// A span in the two largest units that tell something: `340 ms`, `12.4 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(crate) fn span(span: Milliseconds) -> String {
    let ms = span.0;
    let pair = |large: u64, large_name: &str, small: u64, small_name: &str| match small {
        0 => format!("{large} {large_name}"),
        _ => format!("{large} {large_name} {small} {small_name}"),
    };
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => pair(ms / 60_000, "min", ms % 60_000 / 1_000, "s"),
        3_600_000..86_400_000 => pair(ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "min"),
        _ => pair(ms / 86_400_000, "d", ms % 86_400_000 / 3_600_000, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_the_same_everywhere() {
        let time: Timestamp = "2026-11-23T14:03:05.250Z".parse().unwrap();
        assert_eq!(full(time), "2026-11-23 14:03:05Z");
        assert_eq!(clock(time), "14:03:05Z");
        assert_eq!(short(time), "11-23 14:03Z");
    }

    #[test]
    fn spans_read_in_the_units_that_tell_something() {
        let of = |ms| span(Milliseconds(ms));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(12_450), "12.4 s");
        assert_eq!(of(185_000), "3 min 5 s");
        assert_eq!(of(7_200_000), "2 h");
        assert_eq!(of(7_800_000), "2 h 10 min");
        assert_eq!(of(273_600_000), "3 d 4 h");
    }
}
