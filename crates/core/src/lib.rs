//! The rules of Tidegate: both halves of the protocol, the executor's and session's rules, the transcript.
//!
//! One call is one transaction: the host opens it, calls, commits, and only then lets the reply and the
//! effects leave. There is no I/O here, no clock, no randomness, no thread and no async: time, entropy,
//! keys and storage are arguments, and a crash is a call that never came.

pub mod api;
pub mod call;
pub mod chain;
pub mod conformance;
pub mod control;
pub mod day;
pub mod destination;
pub mod digest;
pub mod directory;
pub mod entropy;
pub mod envelope;
pub mod error;
pub mod estimate;
pub mod export;
pub mod id;
pub mod journal;
pub mod key_end;
pub mod keys;
pub mod obstacle;
mod openapi;
pub mod packed;
pub mod page_bytes;
pub mod playbook;
pub mod probe;
pub mod rhythm;
pub mod runtime;
pub mod schema;
pub mod sequence;
pub mod sql;
pub mod time;
pub mod transcript;
pub mod verify;
pub mod window;
pub mod wire;
pub mod words;
pub mod zone;

use call::{Answer, Context, Effect, Input, ObjectId, Question, Reply};
use error::Error;
use sql::{ReadSql, Sql};

/// Applies `input` to `object` in the host's transaction. Replies and effects leave after the commit.
///
/// # Errors
///
/// [`Error`]; the host rolls back. An input for another kind of object is [`error::Code::Internal`].
pub fn handle(
    db: &dyn Sql,
    cx: &Context<'_>,
    object: ObjectId,
    input: Input,
) -> Result<(Reply, Vec<Effect>), Error> {
    match (object, input) {
        (ObjectId::Directory, Input::Directory(input)) => directory::handle(db, cx, input),
        (ObjectId::Endpoint(endpoint), Input::Endpoint(input)) => control::handle(db, cx, endpoint, input),
        (ObjectId::Directory, Input::Endpoint(_)) | (ObjectId::Endpoint(_), Input::Directory(_)) => {
            Err(misdirected())
        }
    }
}

/// Answers `question` about `object` from the host's snapshot; writes nothing.
///
/// # Errors
///
/// [`Error`]. A question for another kind of object is [`error::Code::Internal`].
pub fn query(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    object: ObjectId,
    question: Question,
) -> Result<Answer, Error> {
    match (object, question) {
        (ObjectId::Directory, Question::Directory(question)) => directory::query(db, cx, question),
        (ObjectId::Endpoint(endpoint), Question::Endpoint(question)) => {
            control::query(db, cx, endpoint, question)
        }
        (ObjectId::Directory, Question::Endpoint(_)) | (ObjectId::Endpoint(_), Question::Directory(_)) => {
            Err(misdirected())
        }
    }
}

fn misdirected() -> Error {
    Error::problem(error::Code::Internal, "a call reached an object of another kind")
}
