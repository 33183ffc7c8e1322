//! A day of UTC: the unit in which bytes are counted and compared.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sql::Value;
use crate::time::Timestamp;

/// A day from midnight to midnight UTC, written `2026-11-23`; in the years 0–9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcDay(jiff::civil::Date);

impl UtcDay {
    /// The day that `at` lies in.
    pub fn of(at: Timestamp) -> Self {
        let at = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
        Self(jiff::tz::Offset::UTC.to_datetime(at).date())
    }

    /// Its midnight, with which it begins.
    pub fn starts_at(self) -> Timestamp {
        let midnight = self.0.to_datetime(jiff::civil::Time::midnight());
        let at = jiff::tz::Offset::UTC.to_timestamp(midnight).unwrap_or_default();
        Timestamp::from_milliseconds(at.as_millisecond())
    }
}

impl fmt::Display for UtcDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A text that is not a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a day such as 2026-11-23")]
pub struct InvalidDay(pub String);

impl FromStr for UtcDay {
    type Err = InvalidDay;

    /// Reads `YYYY-MM-DD` and nothing else: one day has one text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDay(text.chars().take(40).collect());
        let date: jiff::civil::Date = text.parse().map_err(|_| invalid())?;
        let is_plain = text.len() == 10 && date.year() >= 0;
        if is_plain && date.to_string() == text { Ok(Self(date)) } else { Err(invalid()) }
    }
}

impl Serialize for UtcDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

crate::schema_text!(UtcDay, "a day of UTC: 2026-11-23");

impl From<UtcDay> for Value {
    fn from(value: UtcDay) -> Self {
        Self::Text(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_text_and_begins_at_its_midnight() {
        let day: UtcDay = "2026-11-23".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-23");
        assert_eq!(day.starts_at().to_string(), "2026-11-23T00:00:00.000Z");
        assert_eq!(UtcDay::of(day.starts_at()), day);
        assert_eq!(UtcDay::of(day.starts_at().shifted_by_ms(86_399_999)), day);
        assert_eq!(UtcDay::of(day.starts_at().shifted_by_ms(-1)).to_string(), "2026-11-22");
        for wrong in
            ["", "20261123", "2026-11-23T00:00:00", "2026-02-30", "-000001-01-01", "2026-W48-1", "2026-1-3"]
        {
            assert!(wrong.parse::<UtcDay>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_bounds_of_time_have_days() {
        for ms in [i64::MIN, i64::MAX] {
            let day = UtcDay::of(Timestamp::from_milliseconds(ms));
            assert_eq!(day.to_string().parse(), Ok(day));
        }
    }
}
