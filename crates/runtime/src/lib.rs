//! runtime

pub mod executor;
pub mod probes;
