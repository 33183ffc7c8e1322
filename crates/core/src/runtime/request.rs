//! The next sync request. Building one writes nothing: an idle endpoint does not wear its disk.

use crate::error::Error;
use crate::id::{JournalId, LogId, RequestId};
use crate::sql::ReadSql;
use crate::wire::{Gap, Head, IdleSync, PROTOCOL_VERSION, SYNC_ENTRIES_MAX, SyncLine, SyncRequest};

use super::proofs;
use super::state::{Context, entries_after, state_load};
use super::work;

/// Most bytes of entries in one request: two minutes on a 32 kbit/s link before compression, so that a cut costs
/// little; one entry always travels.
pub(super) const ENTRIES_BYTES_MAX: u64 = 512 * 1024;

/// A request ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id that its answer must carry.
    pub id: RequestId,
    /// The body.
    pub bytes: Vec<u8>,
    /// Whether it is an idle one: its answer may be held.
    pub is_idle: bool,
    /// Whether more entries wait behind the ones it carries.
    pub has_more: bool,
}

/// Admits idle syncs while both logs stand as they did when the control plane issued it. Memory and disk of a machine
/// can be set back apart from each other, so the ticket names that state and is used in no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    text: String,
    journal: Head<JournalId>,
    orders: Option<Head<LogId>>,
}

impl Ticket {
    /// A ticket issued for these heads.
    pub(super) fn new(text: String, journal: Head<JournalId>, orders: Option<Head<LogId>>) -> Self {
        Self { text, journal, orders }
    }
}

/// How an idle request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle<'a> {
    /// What admits it.
    pub ticket: &'a Ticket,
    /// How long its answer may be held.
    pub hold_ms: u64,
    /// How many were made since the program started, this one included.
    pub count: u64,
}

/// Builds the next request. Without `idle` every request is signed.
///
/// # Errors
///
/// [`Error::Sql`], or [`crate::error::Code::Conflict`] for a state directory that is not enrolled.
pub fn request(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    id: RequestId,
    idle: Option<Idle<'_>>,
) -> Result<Request, Error> {
    let state = state_load(db)?;
    let is_gap = state.acknowledged < state.pruned;
    let after = state.acknowledged.max(state.pruned);
    let entries = entries_after(db, after, SYNC_ENTRIES_MAX, cx.limits.request_bytes_max)?;
    let gap = match is_gap {
        false => None,
        true => Some(Gap { number: state.pruned, hash: state.pruned_hash, known: work::known(db, &state)? }),
    };
    let proofs = proofs::answers(db, &state.asked)?;
    let carries_entries = !entries.is_empty() || gap.is_some();
    let moves = carries_entries || !proofs.is_empty();
    let stands_so =
        |idle: &Idle<'_>| idle.ticket.journal == state.journal && idle.ticket.orders == state.orders;
    if let Some(idle) = idle.filter(stands_so).filter(|_| !moves && state.failures.is_none()) {
        let Idle { ticket, hold_ms, count } = idle;
        let ticket = ticket.text.clone();
        let idle = IdleSync { endpoint: cx.endpoint, request: id, ticket, hold_ms, count };
        return Ok(Request { id, bytes: idle.write(), is_idle: true, has_more: false });
    }
    let line = SyncLine {
        v: PROTOCOL_VERSION,
        endpoint: cx.endpoint,
        request: id,
        boot: cx.boot,
        serial: state.keys.serial,
        wall: cx.clock.wall,
        clock: state.clock.now(cx.clock).confirmed(cx.clock),
        journal: state.journal,
        orders: state.orders,
        after: carries_entries.then_some(after),
        content: None,
        gap: false,
        failures: state.failures,
        proofs: 0,
    };
    let has_more = after + (entries.len() as u64) < state.journal.number;
    let bytes = SyncRequest::seal_with_proofs(line, gap.as_ref(), &proofs, &entries, cx.keys);
    Ok(Request { id, bytes, is_idle: false, has_more })
}
