//! Time and randomness from the system: the only place that asks for either.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::time::Timestamp;

/// The system's time.
pub(crate) fn now() -> Timestamp {
    let milliseconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |span| -span),
    };
    Timestamp::from_milliseconds(milliseconds)
}

/// 32 fresh bytes from the system's generator.
///
/// # Panics
///
/// When the system has no generator, without which no id, key or token can be made.
pub(crate) fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system's random generator answers");
    bytes
}
