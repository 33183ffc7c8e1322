//! Sequences: what a technician asks for, and what became of it.

mod evidence;
mod outcome;
mod record;
mod spec;
mod worst;

pub use evidence::{Amendment, FinishedStep};
pub use outcome::{
    DATA_BYTES_MAX, EndState, Finding, OUTPUT_END_BYTES_MAX, Output, SUMMARY_BYTES_MAX, StepResult,
};
pub use record::{
    Attempt, AttemptEnd, CancelRequest, Doubt, EndpointTime, HoldCause, Note, PersonAct, Queued, Sequence,
    Standing, StepRecord, ToldWait,
};
pub use spec::{
    EXPIRES_IN_DEFAULT, EXPIRES_IN_MAX, ResolvedSequence, SEQUENCE_BYTES_MAX, STEPS_MAX, SequenceSpec,
    SpecError, StepSpec, StopOn, TIMEOUT_DEFAULT, TIMEOUT_MAX, TITLE_BYTES_MAX,
};
pub use worst::{SAID_CHARACTERS_MAX, WORST_CHARACTERS_MAX};
