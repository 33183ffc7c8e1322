//! What time it is on a machine whose clock may be wrong (design, section 7).
//!
//! Trusted time is the control plane's, signed and bound to a nonce, carried forward by time that runs also while
//! the machine sleeps. After a reboot the wall clock, corrected by the last measured offset, is believed unless
//! that is earlier than the last trusted time.

use serde::{Deserialize, Serialize};

use crate::envelope::EnvelopeError;
use crate::keys::PublicKey;
use crate::time::{Milliseconds, Timestamp};
use crate::wire::{Authority, LineClock, TimeAnswer, TimeStatement};

/// The machine's clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock as it shows.
    pub wall: Timestamp,
    /// Milliseconds since the machine started, sleep included.
    pub monotonic_ms: u64,
    /// The operating system's id of this start of the machine; empty where it has none.
    pub machine_boot: String,
}

/// What is known of the time between calls; part of the state.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clock {
    /// The last signed time; absent: never heard.
    anchor: Option<Anchor>,
    /// The latest corrected time that was ever used.
    last_trusted: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    time: Timestamp,
    monotonic_ms: u64,
    machine_boot: String,
    /// What to add to the wall clock.
    offset_ms: i64,
}

/// The time as the endpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Corrected where it is known, else the wall clock.
    pub at: Timestamp,
    /// Whether conditions on time can be judged.
    pub is_known: bool,
    /// Whether it was signed within this start of the machine, so that no clock of the machine's own stands behind it.
    pub is_confirmed: bool,
}

impl Now {
    /// The time and the milliseconds since the machine started that belong together; `None`: nobody signed it.
    pub(super) fn confirmed(self, reading: &Reading) -> Option<LineClock> {
        self.is_confirmed.then_some(LineClock { at: self.at, monotonic_ms: reading.monotonic_ms })
    }
}

impl Clock {
    /// The time at `reading`.
    pub fn now(&self, reading: &Reading) -> Now {
        let unknown = Now { at: reading.wall, is_known: false, is_confirmed: false };
        let Some(anchor) = &self.anchor else { return unknown };
        let is_same_boot = !reading.machine_boot.is_empty() && reading.machine_boot == anchor.machine_boot;
        if is_same_boot && reading.monotonic_ms >= anchor.monotonic_ms {
            let elapsed = Milliseconds(reading.monotonic_ms - anchor.monotonic_ms);
            return Now { at: anchor.time.plus(elapsed), is_known: true, is_confirmed: true };
        }
        let corrected = reading.wall.shifted_by_ms(anchor.offset_ms);
        let is_believed = self.last_trusted.is_none_or(|last| corrected >= last);
        if is_believed { Now { at: corrected, is_known: true, is_confirmed: false } } else { unknown }
    }

    /// Takes in signed time that was heard at `reading`.
    pub fn learn(&mut self, time: Timestamp, reading: &Reading) {
        self.anchor = Some(Anchor {
            time,
            monotonic_ms: reading.monotonic_ms,
            machine_boot: reading.machine_boot.clone(),
            offset_ms: time.milliseconds() - reading.wall.milliseconds(),
        });
        // Signed time may be earlier than what was believed after a reboot: it is the one that counts.
        self.last_trusted = Some(time);
    }

    /// Remembers that `now` was used.
    pub fn used(&mut self, now: Now) {
        if now.is_known {
            self.last_trusted = self.last_trusted.max(Some(now.at));
        }
    }
}

/// Opens an answer about the time: the root key certified the statement key, which signed time and nonce. `serial` is
/// the newest one known, 0 before an enrolment: a key that was replaced states nothing any more, whatever its dates.
///
/// # Errors
///
/// [`EnvelopeError`] when a signature, the nonce or the serial does not hold.
pub fn verify_time(
    answer: &TimeAnswer,
    nonce: &str,
    root: &PublicKey,
    serial: u64,
) -> Result<(Timestamp, Authority), EnvelopeError> {
    let authority = Authority { root: *root, certificate: answer.authority.clone() };
    let certificate = authority.open()?;
    if certificate.serial < serial {
        return Err(EnvelopeError::Signature);
    }
    let statement: TimeStatement = answer.time.open(&certificate.statement_key)?;
    if statement.nonce == nonce { Ok((statement.at, authority)) } else { Err(EnvelopeError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(wall_ms: i64, monotonic_ms: u64, boot: &str) -> Reading {
        Reading { wall: Timestamp::from_milliseconds(wall_ms), monotonic_ms, machine_boot: boot.into() }
    }

    const NOON: i64 = 1_800_000_000_000;

    fn learned() -> Clock {
        let mut clock = Clock::default();
        clock.learn(Timestamp::from_milliseconds(NOON), &reading(NOON - 10_000, 50_000, "boot-1"));
        clock
    }

    #[test]
    fn within_a_boot_the_wall_clock_may_jump_and_time_goes_on() {
        let now = learned().now(&reading(0, 51_000, "boot-1"));
        assert_eq!(
            now,
            Now { at: Timestamp::from_milliseconds(NOON + 1_000), is_known: true, is_confirmed: true }
        );
    }

    #[test]
    fn after_a_reboot_the_corrected_wall_clock_is_believed() {
        let now = learned().now(&reading(NOON + 60_000, 5, "boot-2"));
        assert_eq!(
            now,
            Now { at: Timestamp::from_milliseconds(NOON + 70_000), is_known: true, is_confirmed: false }
        );
    }

    #[test]
    fn after_a_reboot_a_clock_behind_the_last_trusted_time_is_not_believed() {
        for wall in [0, NOON - 20_000] {
            assert!(!learned().now(&reading(wall, 5, "boot-2")).is_known);
        }
    }

    #[test]
    fn a_machine_that_never_heard_signed_time_does_not_know_it() {
        assert!(!Clock::default().now(&reading(NOON, 5, "boot-1")).is_known);
    }
}
