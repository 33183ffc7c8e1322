//! When to ask and how long to be held: pure arithmetic, randomness from outside (design, section 7).

use std::time::Duration;

/// How long a control plane may hold an idle sync: learned, since proxies cut what lasts too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    current: Duration,
    /// The longest hold that is tried: below what a proxy cut.
    ceiling: Duration,
}

/// Where holding starts.
const HOLD_FIRST: Duration = Duration::from_secs(25);
/// The longest hold.
const HOLD_MAX: Duration = Duration::from_secs(240);
/// The shortest: below it a hold costs more than asking again.
const HOLD_MIN: Duration = Duration::from_secs(5);

impl Default for Hold {
    fn default() -> Self {
        Self { current: HOLD_FIRST, ceiling: HOLD_MAX }
    }
}

impl Hold {
    /// What to ask for next.
    pub(crate) fn current(self) -> Duration {
        self.current
    }

    /// A hold ran its whole length: twice as long works perhaps too.
    pub(crate) fn lasted(&mut self) {
        self.current = (self.current * 2).min(self.ceiling);
    }

    /// A hold was cut after `held`: half of it, from here on.
    pub(crate) fn cut(&mut self, held: Duration) {
        self.ceiling = (held / 2).clamp(HOLD_MIN, HOLD_MAX);
        self.current = (self.current / 2).clamp(HOLD_MIN, self.ceiling);
    }
}

/// How long to wait before asking again while there is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    attempts: u32,
    slowest: Duration,
}

/// The first wait, doubled with every failure.
const RETRY_FIRST: Duration = Duration::from_secs(1);

impl Retry {
    /// Waits of at most `slowest`, so that a short window is caught.
    pub(crate) fn new(slowest: Duration) -> Self {
        Self { attempts: 0, slowest }
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
        let doubled = RETRY_FIRST.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX));
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
        let mut hold = Hold::default();
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
    fn a_retry_is_never_slower_than_its_bound_and_never_at_once() {
        let mut retry = Retry::new(Duration::from_secs(60));
        for attempt in 0..100 {
            let wait = retry.failed(f64::from(attempt % 10) / 10.0);
            assert!(wait >= RETRY_FIRST / 2 && wait <= Duration::from_secs(60), "{wait:?}");
        }
        retry.reset();
        assert!(retry.failed(0.0) <= RETRY_FIRST);
    }
}
