//! Repeats of a request are answered as the first time, for 24 hours, apart from secrets.
//!
//! A reply is kept without the secret it carried: a repeated "make a code" names the code that was made and not
//! its text. Who lost that answer revokes the code and makes another; kept, the secret would lie here readable.

use crate::call::{Idempotency, Principal, Reply, Resource};
use crate::control::{IDEMPOTENCY_KEPT_FOR, idempotency_check_same};
use crate::error::Error;
use crate::time::Timestamp;

use super::Directory;

/// The reply to the same request, where it came before.
pub(super) fn replay(
    directory: &Directory<'_>,
    by: &Principal,
    idempotency: Option<&Idempotency>,
) -> Result<Option<Reply>, Error> {
    let Some(idempotency) = idempotency else { return Ok(None) };
    let rows = directory.db.query(
        "SELECT body, reply FROM directory_idempotency
         WHERE principal = ?1 AND route = ?2 AND key = ?3 AND at > ?4",
        &[
            by.person.into(),
            idempotency.route.as_str().into(),
            idempotency.key.as_str().into(),
            kept_since(directory).into(),
        ],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    idempotency_check_same(row.parsed(0)?, idempotency)?;
    let (resource, created): (Resource, bool) = row.json(1)?;
    Ok(Some(Reply::Resource { resource: Box::new(resource), created, repeated: true }))
}

/// Keeps the reply for repeats, and drops what is too old.
pub(super) fn keep(
    directory: &Directory<'_>,
    by: &Principal,
    idempotency: Option<&Idempotency>,
    resource: &Resource,
    created: bool,
) -> Result<(), Error> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    directory
        .db
        .execute("DELETE FROM directory_idempotency WHERE at <= ?1", &[kept_since(directory).into()])?;
    directory.db.execute(
        "INSERT INTO directory_idempotency (principal, route, key, body, reply, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            by.person.into(),
            idempotency.route.as_str().into(),
            idempotency.key.as_str().into(),
            idempotency.body.into(),
            super::json(&(without_secret(resource.clone()), created)),
            directory.cx.now.into(),
        ],
    )?;
    Ok(())
}

fn kept_since(directory: &Directory<'_>) -> Timestamp {
    directory.cx.now.shifted_by_ms(-(IDEMPOTENCY_KEPT_FOR.0 as i64))
}

fn without_secret(mut resource: Resource) -> Resource {
    match &mut resource {
        Resource::Code(view) => view.code = None,
        Resource::Token(view) => view.token = None,
        Resource::Person(view) => view.sign_in_secret = None,
        Resource::Client(_)
        | Resource::Site(_)
        | Resource::Endpoint(_)
        | Resource::Sequence(_)
        | Resource::Session(_)
        | Resource::Playbook(_) => {}
    }
    resource
}
