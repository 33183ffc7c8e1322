//! When an endpoint is usually heard, learned from its own contacts in a few dozen bytes.
//!
//! An idle check-in writes nothing, so a host learns in memory and stores from time to time, beside when the endpoint
//! was last seen.

use serde::{Deserialize, Serialize};

use crate::time::{Milliseconds, Timestamp};

/// Shorter gaps belong to one contact: results, orders and endorsements follow each other within it.
const GAP_MIN_MS: u64 = 5_000;
/// Gaps before anything is said: two can be chance.
const GAPS_TOLD: u16 = 3;
/// Gaps after which the estimate moves in small steps, and a summary stands without what was known before.
const GAPS_SETTLED: u16 = 8;
/// Days of which the hours are remembered: a week, so that every weekday is in it.
const DAYS: usize = 7;
/// Days with a contact before hours are told.
const DAYS_TOLD: usize = 3;
/// Most hours of a day that are worth telling: a machine seen in more of them has no window.
const HOURS_MAX: usize = 12;

/// What the contacts of one endpoint were like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rhythm {
    /// The estimate of the median gap between contacts.
    interval_ms: u32,
    /// How many gaps it rests on.
    gaps: u16,
    /// The newest day with a contact, in days since 1970.
    day: u16,
    /// The hours of UTC with a contact, a bit each, of that day and those before it.
    hours: [u32; DAYS],
}

impl Rhythm {
    /// Takes in a contact `at`, the one before having been at `before`; `None`: it is the first that is known.
    pub fn heard(&mut self, before: Option<Timestamp>, at: Timestamp) {
        self.hour_add(at);
        let Some(gap) = before.map(|before| at.since(before)).filter(|gap| gap.0 >= GAP_MIN_MS) else {
            return;
        };
        let gap_ms = u32::try_from(gap.0).unwrap_or(u32::MAX);
        self.interval_ms = match self.gaps {
            0 => gap_ms,
            gaps => towards(self.interval_ms, gap_ms, gaps < GAPS_SETTLED),
        };
        self.gaps = self.gaps.saturating_add(1);
    }

    fn hour_add(&mut self, at: Timestamp) {
        let hours = u64::try_from(at.milliseconds()).unwrap_or(0) / 3_600_000;
        let day = u16::try_from(hours / 24).unwrap_or(u16::MAX);
        if day > self.day {
            self.shift(day);
        }
        if let Some(of_day) = self.hours.get_mut(usize::from(self.day - day)) {
            *of_day |= 1 << (hours % 24);
        }
    }

    /// Makes `day` the newest.
    fn shift(&mut self, day: u16) {
        let by = usize::from(day - self.day).min(DAYS);
        self.hours.rotate_right(by);
        self.hours[..by].fill(0);
        self.day = day;
    }

    /// What was stored and what was learned since, as one. Joining the same twice changes nothing.
    #[must_use]
    pub fn joined(self, since: Self) -> Self {
        let is_newer_better = since.gaps >= GAPS_SETTLED || since.gaps >= self.gaps;
        let interval = if is_newer_better { since } else { self };
        let (mut newest, mut older) = if since.day >= self.day { (since, self) } else { (self, since) };
        older.shift(newest.day);
        for (hours, of_older) in newest.hours.iter_mut().zip(older.hours) {
            *hours |= of_older;
        }
        Self { interval_ms: interval.interval_ms, gaps: interval.gaps, day: newest.day, hours: newest.hours }
    }

    /// The usual gap between two contacts; `None`: too few are known.
    pub fn usual_interval(&self) -> Option<Milliseconds> {
        (self.gaps >= GAPS_TOLD).then(|| Milliseconds(self.interval_ms.into()))
    }

    /// The hours of UTC in which it is seen on at least half of its days, ascending; empty: too few days are known, or
    /// it has no usual hours.
    pub fn usual_hours(&self) -> Vec<u8> {
        let days = self.hours.iter().filter(|hours| **hours != 0).count();
        let is_usual = |hour: &u8| {
            let seen = self.hours.iter().filter(|hours| **hours & (1 << *hour) != 0).count();
            seen * 2 >= days
        };
        let hours: Vec<u8> = if days < DAYS_TOLD { Vec::new() } else { (0..24).filter(is_usual).collect() };
        if hours.len() <= HOURS_MAX { hours } else { Vec::new() }
    }
}

/// Moves the estimate towards a gap by a step of fixed proportion, at most onto it: so it comes to rest at the median,
/// and a night without a path weighs no more than one check-in. At the beginning a shorter gap is believed at once,
/// since the first of all may have been such a night.
fn towards(interval_ms: u32, gap_ms: u32, is_early: bool) -> u32 {
    let (up, down) = if is_early { (interval_ms, interval_ms) } else { (interval_ms / 8, interval_ms / 9) };
    if gap_ms > interval_ms {
        interval_ms.saturating_add(up.max(1)).min(gap_ms)
    } else {
        interval_ms.saturating_sub(down.max(1)).max(gap_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(1_800_000_000_000 + seconds * 1_000)
    }

    /// The rhythm after contacts with these gaps in seconds.
    fn of_gaps(gaps: impl IntoIterator<Item = i64>) -> Rhythm {
        let (mut rhythm, mut now) = (Rhythm::default(), 0);
        rhythm.heard(None, at(now));
        for gap in gaps {
            rhythm.heard(Some(at(now)), at(now + gap));
            now += gap;
        }
        rhythm
    }

    fn usual(rhythm: &Rhythm) -> Option<u64> {
        rhythm.usual_interval().map(|interval| interval.0 / 1_000)
    }

    #[test]
    fn two_gaps_say_nothing_and_three_do() {
        assert_eq!(usual(&of_gaps([30, 30])), None);
        assert_eq!(usual(&of_gaps([30, 30, 30])), Some(30));
    }

    #[test]
    fn a_night_without_a_path_and_a_burst_of_results_change_nothing() {
        let regular = std::iter::repeat_n(30, 50);
        let disturbed = regular.clone().chain([40_000, 0, 1, 2, 1]).chain(regular);
        assert_eq!(usual(&of_gaps(disturbed)), Some(30));
    }

    #[test]
    fn a_machine_that_is_held_longer_is_known_by_that_within_the_hour() {
        let gaps = std::iter::repeat_n(30, 50).chain(std::iter::repeat_n(240, 20));
        assert_eq!(usual(&of_gaps(gaps)), Some(240));
        let daily_at_first = [86_400].into_iter().chain(std::iter::repeat_n(30, 20));
        assert_eq!(usual(&of_gaps(daily_at_first)), Some(30));
    }

    #[test]
    fn hours_are_told_once_they_are_usual() {
        let mut rhythm = Rhythm::default();
        let two = (3_600 * 2) - (1_800_000_000 % 86_400);
        for day in 0..10 {
            assert_eq!(rhythm.usual_hours(), if day < 3 { vec![] } else { vec![2] }, "day {day}");
            rhythm.heard(None, at(day * 86_400 + two + 300));
        }
        for hour in 0..24 {
            rhythm.heard(None, at(10 * 86_400 + two + hour * 3_600));
        }
        assert_eq!(rhythm.usual_hours(), [2], "one busy day is not usual");
        for hour in 0..24 * 7 {
            rhythm.heard(None, at(12 * 86_400 + hour * 3_600));
        }
        assert_eq!(rhythm.usual_hours(), Vec::<u8>::new(), "around the clock is no window");
    }

    proptest! {
        #[test]
        fn the_estimate_lies_among_the_gaps(gaps in prop::collection::vec(5_i64..1_000_000, 3..60)) {
            let (least, most) = (gaps.iter().min().copied(), gaps.iter().max().copied());
            let usual = usual(&of_gaps(gaps)).and_then(|usual| i64::try_from(usual).ok());
            prop_assert!(least <= usual && usual <= most, "{least:?} <= {usual:?} <= {most:?}");
        }

        #[test]
        fn joining_is_safe_to_repeat_and_takes_any_time(
            before in prop::collection::vec(any::<i64>(), 0..20), since in prop::collection::vec(any::<i64>(), 0..20),
        ) {
            let of = |times: &[i64]| {
                let (mut rhythm, mut last) = (Rhythm::default(), None);
                for ms in times {
                    let at = Timestamp::from_milliseconds(*ms);
                    rhythm.heard(last, at);
                    last = Some(at);
                }
                rhythm
            };
            let (before, since) = (of(&before), of(&since));
            let joined = before.joined(since);
            prop_assert_eq!(joined.joined(since), joined);
            prop_assert!(joined.usual_hours().len() <= HOURS_MAX);
        }
    }
}
