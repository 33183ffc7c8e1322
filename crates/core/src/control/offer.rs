//! Offering: from here on the work may run, and only the journal decides about it (R8).

use crate::api::EndpointState;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::SequenceId;
use crate::keys::Role;
use crate::sequence::Standing;
use crate::transcript::{ACTOR_CONTROL_PLANE, TranscriptBody};
use crate::wire::OrderKind;

use super::object::Object;
use super::store;

/// Most sequences that are made into orders in one sync: what does not fit one answer need not be offered yet,
/// so that it can still be cancelled here.
const OFFERED_MAX: u32 = 32;

impl Object<'_> {
    /// Makes orders of everything that waits for this sync: work, cancels, retirement.
    pub(super) fn offer(&mut self) -> Result<(), Error> {
        // An order of an ended key is not obeyed, and its work would seem to be under way.
        if self.row.log.is_none() || self.cx.authority.is_over(self.cx.now) {
            return Ok(());
        }
        if self.row.state == EndpointState::Retired && !self.log_holds("retire")? {
            self.order_append(OrderKind::Retire)?;
        }
        let pending = self.pending(OFFERED_MAX)?;
        if pending.is_empty() {
            return Ok(());
        }
        let waits_for_opened = self.is_earlier_work_unresolved()?;
        for id in pending {
            let sequence = self.sequence_named(id)?;
            if matches!(sequence.standing, Standing::Queued) && sequence.doubt.is_none() {
                // What earlier logs offered may return to the queue and is older: it goes first (R14).
                if !waits_for_opened {
                    self.offer_run(id)?;
                }
            } else {
                self.offer_cancel(id)?;
            }
        }
        Ok(())
    }

    fn offer_run(&mut self, id: SequenceId) -> Result<(), Error> {
        let Some(log) = self.row.log else { return Ok(()) };
        let Some(work) = store::work_load(self.db, self.id, id)? else {
            return Err(Error::not_found(format_args!("signed work of sequence `{id}`")));
        };
        let work = self.work_renew(id, work)?;
        let number = self.order_append(OrderKind::Run { sequence: id, work: work.digest() })?;
        let now = self.cx.now;
        let sequence = self.sequence_named(id)?;
        sequence.standing = Standing::Offered { log: log.id };
        sequence.offered_at.get_or_insert(now);
        self.record(ACTOR_CONTROL_PLANE, Some(id), &TranscriptBody::Offered { log: log.id, number })?;
        Ok(())
    }

    /// Signs work again, the same bytes, where the key that signed it was replaced since.
    fn work_renew(&self, id: SequenceId, work: Envelope) -> Result<Envelope, Error> {
        if work.names(&self.cx.keys.public_key(Role::Order)) {
            return Ok(work);
        }
        let unreadable = |error| Error::invalid(format!("stored work of sequence `{id}`: {error}"));
        let work = work.signed_again(self.cx.keys, Role::Order).map_err(unreadable)?;
        store::work_save(self.db, self.id, id, &work)?;
        Ok(work)
    }

    fn offer_cancel(&mut self, id: SequenceId) -> Result<(), Error> {
        let log = self.row.log.map(|log| log.id);
        self.order_append(OrderKind::Cancel { sequence: id })?;
        if let Some(cancel) = &mut self.sequence_named(id)?.cancel {
            cancel.log = log;
        }
        Ok(())
    }

    /// Whether work of earlier logs waits for the journal to say what it knows.
    fn is_earlier_work_unresolved(&self) -> Result<bool, Error> {
        let rows = self.db.query(
            "SELECT 1 FROM order_log WHERE endpoint_id = ?1 AND state = 'open' AND taken_up = 0
             AND EXISTS (SELECT 1 FROM sequence WHERE endpoint_id = ?1 AND live = 1
                         AND state IN ('offered', 'delivered', 'running', 'cancelling'))",
            &[self.id.into()],
        )?;
        Ok(!rows.is_empty())
    }
}
