//! Times and spans as people read them in a terminal, and the clock of this computer.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::time::Timestamp;
pub(crate) use tidegate_core::words::span;

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
}
