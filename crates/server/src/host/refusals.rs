//! Refused sign-ins, counted in memory until they are stored: an attempt that fails must cost no write, and a crash may
//! forget a minute of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tidegate_core::call::{RefusedSignIn, RefusedSignIns};
use tidegate_core::directory::RefusedWith;
use tidegate_core::time::Timestamp;
use tidegate_web::{ClientAddress, SignInAttempt};

/// Most that are counted separately within a minute, a few hundred bytes each: more than are stored separately. The rest is
/// counted as one.
const APART_MAX: usize = 1_000;

type Key = (Option<String>, RefusedWith, Option<IpAddr>);

/// What was refused since it was last stored.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    since: Option<Timestamp>,
    apart: BTreeMap<Key, u64>,
    others: u64,
}

impl Refusals {
    /// Counts one.
    pub(crate) fn add(&self, attempt: SignInAttempt, now: Timestamp) {
        let SignInAttempt { account, with, address } = attempt;
        self.lock().add((account, with, address.map(|ClientAddress(address)| address)), 1, now);
    }

    /// Takes what was counted; `None`: nothing was.
    pub(crate) fn take(&self, now: Timestamp) -> Option<RefusedSignIns> {
        let Counted { since, apart, others } = std::mem::take(&mut *self.lock());
        let from = since?;
        let named = apart.into_iter().map(|((account, with, address), count)| RefusedSignIn {
            account,
            with,
            address: address.map(|address| address.to_string()),
            count,
        });
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|refused| std::cmp::Reverse(refused.count));
        Some(RefusedSignIns { from, until: now, named, others })
    }

    /// Counts again what could not be stored.
    pub(crate) fn give_back(&self, told: RefusedSignIns) {
        let mut counted = self.lock();
        for RefusedSignIn { account, with, address, count } in told.named {
            counted.add((account, with, address.and_then(|address| address.parse().ok())), count, told.from);
        }
        counted.others = counted.others.saturating_add(told.others);
        counted.since = Some(told.from);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn add(&mut self, key: Key, count: u64, now: Timestamp) {
        self.since.get_or_insert(now);
        if self.apart.len() >= APART_MAX && !self.apart.contains_key(&key) {
            self.others = self.others.saturating_add(count);
            return;
        }
        let counted = self.apart.entry(key).or_default();
        *counted = counted.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(account: Option<&str>, last: u8) -> SignInAttempt {
        SignInAttempt {
            account: account.map(str::to_owned),
            with: RefusedWith::Password,
            address: Some(ClientAddress(IpAddr::from([192, 0, 2, last]))),
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_milliseconds(ms)
    }

    #[test]
    fn attempts_of_one_kind_are_one_count_and_the_most_frequent_come_first() {
        let refusals = Refusals::default();
        assert_eq!(refusals.take(at(0)), None);
        refusals.add(attempt(Some("kim@msp.example"), 1), at(10));
        for _ in 0..3 {
            refusals.add(attempt(None, 2), at(20));
        }
        let told = refusals.take(at(60)).unwrap();
        assert_eq!((told.from, told.until, told.others), (at(10), at(60), 0));
        let counts: Vec<_> = told.named.iter().map(|it| (it.account.as_deref(), it.count)).collect();
        assert_eq!(counts, [(None, 3), (Some("kim@msp.example"), 1)]);
        assert_eq!(told.named[0].address.as_deref(), Some("192.0.2.2"));
        assert_eq!(refusals.take(at(70)), None, "it was taken");
        refusals.give_back(told.clone());
        refusals.add(attempt(None, 2), at(80));
        let again = refusals.take(at(90)).unwrap();
        assert_eq!((again.from, again.named[0].count, again.named.len()), (at(10), 4, 2));
    }

    #[test]
    fn memory_is_bounded_whatever_is_tried() {
        let refusals = Refusals::default();
        for number in 0..5_000 {
            refusals.add(attempt(Some(&format!("a{number}@msp.example")), 1), at(1));
        }
        let told = refusals.take(at(2)).unwrap();
        assert_eq!((told.named.len(), told.others), (APART_MAX, 5_000 - APART_MAX as u64));
    }
}
