//! The control plane's half: one endpoint object.
//!
//! Reading order: `object` (what a call works on), `sync` (a sync from the outside in), `intake` and `apply`
//! (journal entries), `offer` and `orders` (order logs), `identity` (adoption, forks, restores), `act` (people).

mod act;
mod apply;
mod budget;
mod claims;
mod contacts;
mod departed;
mod enrol;
mod export;
mod handover;
mod idempotency;
mod identity;
mod intake;
mod notes;
mod object;
mod offer;
mod orders;
mod outages;
mod outbox;
mod previous;
mod proved;
mod reason;
mod record;
mod slowed;
mod steps_view;
mod store;
mod sync;
mod ticket;
mod ticket_uses;
mod traffic;
mod view;
mod waiting;
mod waiting_words;

pub(crate) use act::{check_name, check_revision};
pub(crate) use idempotency::{KEPT_FOR as IDEMPOTENCY_KEPT_FOR, check_same as idempotency_check_same};
pub use outbox::{outbox, outbox_backlog, outbox_done};
pub use ticket_uses::TicketUses;
pub(crate) use view::reachability;

use crate::api::EndpointState;
use crate::call::{Answer, Context, Effect, EndpointInput, EndpointQuestion, Reply, Seen};
use crate::error::Error;
use crate::id::EndpointId;
use crate::schema::Schema;
use crate::sequence::EndState;
use crate::sql::{ReadSql, Sql, SqlErrorKind};
use crate::time::Timestamp;
use crate::transcript::ACTOR_CONTROL_PLANE;

use object::Object;

/// The tables of endpoint objects.
pub const SCHEMA: Schema = Schema {
    name: "endpoint",
    migrations: &[
        include_str!("schema/0001_endpoint.sql"),
        include_str!("schema/0002_requests.sql"),
        include_str!("schema/0004_heads.sql"),
        include_str!("schema/0005_authority.sql"),
        include_str!("schema/0003_quota.sql"),
    ],
};

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
    match input {
        EndpointInput::Enrol(admission) => enrol::enrol(db, cx, *admission),
        EndpointInput::Recover(envelope) => enrol::recover(db, cx, endpoint, &envelope),
        EndpointInput::Sync { request, address } => {
            with(db, cx, endpoint, |object| sync::sync(object, &request, address)).map_err(theirs)
        }
        EndpointInput::SyncPart { request, entries } => {
            with(db, cx, endpoint, |object| sync::part(object, &request, entries)).map_err(theirs)
        }
        EndpointInput::IdleSync(idle) => with(db, cx, endpoint, |object| sync::idle(object, &idle)),
        EndpointInput::Act(command) => with(db, cx, endpoint, |object| act::act(object, *command)),
        EndpointInput::HoldWorkOf { person, by } => {
            with(db, cx, endpoint, |object| object.hold_work_of(&person, &by))
        }
        EndpointInput::Deadline => with(db, cx, endpoint, |object| {
            object.expire_due()?;
            Ok(Reply::Done)
        }),
        EndpointInput::Seen { seen, rhythm } => with(db, cx, endpoint, |object| {
            let known = object.row.seen;
            if known.is_none_or(|known| known.at < seen.at) {
                let skew_ms = seen.skew_ms.or(known.and_then(|known| known.skew_ms));
                object.row.seen = Some(Seen { skew_ms, ..seen });
            }
            object.row.rhythm = object.row.rhythm.joined(rhythm);
            Ok(Reply::Done)
        }),
    }
}

/// A number that no host stores can only have come with the request, in an entry's body: our own count from 1.
fn theirs(error: Error) -> Error {
    match error {
        Error::Sql(error) if error.kind == SqlErrorKind::IntegerRange => {
            Error::invalid("the journal entries name a number beyond 2^53 - 1")
        }
        error => error,
    }
}

fn with(
    db: &dyn Sql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    run: impl FnOnce(&mut Object<'_>) -> Result<Reply, Error>,
) -> Result<(Reply, Vec<Effect>), Error> {
    let mut object = Object::open(db, cx, endpoint)?;
    let reply = run(&mut object)?;
    Ok((reply, object.close()?))
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
    Ok(match question {
        EndpointQuestion::SyncLine(first) => Answer::Sync(sync::line_need(db, endpoint, &first)?),
        EndpointQuestion::Sync(request) => Answer::Sync(sync::need(db, cx, endpoint, &request)?),
        EndpointQuestion::IdleSync(idle) => Answer::Sync(ticket::need(db, cx, endpoint, &idle)?),
        EndpointQuestion::Endpoint => Answer::Endpoint(Box::new(view::endpoint(db, cx, endpoint)?)),
        EndpointQuestion::Probes => {
            object::endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
            Answer::Probes(store::catalogue_load(db, endpoint)?)
        }
        EndpointQuestion::Sequence(id) => Answer::Sequence(Box::new(view::sequence(db, cx, endpoint, id)?)),
        EndpointQuestion::Sequences { state, since, paging } => {
            object::endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
            Answer::Sequences(view::sequences(db, endpoint, state, since, &paging)?)
        }
        EndpointQuestion::Transcript { is_newest_first, sequence, paging } => {
            Answer::Transcript(record::page(db, endpoint, is_newest_first, sequence, &paging)?)
        }
        EndpointQuestion::TranscriptEntry { number } => {
            Answer::TranscriptEntry(Box::new(record::entry(db, endpoint, number)?))
        }
        EndpointQuestion::Queue { limit } => Answer::Queue(view::queue(db, cx, endpoint, limit)?),
        EndpointQuestion::Previous { sequence, step } => {
            Answer::Comparison(Box::new(previous::previous(db, endpoint, sequence, step)?))
        }
        EndpointQuestion::Contacts { since } => {
            Answer::Contacts(contacts::contacts(db, cx, endpoint, since)?)
        }
        EndpointQuestion::ExportHead => Answer::ExportHead(Box::new(export::head(db, cx, endpoint)?)),
        EndpointQuestion::ExportEntries { after, through } => {
            Answer::ExportEntries(export::entries(db, endpoint, after, through)?)
        }
    })
}

/// When the endpoint next needs [`EndpointInput::Deadline`]; `None`: never, as things are.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn next_deadline(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Option<Timestamp>, Error> {
    let rows = db.query(
        "SELECT MIN(due_at) FROM sequence WHERE endpoint_id = ?1 AND due_at IS NOT NULL",
        &[endpoint.into()],
    )?;
    let due = rows.first().map(|row| row.optional_integer(0)).transpose()?.flatten();
    Ok(due.map(Timestamp::from_milliseconds))
}

/// Endpoints whose deadline has come, for a host that keeps many in one database; at most `limit`.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn due(db: &dyn ReadSql, now: Timestamp, limit: u32) -> Result<Vec<EndpointId>, Error> {
    let rows = db.query(
        "SELECT DISTINCT endpoint_id FROM sequence WHERE due_at <= ?1 LIMIT ?2",
        &[now.into(), limit.into()],
    )?;
    rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
}

/// When the first deadline of all endpoints comes, for a host that keeps many in one database; `None`: there is none.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn first_due(db: &dyn ReadSql) -> Result<Option<Timestamp>, Error> {
    let rows = db.query("SELECT MIN(due_at) FROM sequence WHERE due_at IS NOT NULL", &[])?;
    let due = rows.first().map(|row| row.optional_integer(0)).transpose()?.flatten();
    Ok(due.map(Timestamp::from_milliseconds))
}

/// Closes every order log of every endpoint, in the host's transaction, and treats what may have happened since
/// the backup as R9 says. Answers how many endpoints it touched.
///
/// # Errors
///
/// [`Error`].
pub fn restore_all(db: &dyn Sql, cx: &Context<'_>) -> Result<u64, Error> {
    let rows = db.query("SELECT endpoint_id FROM endpoint ORDER BY endpoint_id", &[])?;
    for row in &rows {
        let endpoint: EndpointId = row.parsed(0)?;
        // Every endpoint draws its own ids: the seed of one call must not serve two objects.
        let seed = crate::digest::Digest::of_parts(&[&cx.entropy, endpoint.to_string().as_bytes()]);
        let own = Context { entropy: seed.0, ..*cx };
        let mut object = Object::open(db, &own, endpoint)?;
        if object.row.state != EndpointState::Revoked {
            object.restore(true)?;
        }
        object.close()?;
    }
    Ok(rows.len() as u64)
}

impl Object<'_> {
    /// Ends what the control plane still decides about and whose time has run out.
    fn expire_due(&mut self) -> Result<(), Error> {
        let now = self.cx.now;
        for id in self.live()? {
            let sequence = self.sequence_named(id)?;
            let expired = sequence.queued.as_ref().is_some_and(|queued| queued.expires_at <= now);
            if expired && sequence.is_ours_to_decide() {
                let reason = "its time ran out before it was sent";
                self.end_ours(ACTOR_CONTROL_PLANE, id, EndState::Expired, reason)?;
            }
        }
        Ok(())
    }
}
