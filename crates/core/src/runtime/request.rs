//! The next sync request. Building one writes nothing: an idle endpoint does not wear its disk.

use crate::error::Error;
use crate::id::RequestId;
use crate::sql::ReadSql;
use crate::wire::{Gap, PROTOCOL_VERSION, SYNC_ENTRIES_MAX, SyncLine, SyncRequest};

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
    /// Whether it moves nothing: its answer may be held.
    pub is_idle: bool,
    /// Whether more entries wait behind the ones it carries.
    pub has_more: bool,
}

/// Builds the next request. `token` admits an idle one; without it every request is signed. `hold_ms` is how long an
/// idle one may be held.
///
/// # Errors
///
/// [`Error::Sql`], or [`crate::error::Code::Conflict`] for a state directory that is not enrolled.
pub fn request(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    id: RequestId,
    token: Option<&str>,
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
    let line = SyncLine {
        v: PROTOCOL_VERSION,
        endpoint: cx.endpoint,
        request: id,
        boot: cx.boot,
        wall: cx.clock.wall,
        journal: state.journal,
        orders: state.orders,
        after: moves.then_some(after),
        content: None,
        gap: false,
        failures: state.failures,
        hold_ms: if moves { 0 } else { hold_ms },
    };
    let has_more = after + (entries.len() as u64) < state.journal.number;
    let bytes = match token {
        Some(token) if !moves => SyncRequest::idle(line, token.to_owned()),
        Some(_) | None => SyncRequest::seal(line, gap.as_ref(), &entries, cx.keys),
    };
    Ok(Request { id, bytes, is_idle: !moves, has_more })
}
