//! How many requests one address may make: token buckets, in bounded memory.
//!
//! Guessing a code or a sign-in link is what the tight limit is against, so an attempt that succeeds gives its
//! token back: fifty machines behind one address can enrol with good codes, and a wrong code costs one of twenty.
//!
//! An IPv6 address counts in its /64, /56 and /48: a rented /48 holds 65,536 of the smallest, and no more than
//! sixteen times the attempts of one.
//!
//! Failed sign-ins count against the address they come from and never against the account they name. A limit on the
//! account would be a way to lock somebody out: whoever knows an e-mail address need only guess wrong. What an attacker
//! with many addresses gains is bounded by the length of passwords and by how many are compared at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_web::{Admittance, RouteClass};

use crate::net::tiers;

/// Buckets in each of the two generations: with about 100 bytes each, both take 8 MiB at most. When a generation
/// is full the older is forgotten, so an attacker needs this many addresses to refill a bucket early.
const GENERATION_MAX: usize = 40_000;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: f64,
    burst: f64,
}

/// The rate of a class; `None`: unlimited.
///
/// A sign-in or an enrolment is tight from everywhere. The others only keep one address from taking the whole
/// server: two thousand endpoints behind one address may check in every second, and a signed time costs a
/// signature. From this machine itself they are not limited, or a proxy in front would be.
fn rate(class: RouteClass, is_loopback: bool) -> Option<Rate> {
    match class {
        RouteClass::SignIn | RouteClass::SignInLink | RouteClass::Enrol => {
            Some(Rate { per_second: 10.0 / 60.0, burst: 20.0 })
        }
        RouteClass::Api | RouteClass::Page | RouteClass::Sync | RouteClass::Time | RouteClass::Other
            if is_loopback =>
        {
            None
        }
        RouteClass::Sync => Some(Rate { per_second: 2_000.0, burst: 4_000.0 }),
        RouteClass::Api | RouteClass::Page => Some(Rate { per_second: 200.0, burst: 1_000.0 }),
        RouteClass::Time | RouteClass::Other => Some(Rate { per_second: 50.0, burst: 200.0 }),
    }
}

/// The limits and what was used of them.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<Generations>);

/// A network, the length of its prefix, and what was asked for.
type Key = (IpAddr, u8, RouteClass);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Bucket>,
    old: HashMap<Key, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limits {
    /// Takes a token of `address` for a request of `class`.
    pub(crate) fn admit(&self, address: IpAddr, class: RouteClass, now: Instant) -> Admittance {
        let Some(rate) = rate(class, address.is_loopback()) else { return Admittance::Admitted };
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait_seconds: f64 = 0.0;
        for (tier, network) in tiers(address) {
            let rate = rate.of_tier(tier);
            let tokens = generations.bucket((network, tier, class), rate, now).tokens;
            wait_seconds = wait_seconds.max((1.0 - tokens) / rate.per_second);
        }
        if wait_seconds > 0.0 {
            return Admittance::RetryAfter(Duration::from_secs_f64(wait_seconds.ceil()));
        }
        for (tier, network) in tiers(address) {
            generations.bucket((network, tier, class), rate.of_tier(tier), now).tokens -= 1.0;
        }
        Admittance::Admitted
    }

    /// Gives the token of a successful sign-in or enrolment back.
    pub(crate) fn succeeded(&self, address: IpAddr, class: RouteClass, now: Instant) {
        if !is_guessable(class) {
            return;
        }
        let Some(rate) = rate(class, address.is_loopback()) else { return };
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (tier, network) in tiers(address) {
            let rate = rate.of_tier(tier);
            let bucket = generations.bucket((network, tier, class), rate, now);
            bucket.tokens = (bucket.tokens + 1.0).min(rate.burst);
        }
    }
}

/// Whether an attempt of this class may be a guess at a secret.
pub(crate) fn is_guessable(class: RouteClass) -> bool {
    match class {
        RouteClass::SignIn | RouteClass::SignInLink | RouteClass::Enrol => true,
        RouteClass::Api | RouteClass::Page | RouteClass::Sync | RouteClass::Time | RouteClass::Other => false,
    }
}

impl Rate {
    /// The rate of a whole network of this prefix length, where `self` is that of the smallest.
    fn of_tier(self, length: u8) -> Self {
        let times = match length {
            48 => 16.0,
            56 => 4.0,
            _ => 1.0,
        };
        Self { per_second: self.per_second * times, burst: self.burst * times }
    }
}

impl Generations {
    /// The bucket of `key`, filled up to `now`.
    fn bucket(&mut self, key: Key, rate: Rate, now: Instant) -> &mut Bucket {
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        let bucket = self
            .young
            .entry(key)
            .or_insert_with(|| old.remove(&key).unwrap_or(Bucket { tokens: rate.burst, at: now }));
        let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * rate.per_second).min(rate.burst);
        bucket.at = now;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn twenty_wrong_codes_are_heard_and_then_ten_a_minute() {
        let limits = Limits::default();
        let now = Instant::now();
        for _ in 0..20 {
            assert_eq!(limits.admit(LOOPBACK, RouteClass::Enrol, now), Admittance::Admitted);
        }
        let wait = Duration::from_secs(6);
        assert_eq!(limits.admit(LOOPBACK, RouteClass::Enrol, now), Admittance::RetryAfter(wait));
        assert_eq!(limits.admit(LOOPBACK, RouteClass::SignIn, now), Admittance::Admitted);
        assert_eq!(limits.admit(LOOPBACK, RouteClass::Enrol, now + wait), Admittance::Admitted);
    }

    #[test]
    fn failed_sign_ins_from_one_address_leave_every_other_address_free() {
        let limits = Limits::default();
        let now = Instant::now();
        let [attacker, owner]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        while limits.admit(attacker, RouteClass::SignIn, now) == Admittance::Admitted {}
        assert_eq!(limits.admit(owner, RouteClass::SignIn, now), Admittance::Admitted);
    }

    #[test]
    fn good_codes_are_not_limited() {
        let limits = Limits::default();
        let now = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(limits.admit(LOOPBACK, RouteClass::Enrol, now), Admittance::Admitted);
            limits.succeeded(LOOPBACK, RouteClass::Enrol, now);
        }
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_come() {
        let limits = Limits::default();
        let now = Instant::now();
        for number in 0..100_000_u32 {
            limits.admit(IpAddr::V4(number.into()), RouteClass::Enrol, now);
        }
        let generations = limits.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX);
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address_and_a_rented_one_sixteen() {
        let limits = Limits::default();
        let now = Instant::now();
        let admitted = |address: [u16; 8]| {
            limits.admit(IpAddr::from(address), RouteClass::SignIn, now) == Admittance::Admitted
        };
        let one = (0..100).filter(|last| admitted([0x2001, 0xdb8, 0, 0, 0, 0, 0, *last])).count();
        assert_eq!(one, 20);
        let household = (1..256).filter(|last| admitted([0x2001, 0xdb8, 0, *last, 0, 0, 0, 1])).count();
        assert_eq!(household, 3 * 20, "the /56 has four times as many, and its first /64 used a fourth");
        let site = (256..=u16::MAX).filter(|last| admitted([0x2001, 0xdb8, 0, *last, 0, 0, 0, 1])).count();
        assert_eq!(site, 12 * 20);
        assert!(admitted([0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]), "another site is free");
    }

    #[test]
    fn links_passwords_and_codes_have_buckets_of_their_own() {
        let limits = Limits::default();
        let now = Instant::now();
        for class in [RouteClass::Enrol, RouteClass::SignIn, RouteClass::SignInLink] {
            assert_eq!(limits.admit(LOOPBACK, class, now), Admittance::Admitted, "{class:?}");
            while limits.admit(LOOPBACK, class, now) == Admittance::Admitted {}
        }
    }
}
