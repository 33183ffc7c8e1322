//! Exports of the real halves, whole and damaged in every way that a file can be.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod backup;
mod bytes;
mod damaged;
mod erased;
mod erasing;
mod forge;
mod forged;
mod keys;
mod listed;
mod paging;
mod restored;
mod second;
mod whole;
mod world;

use tidegate_core::digest::Digest;
use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::verify::{Report, Verifier};

use world::World;

/// A record of one queued and finished sequence, endorsed.
fn genuine() -> Vec<String> {
    let mut world = World::new();
    world.settle();
    world.queue();
    world.settle();
    world.export()
}

fn trusted() -> Digest {
    PublicKey::of_seed(&[10; 32]).fingerprint()
}

fn order_keys() -> KeyPair {
    KeyPair::from_seed(Role::Order, &[11; 32])
}

fn verify_bytes(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new(Some(trusted()));
    for piece in bytes.chunks(1_000) {
        verifier.feed(piece);
    }
    verifier.finish()
}

fn verify(lines: &[String]) -> Report {
    verify_bytes((lines.join("\n") + "\n").as_bytes())
}

/// The verdict and every problem, as a person reads it.
fn told(lines: &[String]) -> String {
    shown(&verify(lines))
}

fn shown(report: &Report) -> String {
    let problems = report.problems.iter().map(|problem| format!("\n- {problem}"));
    format!("{report}{}", problems.collect::<String>())
}
