//! Points in time and spans. The core never asks for the time: it is an argument.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sql::Value;

/// A point in time in milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC with
/// milliseconds. Bounded to the years 0–9999 (−62,167,219,200,000 ..= 253,402,207,200,000), which is within what
/// every host stores exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A span in milliseconds, never negative; written as people write it: `30s`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Milliseconds(pub u64);

const TIMESTAMP_MIN_MS: i64 = -62_167_219_200_000;
const TIMESTAMP_MAX_MS: i64 = 253_402_207_200_000;

impl Timestamp {
    /// The point `milliseconds` after 1970, moved into the bounds of the type when it lies outside.
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.clamp(TIMESTAMP_MIN_MS, TIMESTAMP_MAX_MS))
    }

    /// Milliseconds since 1970; negative before it.
    pub fn milliseconds(self) -> i64 {
        self.0
    }

    /// This point and `span` later, at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, span: Milliseconds) -> Self {
        Self::from_milliseconds(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }

    /// This point moved by a signed number of milliseconds.
    #[must_use]
    pub fn shifted_by_ms(self, milliseconds: i64) -> Self {
        Self::from_milliseconds(self.0.saturating_add(milliseconds))
    }

    /// The span since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Milliseconds {
        Milliseconds(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(formatter, "{timestamp:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

/// A text that is not an RFC 3339 time within the bounds of [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-11-23T14:03:00Z")]
pub struct InvalidTimestamp(pub String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: jiff::Timestamp =
            text.parse().map_err(|_| InvalidTimestamp(text.chars().take(40).collect()))?;
        Ok(Self::from_milliseconds(parsed.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

crate::schema_text!(Timestamp, "RFC 3339, UTC, milliseconds");
crate::schema_text!(Milliseconds, "a span: a whole number and one of ms, s, m, h, d");

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Integer(value.0)
    }
}

impl Milliseconds {
    /// A span of whole seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// A span of whole days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self::from_seconds(days.saturating_mul(86_400))
    }

    /// Reads a span as people write it: a whole number and one of `ms`, `s`, `m`, `h`, `d`; at most 10 years.
    ///
    /// # Errors
    ///
    /// [`InvalidSpan`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidSpan> {
        let invalid = || InvalidSpan(text.chars().take(40).collect());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
        let unit_ms = match &text[digits..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        let span = number.checked_mul(unit_ms).map(Self).ok_or_else(invalid)?;
        if span > Self::from_days(3_660) { Err(invalid()) } else { Ok(span) }
    }
}

/// A text that is not a span such as `30s` or `7d`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span such as 500ms, 30s, 5m, 2h or 7d")]
pub struct InvalidSpan(pub String);

impl fmt::Display for Milliseconds {
    /// The largest unit that divides the span: `7d`, `90s`, `1500ms`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(unit_ms, _)| self.0 > 0 && self.0.is_multiple_of(*unit_ms)) {
            Some((unit_ms, name)) => write!(formatter, "{}{name}", self.0 / unit_ms),
            None => write!(formatter, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_it_was_written() {
        for ms in [0, -1, 1_795_000_000_123, TIMESTAMP_MAX_MS] {
            let time = Timestamp::from_milliseconds(ms);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(Timestamp::from_milliseconds(1_000).to_string(), "1970-01-01T00:00:01.000Z");
    }

    #[test]
    fn a_span_reads_in_the_units_people_write_and_refuses_the_rest() {
        assert_eq!(Milliseconds::parse("7d"), Ok(Milliseconds::from_days(7)));
        assert_eq!(Milliseconds::parse("30s").map(|span| span.to_string()), Ok("30s".into()));
        for wrong in ["", "s", "-1s", "1 s", "1w", "99999999999999999999s", "4000d", "1é"] {
            assert!(Milliseconds::parse(wrong).is_err(), "{wrong}");
        }
    }
}
