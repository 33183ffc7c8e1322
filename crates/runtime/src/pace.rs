//! When to ask and how long to be held: pure arithmetic, randomness from outside (design, section 7).

use std::time::Duration;

use crate::net::Intervals;

/// How long a control plane may hold an idle sync: learned, since proxies cut what lasts too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    current: Duration,
    /// The longest hold that is tried: below what a proxy cut.
    ceiling: Duration,
    /// The longest that ran its whole length.
    lasted: Duration,
    intervals: Intervals,
}

/// Where holding starts.
const HOLD_FIRST: Duration = Duration::from_secs(25);
/// The longest hold: as long as two probes of an idle connection (90 s each) and nearly a third, which would be one for
/// nothing.
const HOLD_MAX: Duration = Duration::from_secs(265);
/// The shortest: below it a hold costs more than asking again.
const HOLD_MIN: Duration = Duration::from_secs(5);

impl Hold {
    /// Begins carefully, or on a metered path at the longest: each hold costs bytes when it ends, and one that is cut
    /// costs a connection once.
    pub(crate) fn new(is_metered: bool, intervals: Intervals) -> Self {
        let first = if is_metered { HOLD_MAX } else { HOLD_FIRST };
        let [current, ceiling] = [first, HOLD_MAX].map(|usual| intervals.of(usual));
        Self { current, ceiling, lasted: Duration::ZERO, intervals }
    }

    /// What to ask for next.
    pub(crate) fn current(self) -> Duration {
        self.current
    }

    /// A hold ran its whole length: twice as long works perhaps too.
    pub(crate) fn lasted(&mut self) {
        self.lasted = self.lasted.max(self.current);
        self.current = (self.current * 2).min(self.ceiling);
    }

    /// A hold was cut after `held`: from here on what lasted before, or half of it.
    pub(crate) fn cut(&mut self, held: Duration) {
        if self.lasted >= held.mul_f64(0.95) {
            self.lasted = Duration::ZERO;
        }
        let [shortest, longest] = [HOLD_MIN, HOLD_MAX].map(|usual| self.intervals.of(usual));
        self.ceiling = self.lasted.max(held / 2).clamp(shortest, longest);
        self.current = self.ceiling;
    }
}

/// How long to wait before asking again while there is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    attempts: u32,
    first: Duration,
    slowest: Duration,
}

/// The first wait, doubled with every failure.
const RETRY_FIRST: Duration = Duration::from_secs(1);

impl Retry {
    /// Waits of at most `slowest`, so that a short window is caught.
    pub(crate) fn new(slowest: Duration, intervals: Intervals) -> Self {
        Self { attempts: 0, first: intervals.of(RETRY_FIRST), slowest: intervals.of(slowest) }
    }

    /// There was an answer.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How many attempts failed since the last answer.
    pub(crate) fn attempts(self) -> u32 {
        self.attempts
    }

    /// An attempt failed: how long to wait. `fraction` in 0..1 spreads the machines of a plant over the second half
    /// of the wait, so that they do not all come at once when a path opens.
    pub(crate) fn failed(&mut self, fraction: f64) -> Duration {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX));
        self.attempts = self.attempts.saturating_add(1);
        let wait = doubled.min(self.slowest);
        wait / 2 + (wait / 2).mul_f64(fraction.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holding_grows_while_it_works_and_stays_below_what_a_proxy_cuts() {
        let mut hold = Hold::new(false, Intervals::default());
        for _ in 0..10 {
            hold.lasted();
        }
        assert_eq!(hold.current(), HOLD_MAX);
        hold.cut(Duration::from_secs(60));
        for _ in 0..10 {
            hold.lasted();
        }
        assert_eq!(hold.current(), Duration::from_secs(30));
    }

    #[test]
    fn whatever_a_proxy_cuts_the_hold_settles_below_it_within_few_cuts() {
        for (limit, settled) in [(30, 25), (60, 50), (100, 50), (240, 200)] {
            for is_metered in [false, true] {
                let limit = Duration::from_secs(limit);
                let mut hold = Hold::new(is_metered, Intervals::default());
                let mut cuts = 0;
                for _ in 0..20 {
                    if hold.current() >= limit {
                        hold.cut(limit);
                        cuts += 1;
                    } else {
                        hold.lasted();
                    }
                }
                let settles = if is_metered { limit / 2 } else { Duration::from_secs(settled).min(limit) };
                assert!(
                    cuts <= 2 && hold.current() >= settles.min(limit / 2),
                    "{limit:?}: {hold:?}, {cuts} cuts"
                );
                assert!(hold.current() < limit);
            }
        }
    }

    #[test]
    fn a_proxy_that_grew_stricter_is_followed() {
        let mut hold = Hold::new(false, Intervals::default());
        hold.lasted();
        hold.lasted();
        hold.cut(Duration::from_secs(30));
        assert_eq!(hold.current(), Duration::from_secs(15));
    }

    #[test]
    fn a_retry_is_never_slower_than_its_bound_and_never_at_once() {
        let mut retry = Retry::new(Duration::from_secs(60), Intervals::default());
        for attempt in 0..100 {
            let wait = retry.failed(f64::from(attempt % 10) / 10.0);
            assert!(wait >= RETRY_FIRST / 2 && wait <= Duration::from_secs(60), "{wait:?}");
        }
        retry.reset();
        assert!(retry.failed(0.0) <= RETRY_FIRST);
    }
}
