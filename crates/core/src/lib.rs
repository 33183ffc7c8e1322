//! The rules of Tidegate: both halves of the protocol, the executor's and session's rules, the transcript.
//!
//! One call is one transaction: the host opens it, calls, commits, and only then lets the reply and the
//! effects leave. There is no I/O here, no clock, no randomness, no thread and no async: time, entropy,
//! keys and storage are arguments, and a crash is a call that never came.

pub mod conformance;
pub mod digest;
pub mod entropy;
pub mod id;
pub mod journal;
pub mod probe;
pub mod sequence;
pub mod sql;
pub mod time;
