//! The control plane's half: one endpoint object.

use crate::call::{Answer, Context, Effect, EndpointInput, EndpointQuestion, Projection, Reply};
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::{ReadSql, Sql};
use crate::time::Timestamp;

/// Applies `input` to `endpoint` in the host's transaction.
///
/// # Errors
///
/// [`Error`]; the host rolls the transaction (or its savepoint) back.
pub fn handle(
    db: &dyn Sql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    input: EndpointInput,
) -> Result<(Reply, Vec<Effect>), Error> {
    let _ = (db, cx, endpoint, input);
    Err(Error::invalid("not there yet"))
}

/// Answers `question` about `endpoint` from the host's snapshot; writes nothing.
///
/// # Errors
///
/// [`Error`].
pub fn query(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    question: EndpointQuestion,
) -> Result<Answer, Error> {
    let _ = (db, cx, endpoint, question);
    Err(Error::invalid("not there yet"))
}

/// When the endpoint next needs [`EndpointInput::Deadline`]; `None`: never, as things are.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn next_deadline(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Option<Timestamp>, Error> {
    let _ = (db, endpoint);
    Ok(None)
}

/// Endpoints whose deadline has come, for a host that keeps many in one database; at most `limit`.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn due(db: &dyn ReadSql, now: Timestamp, limit: u32) -> Result<Vec<EndpointId>, Error> {
    let _ = (db, now, limit);
    Ok(Vec::new())
}

/// Projections that the directory has not taken in yet, for a host that keeps many endpoints in one database; at
/// most `limit` endpoints. Repeating one is safe.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox(db: &dyn ReadSql, cx: &Context<'_>, limit: u32) -> Result<Vec<Projection>, Error> {
    let _ = (db, cx, limit);
    Ok(Vec::new())
}

/// Forgets projections that the directory has taken in; a newer change stays.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox_done(db: &dyn Sql, taken: &[Projection]) -> Result<(), Error> {
    let _ = (db, taken);
    Ok(())
}

/// Closes every order log of every endpoint, in the host's transaction, and treats what may have happened since
/// the backup as R9 says. Answers how many endpoints it touched.
///
/// # Errors
///
/// [`Error`].
pub fn restore_all(db: &dyn Sql, cx: &Context<'_>) -> Result<u64, Error> {
    let _ = (db, cx);
    Ok(0)
}
