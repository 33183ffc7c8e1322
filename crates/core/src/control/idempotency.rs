//! Repeats of a request are answered as the first time, for 24 hours.

use crate::call::{Idempotency, Principal, Reply, Resource};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::sql::Value;
use crate::time::Milliseconds;

use super::object::Object;
use super::store;

/// How long a key is kept (design, section 8).
pub(crate) const KEPT_FOR: Milliseconds = Milliseconds::from_seconds(24 * 3_600);

/// The reply to the same request, where it came before.
pub(super) fn replay(
    object: &Object<'_>,
    by: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Option<Reply>, Error> {
    let Some(idempotency) = idempotency else { return Ok(None) };
    let since = object.cx.now.shifted_by_ms(-(KEPT_FOR.0 as i64));
    let rows = object.db.query(
        "SELECT body, reply FROM idempotency
         WHERE endpoint_id = ?1 AND principal = ?2 AND route = ?3 AND key = ?4 AND at > ?5",
        &[
            object.id.into(),
            by.person.into(),
            idempotency.route.as_str().into(),
            idempotency.key.as_str().into(),
            since.into(),
        ],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    check_same(row.parsed(0)?, idempotency)?;
    let (resource, created): (Resource, bool) = row.json(1)?;
    Ok(Some(Reply::Resource { resource: Box::new(resource), created, repeated: true }))
}

/// Keeps the reply for repeats, and drops what is too old.
pub(super) fn keep(
    object: &Object<'_>,
    by: &Principal,
    idempotency: Option<&Idempotency>,
    resource: &Resource,
    created: bool,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    let since = object.cx.now.shifted_by_ms(-(KEPT_FOR.0 as i64));
    object.db.execute(
        "DELETE FROM idempotency WHERE endpoint_id = ?1 AND at <= ?2",
        &[object.id.into(), since.into()],
    )?;
    let parameters: [Value; 7] = [
        object.id.into(),
        by.person.into(),
        idempotency.route.as_str().into(),
        idempotency.key.as_str().into(),
        idempotency.body.into(),
        store::json(&(resource, created)),
        object.cx.now.into(),
    ];
    object.db.execute(
        "INSERT INTO idempotency (endpoint_id, principal, route, key, body, reply, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &parameters,
    )?;
    Ok(())
}

/// Refuses a key that was used for another request.
pub(crate) fn check_same(body: Digest, idempotency: &Idempotency) -> Result<(), Error> {
    if body == idempotency.body {
        return Ok(());
    }
    Err(Error::problem(
        Code::IdempotencyMismatch,
        "this idempotency key was used for another request within the last 24 hours: use a fresh one",
    ))
}
