//! Sequences: what a technician asks for, and what became of it.

mod outcome;

pub use outcome::{
    DATA_BYTES_MAX, EndState, Finding, OUTPUT_END_BYTES_MAX, Output, SUMMARY_BYTES_MAX, StepResult,
};
