//! Tests of whole programs: real processes, power cuts, benchmarks.

pub mod power_cut;
