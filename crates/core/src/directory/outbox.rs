//! Messages of the directory to endpoint objects: whose work to hold. A row stays until its endpoint object has stored
//! the message, so a crash loses nothing; a repeat changes nothing.
//!
//! Each message is sent twice, the second time a minute later: a request in flight during the deactivation may have
//! queued work just after the first.

use crate::call::{Effect, Principal};
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::{ReadSql, Sql};
use crate::time::{Milliseconds, Timestamp};

use super::Directory;

/// Delay of the second message: longer than any request takes from authentication to commit.
const AGAIN_AFTER: Milliseconds = Milliseconds::from_seconds(60);

/// Something to tell: [`crate::call::EndpointInput::HoldWorkOf`] with these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldWork {
    /// The receiving endpoint.
    pub endpoint: EndpointId,
    /// Whose work: the e-mail address.
    pub person: String,
    /// Who deactivated them.
    pub by: String,
    /// When the message was queued.
    pub due_at: Timestamp,
}

/// The messages to deliver now, at most `limit`.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox(db: &dyn ReadSql, now: Timestamp, limit: u32) -> Result<Vec<HoldWork>, Error> {
    let rows = db.query(
        "SELECT endpoint_id, person, by, due_at FROM directory_outbox WHERE due_at <= ?1
         ORDER BY due_at, endpoint_id, person LIMIT ?2",
        &[now.into(), limit.into()],
    )?;
    let read = |row: &crate::sql::Row| {
        Ok(HoldWork {
            endpoint: row.parsed(0)?,
            person: row.text(1)?.to_owned(),
            by: row.text(2)?.to_owned(),
            due_at: Timestamp::from_milliseconds(row.integer(3)?),
        })
    };
    rows.iter().map(read).collect()
}

/// When there is something to tell next; `None`: there is nothing.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox_due_at(db: &dyn ReadSql) -> Result<Option<Timestamp>, Error> {
    let rows = db.query("SELECT MIN(due_at) FROM directory_outbox", &[])?;
    let due = rows.first().map(|row| row.optional_integer(0)).transpose()?.flatten();
    Ok(due.map(Timestamp::from_milliseconds))
}

/// Deletes a delivered message, in the transaction that delivered it or a later one.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox_done(db: &dyn Sql, told: &HoldWork) -> Result<(), Error> {
    db.execute(
        "DELETE FROM directory_outbox WHERE due_at = ?1 AND endpoint_id = ?2 AND person = ?3",
        &[told.due_at.into(), told.endpoint.into(), told.person.as_str().into()],
    )?;
    Ok(())
}

impl Directory<'_> {
    /// Has every endpoint hold what this person queued. Every one that was ever admitted is told, also one of which the
    /// directory has heard nothing yet.
    pub(super) fn work_hold(&mut self, person: &str, by: &Principal) -> Result<(), Error> {
        for due_at in [self.cx.now, self.cx.now.plus(AGAIN_AFTER)] {
            self.db.execute(
                "INSERT INTO directory_outbox (due_at, endpoint_id, person, by)
                 SELECT DISTINCT ?1, endpoint_id, ?2, ?3 FROM endpoint_by_key WHERE TRUE
                 ON CONFLICT DO NOTHING",
                &[due_at.into(), person.into(), by.email.as_str().into()],
            )?;
        }
        self.effects.push(Effect::Tell);
        Ok(())
    }
}
