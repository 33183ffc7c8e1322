//! Time zones as a person chooses them: any of the IANA database, the usual ones offered.

use maud::{Markup, html};
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;
use tidegate_core::zone::Zone;

use crate::problem::Problem;

/// The `list` of fields that take a zone.
pub(super) const LIST: &str = "zones";

/// Those that are offered while one types, one or more for every usual offset.
const USUAL: [&str; 60] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/Amsterdam",
    "Europe/Brussels",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Rome",
    "Europe/Prague",
    "Europe/Warsaw",
    "Europe/Budapest",
    "Europe/Copenhagen",
    "Europe/Oslo",
    "Europe/Stockholm",
    "Europe/Helsinki",
    "Europe/Athens",
    "Europe/Bucharest",
    "Europe/Sofia",
    "Europe/Kyiv",
    "Europe/Istanbul",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/New_York",
    "America/Toronto",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Vancouver",
    "America/Anchorage",
    "America/Halifax",
    "America/Mexico_City",
    "America/Bogota",
    "America/Lima",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Ho_Chi_Minh",
    "Asia/Jakarta",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Manila",
    "Asia/Seoul",
    "Asia/Tokyo",
    "Australia/Perth",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// The usual zones, once on a page that has fields for them.
pub(super) fn list() -> Markup {
    html! { datalist id=(LIST) { @for zone in USUAL { option value=(zone) {} } } }
}

/// The name of a zone that there is. A misspelt one would quietly show every time in UTC.
pub(super) fn checked(name: &str) -> Result<String, Problem> {
    if Zone::is_known(name) {
        return Ok(name.to_owned());
    }
    Err(Problem::invalid(format!(
        "there is no time zone `{}`: take one from the list, such as Europe/Berlin, or UTC",
        name.chars().take(64).collect::<String>()
    )))
}

/// A zone with what its clocks show: `Europe/Berlin, where it is 15:03`.
pub(super) fn with_clock(name: &str, now: Timestamp) -> String {
    let (_, clock) = Zone::named(name).local(now);
    format!("{}, where it is {}", one_line(name), clock.get(..5).unwrap_or(&clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_that_is_offered_is_taken() {
        for zone in USUAL {
            assert!(checked(zone).is_ok(), "{zone}");
        }
        assert!(checked("Europe/Berln").unwrap_err().detail.contains("`Europe/Berln`"));
    }
}
