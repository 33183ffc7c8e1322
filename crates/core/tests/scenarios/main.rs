//! Both halves of the protocol in one process, a wire that loses, repeats and delays, and power that goes after any
//! commit: the scenarios that the rules of the design must survive, and random schedules beside them.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod claims;
mod clocks;
mod copies;
mod dark;
mod departures;
mod driver;
mod enrolments;
mod fired;
mod gaps;
mod handover;
mod history;
mod identity;
mod invariants;
mod keys;
mod newer;
mod observed;
mod orders;
mod packed;
mod restores;
mod room;
mod schedules;
mod slowed;
mod traffic;
mod waits;
mod world;
