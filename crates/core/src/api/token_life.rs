//! How long an API token works.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Milliseconds, Timestamp};

/// How long an API token works: a span, or until it is withdrawn. The latter is never a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLife {
    /// That long, 1 s to 366 days.
    For(Milliseconds),
    /// Until it is withdrawn.
    Never,
}

/// What stands for [`TokenLife::Never`].
const NEVER: &str = "never";
const SHORTEST: Milliseconds = Milliseconds::from_seconds(1);
const LONGEST: Milliseconds = Milliseconds::from_days(366);

impl TokenLife {
    /// Until when a token works that is made `at`; `None`: until it is withdrawn.
    pub fn expires_at(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(span) => Some(at.plus(span)),
            Self::Never => None,
        }
    }
}

impl Default for TokenLife {
    /// 90 days: a token that nobody looks after ends, and one that is in use is replaced four times a year.
    fn default() -> Self {
        Self::For(Milliseconds::from_days(90))
    }
}

impl fmt::Display for TokenLife {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => span.fmt(formatter),
            Self::Never => formatter.write_str(NEVER),
        }
    }
}

/// A text that says no life of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not how long a token works: write a span from 1s to 366d, such as 90d, or `never`")]
pub struct InvalidTokenLife(pub String);

impl FromStr for TokenLife {
    type Err = InvalidTokenLife;

    fn from_str(text: &str) -> Result<Self, InvalidTokenLife> {
        if text == NEVER {
            return Ok(Self::Never);
        }
        let span = Milliseconds::parse(text).ok().filter(|span| (SHORTEST..=LONGEST).contains(span));
        span.map(Self::For).ok_or_else(|| InvalidTokenLife(text.chars().take(40).collect()))
    }
}

impl Serialize for TokenLife {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenLife {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

crate::schema_text!(TokenLife, "a span from 1s to 366d such as 90d, or never");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_reads_within_its_bounds_and_never_only_where_it_is_written() {
        assert_eq!("never".parse(), Ok(TokenLife::Never));
        assert_eq!("90d".parse(), Ok(TokenLife::default()));
        for text in ["1s", "366d", "never"] {
            assert_eq!(text.parse::<TokenLife>().map(|life| life.to_string()), Ok(text.to_owned()));
        }
        for wrong in ["", "0s", "999ms", "367d", "Never", "none", "forever", "90", "-1d"] {
            assert!(wrong.parse::<TokenLife>().is_err(), "{wrong}");
        }
    }
}
