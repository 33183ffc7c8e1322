//! One caller's transaction and the way back to the caller, without their types.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidegate_core::sql::{Sql, SqlError};

use crate::error::WriteError;

/// A call in the queue.
pub(super) type Queued = Box<dyn Call>;

/// What the writer does with a call: runs it, perhaps again, and finishes it once.
pub(super) trait Call: Send {
    /// Runs the call and keeps its answer. Answers whether its effects are wanted.
    fn run(&mut self, db: &dyn Sql) -> bool;

    /// Tells the caller: with `Ok`, what its last run answered.
    fn finish(self: Box<Self>, fate: Result<(), WriteError<Never>>);
}

/// No error of the caller's: what the writer itself has to say.
#[derive(Debug)]
pub(super) enum Never {}

pub(super) struct TypedCall<J, D, T, E> {
    job: J,
    done: D,
    answer: Option<Result<T, WriteError<E>>>,
}

impl<J, D, T, E> TypedCall<J, D, T, E> {
    pub(super) fn new(job: J, done: D) -> Self {
        Self { job, done, answer: None }
    }
}

impl<J, D, T, E> Call for TypedCall<J, D, T, E>
where
    J: FnMut(&dyn Sql) -> Result<T, E> + Send,
    D: FnOnce(Result<T, WriteError<E>>) + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, db: &dyn Sql) -> bool {
        // After a panic the job's own state may be odd, but it is only run again when its batch failed,
        // and whatever it does then is in a transaction of its own.
        let answer = match catch_unwind(AssertUnwindSafe(|| (self.job)(db))) {
            Ok(answer) => answer.map_err(WriteError::Job),
            Err(payload) => Err(WriteError::Panicked(panic_message(payload.as_ref()))),
        };
        self.answer.insert(answer).is_ok()
    }

    fn finish(self: Box<Self>, fate: Result<(), WriteError<Never>>) {
        let Self { done, answer, .. } = *self;
        let result = match fate {
            Ok(()) => answer.expect("a call that is finished well was run"),
            Err(error) => Err(error.into_any()),
        };
        // The caller's panic is the caller's: the next caller's answer must still go out.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| done(result))) {
            let panic = panic_message(payload.as_ref());
            tracing::error!(panic, "the receiver of a write's answer panicked");
        }
    }
}

impl WriteError<Never> {
    /// The writer's own verdict, for a caller with any error type.
    fn into_any<E>(self) -> WriteError<E> {
        match self {
            Self::Storage(error) => WriteError::Storage(error),
            Self::Busy => WriteError::Busy,
            Self::Panicked(message) => WriteError::Panicked(message),
            Self::Closed => WriteError::Closed,
        }
    }
}

/// The writer's verdict for an error of the database.
pub(super) fn storage(error: SqlError) -> WriteError<Never> {
    WriteError::Storage(error)
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
