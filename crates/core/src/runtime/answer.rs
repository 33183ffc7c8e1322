//! The answer to a sync, and the journals that follow when it tells of a copy or a rollback (R5, R10, R11).

use crate::api::JournalState;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::{JournalId, RequestId};
use crate::journal::JournalBody;
use crate::time::Milliseconds;
use crate::wire::{Head, SyncAnswer, TranscriptHead};

use super::orders::Taken;
use super::proofs;
use super::request::Ticket;
use super::state::{Object, entry_hash};
use super::{Effect, work};

/// How long acknowledged entries are kept for a control plane that is restored (R10).
const KEPT_FOR: Milliseconds = Milliseconds::from_days(30);

/// Hashes of pruned entries that are kept: about 400 KiB, months of ordinary work.
const PRUNED_HASHES_MAX: u64 = 4_096;

impl Object<'_> {
    /// Uses the answer to the outstanding request `expected`; any other is dropped whole, its ticket included (R5).
    pub(super) fn answered(&mut self, expected: RequestId, answer: &SyncAnswer) -> Result<(), Error> {
        let held = answer.journal.head;
        if answer.request != expected || held.id != self.state.journal.id {
            return Ok(());
        }
        if let Some(certificate) = &answer.authority {
            self.certificate_take(certificate)?;
        }
        self.asked_take(answer)?;
        if self.is_not_ours(held)?
            || matches!(answer.journal.state, JournalState::Forked | JournalState::Replaced)
        {
            return self.journal_open_new();
        }
        self.state.acknowledged = held.number;
        // Before anything is added: a journal that is full to its bound must be able to take the answer that empties it.
        self.prune()?;
        if let Some(void) = &answer.void {
            self.void_take(void)?;
        }
        for offered in &answer.offered {
            if self.order_take(offered)? == Taken::Stop {
                break;
            }
        }
        if let Some(head) = &answer.transcript {
            self.head_take(head)?;
        }
        // Issued for the journal as the control plane holds it, which may be behind what this call has added.
        let ticket = answer.ticket.clone().map(|text| Ticket::new(text, held, self.state.orders));
        self.effects.push(Effect::KeepTicket(ticket));
        Ok(())
    }

    /// Takes what the answered request showed off the list, and puts on it what is asked for now.
    fn asked_take(&mut self, answer: &SyncAnswer) -> Result<(), Error> {
        // Only answers change the list and what is kept, so these are the proofs that the request carried.
        let shown = proofs::answers(self.db, &self.state.asked)?.len();
        self.state.asked.drain(..shown);
        for sequence in &answer.unknown {
            if self.state.asked.len() < proofs::ASKED_MAX && !self.state.asked.contains(sequence) {
                self.state.asked.push(*sequence);
            }
        }
        Ok(())
    }

    /// Whether the control plane holds entries that this journal never had: it was set back, or a copy wrote them.
    fn is_not_ours(&self, held: Head<JournalId>) -> Result<bool, Error> {
        if held.number > self.state.journal.number {
            return Ok(true);
        }
        if held.number == 0 {
            return Ok(false);
        }
        // An entry whose hash is pruned too cannot be compared: it was acknowledged once, so it is believed.
        Ok(entry_hash(self.db, &self.state, held.number)?.is_some_and(|hash| hash != held.hash))
    }

    /// Opens a new journal: the old one was written by two machines, or this one was set back. Nothing runs until
    /// it is adopted.
    fn journal_open_new(&mut self) -> Result<(), Error> {
        self.kill_running("the machine's history was set back or copied")?;
        self.effects.push(Effect::KeepTicket(None));
        let old = self.state.journal;
        let known = work::known(self.db, &self.state)?;
        self.db.execute("DELETE FROM journal", &[])?;
        self.db.execute("DELETE FROM pruned", &[])?;
        self.state.close_log();
        let fresh = JournalId::fresh(&mut self.entropy);
        self.state.journal = Head { id: fresh, number: 0, hash: Digest::ZERO };
        (self.state.pruned, self.state.pruned_hash, self.state.kept_bytes) = (0, Digest::ZERO, 0);
        (self.state.acknowledged, self.state.transcript) = (0, None);
        (self.state.is_adopted, self.state.failures, self.state.facts) = (false, None, None);
        self.record(&JournalBody::Continued { journal: old.id, number: old.number, hash: old.hash, known })
    }

    fn head_take(&mut self, envelope: &Envelope) -> Result<(), Error> {
        let Ok(head) = envelope.open::<TranscriptHead>(&self.state.keys.statement_key) else { return Ok(()) };
        // A restored control plane has a shorter transcript, or another one: its head is news too. One that was
        // overtaken does not come here, since only the outstanding request's answer is used (R5).
        let told = Some((head.number, head.hash));
        if head.endpoint == self.cx.endpoint && told != self.state.transcript {
            self.state.transcript = told;
            self.record(&JournalBody::Head { head: envelope.clone() })?;
        }
        Ok(())
    }

    /// Drops acknowledged entries that are too old or too many, oldest first; an unacknowledged one never.
    fn prune(&mut self) -> Result<(), Error> {
        let too_old = self.now.at.shifted_by_ms(-(KEPT_FOR.0 as i64));
        loop {
            let rows = self.db.query(
                "SELECT number, bytes, at, hash FROM journal WHERE number <= ?1 ORDER BY number LIMIT 256",
                &[self.state.acknowledged.into()],
            )?;
            let mut dropped = false;
            for row in &rows {
                let is_too_many = self.state.kept_bytes > self.cx.limits.acknowledged_bytes_max;
                let is_too_old = self.now.is_known && row.integer(2)? < too_old.milliseconds();
                if !is_too_many && !is_too_old {
                    break;
                }
                (self.state.pruned, self.state.pruned_hash) = (row.unsigned(0)?, row.parsed(3)?);
                self.state.kept_bytes = self.state.kept_bytes.saturating_sub(row.unsigned(1)?);
                dropped = true;
            }
            if !dropped {
                return Ok(());
            }
            self.db.execute(
                "INSERT INTO pruned (number, hash) SELECT number, hash FROM journal WHERE number <= ?1",
                &[self.state.pruned.into()],
            )?;
            let oldest = self.state.pruned.saturating_sub(PRUNED_HASHES_MAX);
            self.db.execute("DELETE FROM pruned WHERE number <= ?1", &[oldest.into()])?;
            self.db.execute("DELETE FROM journal WHERE number <= ?1", &[self.state.pruned.into()])?;
        }
    }
}
