//! A wire of limited rate, shared by all connections of one direction: arithmetic on instants, and a lock.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::conditions::Rate;

/// What the wire may make up for when somebody was late: timers are, by a millisecond or two each time, and a
/// fast wire would lose much of its rate to that.
const LATENESS_MAX: Duration = Duration::from_millis(10);

/// When it is free again.
#[derive(Debug)]
pub(super) struct Wire(Mutex<Busy>);

#[derive(Clone, Copy, Debug)]
struct Busy {
    rate: Rate,
    free_at: Instant,
}

impl Wire {
    /// A free one.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Busy { rate: Rate::bits_per_second(1), free_at: Instant::now() }))
    }

    /// Puts so many bytes on it, behind what is there, and answers when they have passed. What was put on it at
    /// another rate counts no more.
    pub(super) fn reserve(&self, bytes: usize, rate: Rate) -> Instant {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        busy.reserve(Instant::now(), bytes, rate)
    }
}

impl Busy {
    fn reserve(&mut self, now: Instant, bytes: usize, rate: Rate) -> Instant {
        if self.rate != rate {
            *self = Self { rate, free_at: now };
        }
        let begins = self.free_at.max(now.checked_sub(LATENESS_MAX).unwrap_or(now));
        self.free_at = begins + rate.time_for(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.free_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Never more passes than the rate allows; and whoever keeps the wire busy, but for timers that are late by
        /// less than a piece takes, gets all of it.
        #[test]
        fn a_wire_carries_its_rate_and_no_more(
            bits in 100_u64..1_000_000,
            pieces in prop::collection::vec((1_300_usize..20_000, 0_u64..10), 1..50),
        ) {
            let rate = Rate::bits_per_second(bits);
            let start = Instant::now();
            let mut busy = Busy { rate, free_at: start };
            let (mut now, mut total) = (start, 0);
            for (bytes, late_ms) in pieces {
                // Each comes when the one before has passed, as a single sender would, and a little late.
                let passed = busy.reserve(now, bytes, rate);
                total += bytes as u64;
                let least = rate.time_for(total);
                prop_assert!(passed >= start + least.saturating_sub(LATENESS_MAX + Duration::from_micros(1)));
                now = passed.max(now) + Duration::from_millis(late_ms);
            }
            // Lateness below the bound is made up for entirely, up to the rounding of each piece.
            let most = rate.time_for(total) + Duration::from_millis(10);
            prop_assert!(busy.free_at <= start + most, "{:?} {:?}", busy.free_at - start, most);
        }
    }

    #[test]
    fn another_rate_begins_at_once() {
        let now = Instant::now();
        let (slow, fast) = (Rate::bits_per_second(1), Rate::bits_per_second(8_000));
        let mut busy = Busy { rate: slow, free_at: now };
        busy.reserve(now, 1_000_000, slow);
        assert_eq!(busy.reserve(now, 1_000, fast), now + Duration::from_secs(1));
    }
}
