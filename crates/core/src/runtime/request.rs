//! The next sync request. Building one writes nothing: an idle endpoint does not wear its disk.

use crate::error::Error;
use crate::id::{JournalId, LogId, RequestId};
use crate::sql::ReadSql;
use crate::wire::{Gap, Head, IdleSync, PROTOCOL_VERSION, SYNC_ENTRIES_MAX, SyncLine, SyncRequest};

use super::Status;
use super::state::{Context, entries_after, state_load};
use super::work;

/// Most bytes of entries in one request: two minutes on a 32 kbit/s link before compression, so that a cut costs
/// little; one entry always travels.
const ENTRIES_BYTES_MAX: u64 = 512 * 1024;

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

/// What admits idle syncs, and the state it was given for: memory and disk of a machine can be set back apart from each
/// other, and what stands differently must not be passed over as "nothing has moved".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    text: String,
    journal: Head<JournalId>,
    orders: Option<Head<LogId>>,
}

impl Ticket {
    /// The ticket of an answer that has been handled; `status` is how the endpoint stands since.
    pub fn new(text: String, status: &Status) -> Self {
        Self { text, journal: status.journal, orders: status.orders }
    }
}

/// Builds the next request. `ticket` admits an idle one; without it every request is signed. `hold_ms` is how long an
/// idle one may be held.
///
/// # Errors
///
/// [`Error::Sql`], or [`crate::error::Code::Conflict`] for a state directory that is not enrolled.
pub fn request(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    id: RequestId,
    ticket: Option<&Ticket>,
    hold_ms: u64,
) -> Result<Request, Error> {
    let state = state_load(db)?;
    let is_gap = state.acknowledged < state.pruned;
    let after = state.acknowledged.max(state.pruned);
    let entries = entries_after(db, after, SYNC_ENTRIES_MAX, ENTRIES_BYTES_MAX)?;
    let gap = match is_gap {
        false => None,
        true => Some(Gap { number: state.pruned, hash: state.pruned_hash, known: work::known(db, &state)? }),
    };
    let moves = !entries.is_empty() || gap.is_some();
    let stands_so = |ticket: &&Ticket| ticket.journal == state.journal && ticket.orders == state.orders;
    if let Some(ticket) = ticket.filter(stands_so).filter(|_| !moves && state.failures.is_none()) {
        let idle = IdleSync { endpoint: cx.endpoint, request: id, ticket: ticket.text.clone(), hold_ms };
        return Ok(Request { id, bytes: idle.write(), is_idle: true, has_more: false });
    }
    let line = SyncLine {
        v: PROTOCOL_VERSION,
        endpoint: cx.endpoint,
        request: id,
        boot: cx.boot,
        wall: cx.clock.wall,
        clock: state.clock.now(cx.clock).confirmed(cx.clock),
        journal: state.journal,
        orders: state.orders,
        after: moves.then_some(after),
        content: None,
        gap: false,
        failures: state.failures,
    };
    let has_more = after + (entries.len() as u64) < state.journal.number;
    let bytes = SyncRequest::seal(line, gap.as_ref(), &entries, cx.keys);
    Ok(Request { id, bytes, is_idle: false, has_more })
}
