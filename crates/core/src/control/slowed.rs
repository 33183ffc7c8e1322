//! An endpoint whose budget is spent: its journal is taken as the budget refills, and the other endpoints notice nothing.
//!
//! A request that cannot be stored is refused on a reader, so a flood never reaches the single writer. The first one
//! still gets there, since only the writer can record that the endpoint is slowed.

use crate::call::Context;
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::ReadSql;
use crate::wire::SyncRequest;

use super::budget::{self, SLOWED};
use super::object::{IdleRow, Object, budget_load};
use super::store;
use super::sync::restore_is_proved;

/// Refuses a request that would store something when the budget of its endpoint is spent.
///
/// # Errors
///
/// [`crate::error::Code::RateLimited`] with the time after which a small batch fits.
pub(super) fn admit(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    row: &IdleRow,
    request: &SyncRequest,
) -> Result<(), Error> {
    let Some((budget, is_marked)) = budget_load(db, endpoint)? else { return Ok(()) };
    let room = cx.presence.room_bytes();
    let is_refused = budget.is_spent(cx.now, room)
        && ((is_marked && brings_entries(db, endpoint, request)?)
            || restore_is_proved(db, endpoint, request.line.orders, row.log)?);
    if !is_refused {
        return Ok(());
    }
    let retry_after = budget.retry_after(cx.now, room);
    let detail = format!(
        "this machine has reported more than the {} that are stored of one machine: nothing is lost, send the rest \
         again in {} s",
        budget::described(),
        retry_after.0.div_ceil(1_000)
    );
    Err(Error::rate_limited(detail, retry_after))
}

/// Whether handling the request would add entries.
fn brings_entries(db: &dyn ReadSql, endpoint: EndpointId, request: &SyncRequest) -> Result<bool, Error> {
    let journal = &request.line.journal;
    let held = store::journal_load(db, endpoint, journal.id)?.map_or(0, |held| held.head.number);
    Ok(journal.number > held || request.gap.is_some())
}

impl Object<'_> {
    /// Whether nothing more that the endpoint sends is stored for now.
    pub(super) fn is_spent(&self) -> bool {
        self.row.budget.is_spent(self.cx.now, self.cx.presence.room_bytes())
    }

    /// Records whether the endpoint is slowed: since when, and what clears it.
    pub(super) fn slowed_note(&mut self, is_held_entirely: bool) {
        if is_held_entirely {
            self.attention_clear(SLOWED);
            return;
        }
        let is_marked = self.row.attention.iter().any(|attention| attention.code == SLOWED);
        if !is_marked && self.is_spent() {
            let reason = format!(
                "it reports more than the {} that are stored of one machine; since {} its reports are taken as room \
                 for them returns. Nothing is lost: they wait on the machine, and new work for it waits behind them",
                budget::described(),
                self.cx.now
            );
            let clears = "by itself, once all its reports are stored. Until then find out what makes it report so \
                          much: its transcript shows what came";
            self.attention_set(SLOWED, reason, clears);
        }
    }
}
