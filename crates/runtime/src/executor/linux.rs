//! Commands on Linux: each runs under a guard process of its own.
//!
//! ```text
//! runtime ── guard (own session, child subreaper) ── command (own session, in the step's control group)
//! ```
//!
//! The guard is this same program under a hidden subcommand. Whatever a command starts and abandons
//! becomes a child of the guard, however often it calls `setsid` and whatever it does to its environment,
//! so the guard can end all of it. It does so when the command exits, when the runtime asks, and when its
//! control socket closes because the runtime is gone, killed outright included. Where a control group (v2)
//! can be made the command runs in one, which ends a fork storm in one write and is found by name after a
//! restart even when the guard was killed too. A runtime that adopts orphans
//! ([`ExecutorOptions::adopt_orphans`](super::ExecutorOptions::adopt_orphans)) inherits the tree of a
//! guard that was killed and ends it itself.
//!
//! What is left uncovered: runtime and guard killed at the same instant *and* no control group.

mod environment;
mod group;
mod guard;
mod launch;
mod program;
mod raw;
mod sweep;
mod tree;
mod wire;

pub use guard::guard_main;
pub(super) use launch::Launcher;
