//! Maintenance windows as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{MINUTES_OF_DAY, WEEKDAYS, WINDOWS_MAX, Window};
use crate::error::Error;

/// Reads windows as a person types them, with `,` or `;` or a new line between; nothing typed is none.
///
/// # Errors
///
/// `invalid`: which of them is no window, or that they are more than [`WINDOWS_MAX`].
pub fn read_windows(text: &str) -> Result<Vec<Window>, Error> {
    let parts = text.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let windows = parts.map(str::parse).collect::<Result<Vec<_>, _>>()?;
    check_windows(&windows)?;
    Ok(windows)
}

/// Refuses more windows than a site may have.
pub(crate) fn check_windows(windows: &[Window]) -> Result<(), Error> {
    if windows.len() <= WINDOWS_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!("a site has at most {WINDOWS_MAX} maintenance windows")))
}

/// The same as [`read_windows`] reads: `Mon-Fri 02:00-02:12, Sat 22:00-06:00`.
pub fn windows_text(windows: &[Window]) -> String {
    windows.iter().map(Window::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |day: u8| WEEKDAYS.get(usize::from(day)).copied().unwrap_or_default();
        match (self.first, self.last) {
            (0, 6) => f.write_str("daily")?,
            (first, last) if first == last => f.write_str(name(first))?,
            (first, last) => write!(f, "{}-{}", name(first), name(last))?,
        }
        write!(
            f,
            " {:02}:{:02}-{:02}:{:02}",
            self.from / 60,
            self.from % 60,
            self.until / 60,
            self.until % 60
        )
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            Error::invalid(format!(
                "`{shown}` is no maintenance window: write days and times of the site's clock, \
                 such as `Mon-Fri 02:00-02:12`, `Sat 22:00-06:00` or `daily 02:00-02:12`"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Window> {
    let (days, hours) = text.trim().split_once(char::is_whitespace)?;
    let (first, last) = if days.eq_ignore_ascii_case("daily") {
        (0, 6)
    } else {
        let (first, last) = days.split_once(['-', '–']).unwrap_or((days, days));
        (weekday(first)?, weekday(last)?)
    };
    let (from, until) = hours.trim().split_once(['-', '–'])?;
    let (from, until) = (minute(from.trim())?, minute(until.trim())?);
    let holds = from < MINUTES_OF_DAY && until <= MINUTES_OF_DAY && from != until;
    holds.then_some(Window { first, last, from, until })
}

fn weekday(name: &str) -> Option<u8> {
    let place = WEEKDAYS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    u8::try_from(place).ok()
}

/// `02:00`, `2:00`, `24:00` as minutes.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_plain)
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_is_read_as_people_write_it() {
        let read = |text| windows_text(&read_windows(text).unwrap());
        assert_eq!(
            read("mon-fri 2:00–2:12;\nSAT 22:00-6:00 , daily 00:00-24:00"),
            "Mon-Fri 02:00-02:12, Sat 22:00-06:00, daily 00:00-24:00"
        );
        assert_eq!((read(" "), read("Sat-Mon 1:00-2:00").as_str()), (String::new(), "Sat-Mon 01:00-02:00"));
        for text in ["02:00-02:12", "Mon", "Mon 2-3", "Mon 02:00-02:00", "Mon 24:00-02:00", "Mon 02:60-03:00"]
        {
            let refused = read_windows(text).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{text}` is no maintenance window")), "{refused}");
        }
        assert!(read_windows(&"daily 01:00-02:00,".repeat(15)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_reads_the_same_again(text in "(mon|Tue|SAT|daily)(-(sun|wed))? [0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}|.{0,40}") {
            if let Ok(window) = text.parse::<Window>() {
                prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
            }
        }
    }
}
