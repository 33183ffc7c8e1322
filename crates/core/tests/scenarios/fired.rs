//! How often each fault of the random schedules took effect: a run that tried nothing must not pass for one that
//! found nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local!(static FIRED: RefCell<BTreeMap<&'static str, u64>> = RefCell::default());

/// What a run of many schedules must have met, all of it.
const EVERY: &[&str] = &[
    "a request is lost",
    "a request is cut in half",
    "a request arrives twice",
    "a request arrives late",
    "a request that was taken before is heard again",
    "a sync is taken in two parts",
    "an answer is lost",
    "an answer arrives twice",
    "an answer arrives late",
    "the signatures of orders are altered",
    "the bytes of work are altered",
    "the control plane loses power after a commit",
    "a machine loses power after a commit",
    "the control plane restarts",
    "an order key is replaced",
    "an order key is revoked",
    "a backup is restored, and announced",
    "a backup is restored, and nobody says so",
    "a machine loses power",
    "a machine reboots",
    "a clock is wrong after a power cut",
    "a machine prunes what is acknowledged",
    "a machine is cloned",
    "a machine is set back to a snapshot",
    "a machine is imaged anew",
    "a machine enrols again after a restore",
    "a journal is adopted",
    "work is cancelled",
    "held work is released",
    "work is put first",
    "the person who queues work is deactivated",
    "a step succeeds",
    "a step fails",
];

/// Counts one more.
pub(crate) fn count(fault: &'static str) {
    debug_assert!(EVERY.contains(&fault), "`{fault}` is not in the list");
    FIRED.with_borrow_mut(|fired| *fired.entry(fault).or_default() += 1);
}

/// Counts one more where something took effect.
pub(crate) fn count_if(took_effect: bool, fault: &'static str) {
    if took_effect {
        count(fault);
    }
}

/// Prints what fired on this thread, a line each, and forgets it.
///
/// # Panics
///
/// Where `is_complete` and some fault never fired.
pub(crate) fn print(is_complete: bool) {
    let fired = FIRED.take();
    for (fault, times) in &fired {
        println!("fired {times:>9}  {fault}");
    }
    let never: Vec<_> = EVERY.iter().filter(|fault| !fired.contains_key(*fault)).collect();
    assert!(!is_complete || never.is_empty(), "never fired: {never:?}");
}
