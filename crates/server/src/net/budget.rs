//! Memory for the bodies of requests: one account for the process, and a share of it for each address.
//!
//! Bytes are reserved as they arrive and given back when the request is done. A sender that has proved nothing gets a
//! small part: the first line of a sync, a request to enrol, a form to sign in with. The last part of the process's
//! account is for small requests alone, so that an ordinary result gets in while others fill the rest.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_web::{NoRoom, Room};

use super::network::network;

/// All bodies in flight, in bytes. Parsing doubles them, so that an ordinary server of 512 MiB keeps half of its memory.
const PROCESS_BYTES_MAX: usize = 64 << 20;
/// The part of it that only requests of at most [`SMALL_BYTES_MAX`] may use: some hundred results at once.
const SMALL_RESERVE_BYTES: usize = 8 << 20;
/// What still counts as small: the results of a night of checks, but no large output.
const SMALL_BYTES_MAX: usize = 256 << 10;
/// All bodies of one address: two of the largest syncs, or thirty of those a runtime makes.
const ADDRESS_BYTES_MAX: usize = 16 << 20;
/// All bodies of senders that have proved nothing yet.
const UNPROVED_BYTES_MAX: usize = 8 << 20;
/// Those of one address: four of the largest requests to enrol, or two hundred ordinary ones.
const UNPROVED_ADDRESS_BYTES_MAX: usize = 2 << 20;

/// The account of the process.
#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    all: Amount,
    /// An address is here exactly while bytes of it are reserved, so the map is bounded by the bytes.
    addresses: HashMap<IpAddr, Amount>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    bytes: usize,
    /// How many of them are of senders that proved nothing.
    unproved: usize,
}

/// The account of one request. Dropping it gives its bytes back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    network: IpAddr,
    is_proved: AtomicBool,
    reserved: Mutex<usize>,
}

impl Budget {
    /// An account for a request from `address`.
    pub(super) fn open(self: &Arc<Self>, address: IpAddr) -> Arc<Share> {
        Arc::new(Share {
            budget: Arc::clone(self),
            network: network(address),
            is_proved: AtomicBool::new(false),
            reserved: Mutex::new(0),
        })
    }

    /// Bytes that are reserved.
    pub(crate) fn bytes(&self) -> usize {
        self.used().all.bytes
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Whether `bytes` more fit for a request of `network` that has `reserved` already.
    fn check(&self, network: IpAddr, is_proved: bool, reserved: usize, bytes: usize) -> Result<(), NoRoom> {
        let address = self.addresses.get(&network).copied().unwrap_or_default();
        let is_over_share = address.bytes + bytes > ADDRESS_BYTES_MAX
            || (!is_proved && address.unproved + bytes > UNPROVED_ADDRESS_BYTES_MAX);
        if is_over_share {
            return Err(NoRoom::Address);
        }
        let is_small = reserved + bytes <= SMALL_BYTES_MAX;
        let all_max = if is_small { PROCESS_BYTES_MAX } else { PROCESS_BYTES_MAX - SMALL_RESERVE_BYTES };
        let is_full = self.all.bytes + bytes > all_max
            || (!is_proved && self.all.unproved + bytes > UNPROVED_BYTES_MAX);
        if is_full { Err(NoRoom::Process) } else { Ok(()) }
    }

    fn change(&mut self, network: IpAddr, change: impl Fn(&mut Amount)) {
        change(&mut self.all);
        let address = self.addresses.entry(network).or_default();
        change(address);
        if *address == Amount::default() {
            self.addresses.remove(&network);
        }
    }
}

impl Share {
    /// Whether the sender proved who it is.
    pub(super) fn is_proved(&self) -> bool {
        self.is_proved.load(Ordering::Acquire)
    }

    fn reserved(&self) -> std::sync::MutexGuard<'_, usize> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room for Share {
    fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut reserved = self.reserved();
        let is_proved = self.is_proved();
        let mut used = self.budget.used();
        used.check(self.network, is_proved, *reserved, bytes)?;
        used.change(self.network, |amount| {
            amount.bytes += bytes;
            amount.unproved += if is_proved { 0 } else { bytes };
        });
        *reserved += bytes;
        Ok(())
    }

    fn prove(&self) {
        let reserved = self.reserved();
        if !self.is_proved.swap(true, Ordering::AcqRel) && *reserved > 0 {
            self.budget.used().change(self.network, |amount| amount.unproved -= *reserved);
        }
    }

    fn give_back(&self) {
        let mut reserved = self.reserved();
        let (bytes, is_proved) = (std::mem::take(&mut *reserved), self.is_proved());
        if bytes > 0 {
            self.budget.used().change(self.network, |amount| {
                amount.bytes -= bytes;
                amount.unproved -= if is_proved { 0 } else { bytes };
            });
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + number).into())
    }

    /// Reserves pieces of 64 KiB until none fits; the shares and why.
    fn fill(
        budget: &Arc<Budget>,
        from: impl Iterator<Item = IpAddr>,
        is_proved: bool,
    ) -> (Vec<Arc<Share>>, NoRoom) {
        let mut shares = Vec::new();
        let mut why = NoRoom::Process;
        for address in from {
            let share = budget.open(address);
            if is_proved {
                share.prove();
            }
            loop {
                match share.take(64 * KIB) {
                    Ok(()) => {}
                    Err(error) => break why = error,
                }
            }
            shares.push(share);
        }
        (shares, why)
    }

    #[test]
    fn one_address_has_its_share_and_the_others_theirs() {
        let budget = Arc::new(Budget::default());
        let (hog, why) = fill(&budget, [address(1)].into_iter(), true);
        assert_eq!((budget.bytes(), why), (ADDRESS_BYTES_MAX, NoRoom::Address));
        assert_eq!(
            budget.open(address(1)).take(1),
            Err(NoRoom::Address),
            "another request of the same address"
        );
        let honest = budget.open(address(2));
        honest.prove();
        assert_eq!(honest.take(8 << 20), Ok(()), "the largest sync of another one");
        drop((hog, honest));
        assert_eq!(budget.bytes(), 0);
        assert!(budget.used().addresses.is_empty());
    }

    #[test]
    fn who_proved_nothing_gets_a_small_part_however_many_addresses_come() {
        let budget = Arc::new(Budget::default());
        let (strangers, _) = fill(&budget, [address(1)].into_iter(), false);
        assert_eq!(budget.bytes(), UNPROVED_ADDRESS_BYTES_MAX);
        let (more, why) = fill(&budget, (2..1_000).map(address), false);
        assert_eq!((budget.bytes(), why), (UNPROVED_BYTES_MAX, NoRoom::Process));
        let known = budget.open(address(1));
        known.prove();
        assert_eq!(known.take(8 << 20), Ok(()), "an enrolled machine at the address of the first stranger");
        drop((strangers, more, known));
        assert_eq!(budget.used().all, Amount::default());
    }

    #[test]
    fn an_ordinary_result_gets_in_while_large_ones_fill_the_rest() {
        let budget = Arc::new(Budget::default());
        let (hogs, why) = fill(&budget, (1..100).map(address), true);
        assert_eq!(why, NoRoom::Process);
        assert!(budget.bytes() <= PROCESS_BYTES_MAX - SMALL_RESERVE_BYTES + 100 * SMALL_BYTES_MAX);
        drop(hogs);
        let (hogs, _) = fill(&budget, (1..5).map(address), true);
        assert_eq!(budget.bytes(), PROCESS_BYTES_MAX - SMALL_RESERVE_BYTES);
        let result = budget.open(address(200));
        assert_eq!(result.take(SMALL_BYTES_MAX), Ok(()));
        assert_eq!(result.take(1), Err(NoRoom::Process), "it is no longer small");
        drop(hogs);
    }

    #[test]
    fn a_proof_moves_what_was_reserved_and_nothing_is_given_back_twice() {
        let budget = Arc::new(Budget::default());
        let share = budget.open(address(1));
        share.take(8 * KIB).unwrap();
        assert_eq!(budget.used().all, Amount { bytes: 8 * KIB, unproved: 8 * KIB });
        share.prove();
        share.prove();
        assert_eq!(budget.used().all, Amount { bytes: 8 * KIB, unproved: 0 });
        share.give_back();
        drop(share);
        assert_eq!(budget.used().all, Amount::default());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address() {
        let budget = Arc::new(Budget::default());
        let addresses = (1..64_u16).map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
        let (_hogs, why) = fill(&budget, addresses, true);
        assert_eq!((budget.bytes(), why), (ADDRESS_BYTES_MAX, NoRoom::Address));
    }
}
