//! Who calls: the person behind a token or a session, and when either was last used.
//!
//! Asking writes nothing. The answer says when the stored time of the last use is old, and the host then stores it: every
//! 15 minutes for a session, so that one left alone ends; once a day for a token, so that one nobody needs is found.

use crate::call::{Authenticated, Context, Principal, Proof, Reply};
use crate::day::UtcDay;
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::sql::{ReadSql, Row};
use crate::time::{Milliseconds, Timestamp};

use super::Directory;
use super::sessions::SESSION_IDLE_FOR;

/// How exactly the last use of a session is known: a write for each quarter of an hour in which somebody works.
const SESSION_USE_EVERY: Milliseconds = Milliseconds::from_seconds(15 * 60);

/// Who holds the token or the session with this digest; `None`: nobody, or it was withdrawn, is over, or is of
/// somebody who was deactivated.
pub(super) fn authenticated(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    digest: Digest,
) -> Result<Option<Authenticated>, Error> {
    let rows = db.query(
        "SELECT person.person_id, person.email, person.role, 1, session.idle_at, session.confirmed_at, \
         token.expires_at, NULL
         FROM session JOIN person USING (person_id) LEFT JOIN token ON token.token_id = session.token_id
         WHERE session.digest = ?1 AND session.revoked_at IS NULL AND session.expires_at > ?2
         AND session.idle_at > ?2 AND person.deactivated_at IS NULL
         UNION ALL
         SELECT person.person_id, person.email, person.role, 0, NULL, NULL, token.expires_at, token.used_at
         FROM token JOIN person USING (person_id)
         WHERE token.digest = ?1 AND token.revoked_at IS NULL AND person.deactivated_at IS NULL",
        &[digest.into(), cx.now.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (proof, is_use_due) = match row.integer(3)? {
        1 => session_read(row, cx)?,
        _ => (Proof::Token { until: until(row)? }, token_read(row, cx)?),
    };
    let principal = Principal {
        person: row.parsed(0)?,
        email: row.text(1)?.to_owned(),
        role: row.text(2)?.to_owned(),
        proof,
    };
    Ok(Some(Authenticated { principal, is_use_due }))
}

fn session_read(row: &Row, cx: &Context<'_>) -> Result<(Proof, bool), Error> {
    let confirmed_at = row.optional_integer(5)?.map(Timestamp::from_milliseconds);
    let idle_at = Timestamp::from_milliseconds(row.integer(4)?);
    Ok((Proof::Session { confirmed_at, until: until(row)? }, idle_at <= due_before(cx.now)))
}

/// When the token ends, or the one that opened the session.
fn until(row: &Row) -> Result<Option<Timestamp>, Error> {
    Ok(row.optional_integer(6)?.map(Timestamp::from_milliseconds))
}

/// Whether a use of the token is to be stored.
///
/// # Errors
///
/// `api_token_expired`. Only a caller who has the secret can get it.
fn token_read(row: &Row, cx: &Context<'_>) -> Result<bool, Error> {
    let used_at = row.optional_integer(7)?.map(Timestamp::from_milliseconds);
    if let Some(expires_at) = until(row)?.filter(|expires_at| *expires_at <= cx.now) {
        return Err(Error::problem(
            Code::ApiTokenExpired,
            format!("this API token expired at {expires_at}: make a new one and use it in its place"),
        ));
    }
    Ok(used_at.is_none_or(|at| UtcDay::of(at) < UtcDay::of(cx.now)))
}

/// A session that ends by then unless it is used was last used so long ago that this use is stored.
fn due_before(now: Timestamp) -> Timestamp {
    now.plus(SESSION_IDLE_FOR).shifted_by_ms(-(SESSION_USE_EVERY.0 as i64))
}

impl Directory<'_> {
    /// Stores that a session or a token was used. One that is over stays so.
    pub(super) fn used(&mut self, digest: Digest) -> Result<Reply, Error> {
        let now = self.cx.now;
        self.db.execute(
            "UPDATE session SET idle_at = ?3 WHERE digest = ?1 AND idle_at > ?2 AND idle_at <= ?4",
            &[digest.into(), now.into(), now.plus(SESSION_IDLE_FOR).into(), due_before(now).into()],
        )?;
        self.db.execute(
            "UPDATE token SET used_at = ?2 WHERE digest = ?1 AND revoked_at IS NULL
             AND (used_at IS NULL OR used_at < ?3)",
            &[digest.into(), now.into(), UtcDay::of(now).starts_at().into()],
        )?;
        Ok(Reply::Done)
    }
}
