//! What the path cost: bytes each way, day by day (UTC, by the time as this machine knows it).
//!
//! Counting writes nothing: what was counted is kept from time to time, so a crash forgets an hour at most.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate_core::day::UtcDay;
use tidegate_core::time::Timestamp;
use tokio::time::Instant;

/// The name of the document that holds it.
pub(crate) const DOCUMENT: &str = "traffic";
/// How often it is kept.
const KEEP_EVERY: Duration = Duration::from_secs(3_600);

/// Bytes of one day, as TCP carries them: TLS included, headers of IP and TCP not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DayTraffic {
    /// Which.
    pub(crate) day: UtcDay,
    /// Sent.
    pub(crate) up_bytes: u64,
    /// Received.
    pub(crate) down_bytes: u64,
}

/// The count of the day that has not ended.
#[derive(Debug)]
pub(crate) struct Traffic {
    today: Option<DayTraffic>,
    /// What the meter showed when it was last looked at.
    metered: (u64, u64),
    kept_at: Instant,
}

/// What follows from a look at the meter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// A day that is over.
    pub(crate) finished: Option<DayTraffic>,
    /// Whether it is time to keep [`Traffic::today`].
    pub(crate) is_due: bool,
}

impl Traffic {
    /// Goes on with what was kept.
    pub(crate) fn new(kept: Option<DayTraffic>) -> Self {
        Self { today: kept, metered: (0, 0), kept_at: Instant::now() }
    }

    /// The day that has not ended; `None`: nothing was counted yet.
    pub(crate) fn today(&self) -> Option<DayTraffic> {
        self.today
    }

    /// Takes in that the meter shows `metered` at `time`.
    pub(crate) fn look(&mut self, metered: (u64, u64), time: Timestamp) -> Look {
        let day = UtcDay::of(time);
        let finished = self.today.take_if(|today| today.day != day);
        let is_another = self.today.is_none();
        let today = self.today.get_or_insert(DayTraffic { day, up_bytes: 0, down_bytes: 0 });
        today.up_bytes += metered.0.saturating_sub(self.metered.0);
        today.down_bytes += metered.1.saturating_sub(self.metered.1);
        self.metered = metered;
        let is_due = is_another || self.kept_at.elapsed() >= KEEP_EVERY;
        if is_due {
            self.kept_at = Instant::now();
        }
        Look { finished, is_due }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_byte_is_counted_once_and_in_one_day() {
        let [before, after] = ["2026-11-22", "2026-11-23"].map(|day| day.parse().unwrap());
        let kept = DayTraffic { day: before, up_bytes: 100, down_bytes: 10 };
        let mut traffic = Traffic::new(Some(kept));
        let look = traffic.look((5, 1), at("2026-11-22T23:59:59Z"));
        assert_eq!(look, Look { finished: None, is_due: false });
        let look = traffic.look((7, 4), at("2026-11-23T00:00:01Z"));
        assert_eq!(look.finished, Some(DayTraffic { up_bytes: 105, down_bytes: 11, ..kept }));
        assert!(look.is_due);
        assert_eq!(traffic.today(), Some(DayTraffic { day: after, up_bytes: 2, down_bytes: 3 }));
    }

    #[test]
    fn nothing_is_told_of_a_day_before_the_first() {
        let look = Traffic::new(None).look((1, 1), at("2026-11-23T00:00:01Z"));
        assert_eq!(look, Look { finished: None, is_due: true });
    }
}
