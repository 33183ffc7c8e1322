//! Tests of whole programs: real processes, power cuts, tampering, benchmarks.
//!
//! Unpublished, and the only package that may depend on every other. What it shows, `shows` runs by name.

pub mod bench;
pub mod harness;
pub mod power_cut;
pub mod provocations;
pub mod shows;
