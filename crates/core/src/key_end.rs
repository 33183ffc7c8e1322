//! How near the end of the order key's certificate is, and the warning for people. Nothing is decided by it: that machines
//! take no order after the end is [`Authority::is_over`].

use crate::day::UtcDay;
use crate::time::Timestamp;
use crate::wire::Authority;

/// The command that makes a new order key where the root key is at hand.
pub const RENEW_COMMAND: &str = "tidegate admin order-key new --data DIR --root-key FILE";

const DAY_MS: i64 = 86_400_000;

/// How near the end is. Each stage is a stronger warning than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyStage {
    /// More than 60 days: no warning.
    Valid,
    /// Within 60 days.
    Ending,
    /// Within 30 days.
    Soon,
    /// Within 7 days.
    Imminent,
    /// Past the end.
    Over,
}

/// The end of the order key's certificate, as seen at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEnd {
    /// Until when machines obey it.
    pub not_after: Timestamp,
    /// How near that is.
    pub stage: KeyStage,
    /// Whole days until then; 0 past the end.
    pub days: i64,
}

impl KeyEnd {
    /// Looks at a certificate that is known to hold. `None` if it cannot be read.
    pub fn of(authority: &Authority, now: Timestamp) -> Option<Self> {
        let not_after = authority.not_after()?;
        let left_ms = not_after.milliseconds().saturating_sub(now.milliseconds());
        let stage = match left_ms {
            ..0 => KeyStage::Over,
            left_ms if left_ms <= 7 * DAY_MS => KeyStage::Imminent,
            left_ms if left_ms <= 30 * DAY_MS => KeyStage::Soon,
            left_ms if left_ms <= 60 * DAY_MS => KeyStage::Ending,
            _ => KeyStage::Valid,
        };
        Some(Self { not_after, stage, days: left_ms.max(0) / DAY_MS })
    }

    /// The warning in one line, without a full stop: `The order key ends on 2027-01-22, in 53 days`.
    pub fn headline(&self) -> String {
        let day = UtcDay::of(self.not_after);
        match (self.stage, self.days) {
            (KeyStage::Over, _) => format!("The order key ended on {day}: machines refuse new orders"),
            (_, 0) => format!("The order key ends on {day}, in less than a day"),
            (_, 1) => format!("The order key ends on {day}, in 1 day"),
            (_, days) => format!("The order key ends on {day}, in {days} days"),
        }
    }

    /// What stops at the end, and what does not.
    pub fn consequence(&self) -> &'static str {
        match self.stage {
            KeyStage::Over => {
                "New work and cancels stay queued until there is a new key. Results still arrive, and work that a \
                 machine has accepted still runs."
            }
            KeyStage::Valid | KeyStage::Ending | KeyStage::Soon | KeyStage::Imminent => {
                "After that machines refuse new orders, so new work and cancels stay queued. Results still arrive, and \
                 work that a machine has accepted still runs."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::keys::{KeyPair, Role, Sign as _};
    use crate::wire::OrderKeyCertificate;

    fn at(day: &str) -> Timestamp {
        format!("{day}T12:00:00Z").parse().unwrap()
    }

    /// The end of a key that ends on 2027-11-23 at noon, seen at `now`.
    fn seen(now: Timestamp) -> KeyEnd {
        let keys = KeyPair::from_seed(Role::Order, &[1; 32]);
        let certificate = OrderKeyCertificate::new(1, &keys, at("2026-11-23"));
        let certificate = Envelope::seal(&certificate, &keys, Role::Order);
        let authority = Authority { root: keys.public_key(Role::Order), certificate };
        let end = KeyEnd::of(&authority, now).unwrap();
        assert_eq!(end.stage == KeyStage::Over, authority.is_over(now), "warned exactly when it is enforced");
        end
    }

    #[test]
    fn the_warning_grows_at_60_30_and_7_days_and_at_the_end() {
        let end = at("2027-11-23");
        let before = |days: i64| end.shifted_by_ms(-days * DAY_MS);
        for (days, reached, not_yet) in [
            (60, KeyStage::Ending, KeyStage::Valid),
            (30, KeyStage::Soon, KeyStage::Ending),
            (7, KeyStage::Imminent, KeyStage::Soon),
        ] {
            assert_eq!(seen(before(days)).stage, reached);
            assert_eq!(seen(before(days).shifted_by_ms(-1)).stage, not_yet);
        }
        assert_eq!(seen(end).stage, KeyStage::Imminent, "the last moment counts");
        assert_eq!(seen(end.shifted_by_ms(1)).stage, KeyStage::Over);
    }

    #[test]
    fn the_warning_says_when_and_how_long_that_is() {
        let headline = |now: Timestamp| seen(now).headline();
        assert_eq!(headline(at("2027-10-01")), "The order key ends on 2027-11-23, in 53 days");
        assert_eq!(headline(at("2027-11-22")), "The order key ends on 2027-11-23, in 1 day");
        assert_eq!(headline(at("2027-11-23")), "The order key ends on 2027-11-23, in less than a day");
        assert_eq!(
            headline(at("2027-11-24")),
            "The order key ended on 2027-11-23: machines refuse new orders"
        );
    }
}
