//! When a request is sent again, and after how long.

use std::time::Duration;

use reqwest::Response;

/// Times a request is sent in all. With the delays below, four repeats bridge a restart of the control
/// plane of about six seconds; what is down for longer is told to the person.
const ATTEMPTS_MAX: u32 = 5;
/// The delay before the first repeat; each following one is twice as long.
pub(super) const DELAY_FIRST: Duration = Duration::from_millis(400);
/// The longest delay that a control plane may ask for.
const DELAY_MAX: Duration = Duration::from_secs(20);

/// What may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Whatever got lost: reading, or a request with an idempotency key.
    Always,
    /// Only what was never sent.
    WhileUnsent,
}

impl Retry {
    /// How long to wait before sending again after attempt number `attempt` (from 1) ended with `outcome`,
    /// the first time about `delay_first`; `None` where it is to be taken as it is.
    pub(super) fn delay_before_next(
        self,
        attempt: u32,
        delay_first: Duration,
        outcome: &reqwest::Result<Response>,
    ) -> Option<Duration> {
        let (is_repeatable, asked) = match outcome {
            Ok(response) => {
                let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                (is_busy(response.status().as_u16()), asked.and_then(|value| value.parse().ok()))
            }
            Err(error) if error.is_connect() => (true, None),
            Err(error) => (self == Self::Always && !error.is_builder(), None),
        };
        if !is_repeatable || attempt >= ATTEMPTS_MAX {
            return None;
        }
        let own = delay_first.saturating_mul(1 << (attempt - 1).min(8));
        let delay = asked.map_or_else(|| own.mul_f64(jitter()), Duration::from_secs);
        Some(delay.min(DELAY_MAX))
    }
}

/// Answers that mean "not now", given before anything was done (RFC 9110, section 15.6; RFC 6585, section 4).
/// A gateway's 502 and 504 may come after something was done and are repeated as a lost answer would be.
fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Between 0.5 and 1.5, so that many clients do not come back at once.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    0.5 + f64::from(random) / f64::from(u32::MAX)
}
