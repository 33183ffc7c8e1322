//! Taking journal entries in: exactly once, in order, whatever the network did (G4).

use core::ops::Range;

use crate::api::JournalState;
use crate::chain::Entry;
use crate::digest::Digest;
use crate::error::Error;
use crate::journal::JournalBody;
use crate::transcript::{ACTOR_ENDPOINT, JournalPlace, TranscriptBody};
use crate::wire::{Chained, Gap, Head, SyncLine, SyncRequest};

use super::apply::{Evidence, written_at};
use super::object::{Object, Written};
use super::store::{self, JournalRow};

/// What the entries of one request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// Everything fits: what is held is a continuation of what was.
    Fits,
    /// The journal has two histories; `number` is the first place where they differ, as far as is known.
    Forked { number: u64 },
}

impl Object<'_> {
    /// Takes in what `request` brings of `journal` with those of its entries, counted from 0; repeating changes nothing.
    pub(super) fn intake(
        &mut self,
        journal: &mut JournalRow,
        request: &SyncRequest,
        entries: Range<usize>,
    ) -> Result<Intake, Error> {
        let chain = request.chain().map_err(|error| Error::invalid(error.to_string()))?;
        if let Some(gap) = &request.gap {
            self.gap_take(journal, gap, &request.line)?;
        }
        let after = request.line.after.unwrap_or(request.line.journal.number);
        if after > journal.head.number {
            return Ok(Intake::Fits);
        }
        let chain = chain.get(entries.clone()).unwrap_or_default();
        let same_through = self.same_through(journal, chain)?;
        let entries = request.entries.get(entries).unwrap_or_default();
        for (entry, chained) in entries.iter().zip(chain) {
            let number = chained.header.link.number;
            if number <= same_through {
                continue;
            }
            if number <= journal.head.number {
                if self.is_other_than_held(journal, number, chained.hash)? {
                    return Ok(Intake::Forked { number });
                }
            } else if number > journal.head.number + 1 {
                // An earlier part of the request was not taken whole.
                break;
            } else if chained.header.link.previous != journal.head.hash {
                return Ok(Intake::Forked { number });
            } else if self.is_spent() {
                // The rest stays with the machine, which sends it again from what is acknowledged (R10).
                break;
            } else {
                self.entry_take(journal, entry, chained, &request.line)?;
            }
        }
        let claimed = request.line.journal;
        if claimed.number <= journal.head.number
            && self.is_other_than_held(journal, claimed.number, claimed.hash)?
        {
            return Ok(Intake::Forked { number: claimed.number });
        }
        Ok(Intake::Fits)
    }

    /// The number up to which these entries, which are one chain, are those that are held: where the last that can be
    /// is the same, so are all before it. 0: each one must be compared.
    fn same_through(&self, journal: &JournalRow, chain: &[Chained]) -> Result<u64, Error> {
        let held = |chained: &&Chained| chained.header.link.number <= journal.head.number;
        let Some(last) = chain.iter().rev().find(held) else { return Ok(0) };
        let number = last.header.link.number;
        Ok(if self.held_hash(journal, number)? == Some(last.hash) { number } else { 0 })
    }

    fn is_other_than_held(&self, journal: &JournalRow, number: u64, hash: Digest) -> Result<bool, Error> {
        Ok(self.held_hash(journal, number)?.is_some_and(|held| held != hash))
    }

    /// The hash of an entry that is held; `None`: none is, or it fell into a gap.
    fn held_hash(&self, journal: &JournalRow, number: u64) -> Result<Option<Digest>, Error> {
        match number {
            0 => Ok(Some(Digest::ZERO)),
            number if number == journal.head.number => Ok(Some(journal.head.hash)),
            number => store::journal_entry_hash(self.db, self.id, journal.ordinal, number),
        }
    }

    fn entry_take(
        &mut self,
        journal: &mut JournalRow,
        entry: &Entry,
        chained: &Chained,
        line: &SyncLine,
    ) -> Result<(), Error> {
        // A body of a newer runtime is kept word for word also when this program cannot read it.
        let Chained { header, hash, body, packed } = chained;
        let place = JournalPlace {
            id: header.journal,
            number: header.link.number,
            hash: *hash,
            previous: header.link.previous,
        };
        let record = Written { body: &TranscriptBody::of_journal(entry), packed: packed.clone() };
        let sequence =
            body.as_ref().and_then(JournalBody::sequence).filter(|sequence| sequence.endpoint() == self.id);
        let number = self.record_journal(&header.kind, sequence, (place, journal.ordinal), record)?;
        journal.head = Head { id: header.journal, number: place.number, hash: place.hash };
        self.journal_moved(journal.head);
        if let Some(body) = body {
            let is_current = journal.state == JournalState::Current;
            let time = written_at(header, line);
            let evidence = Evidence { time, transcript_number: number, is_current };
            match sequence {
                Some(id) if self.sequence(id)?.is_none() => self.claim(id, None)?,
                Some(_) => self.apply_to_sequence(&evidence, body)?,
                None => self.apply(journal, &evidence, body)?,
            }
        }
        Ok(())
    }

    /// Entries are gone on the endpoint: the transcript says so, and every outcome it knew counts (R10).
    fn gap_take(&mut self, journal: &mut JournalRow, gap: &Gap, line: &SyncLine) -> Result<(), Error> {
        if gap.number <= journal.head.number || line.after != Some(gap.number) || self.is_spent() {
            return Ok(());
        }
        let bytes = serde_json::to_string(gap).map_or(0, |text| text.len());
        self.row.budget.charge_bytes(self.cx.now, bytes as u64);
        let body = TranscriptBody::Gap {
            journal: journal.head.id,
            after: journal.head.number,
            through: gap.number,
            hash: gap.hash,
        };
        self.record(ACTOR_ENDPOINT, None, &body)?;
        journal.head = Head { id: journal.head.id, number: gap.number, hash: gap.hash };
        self.journal_moved(journal.head);
        let reason =
            "entries of the machine's journal were dropped there before they were stored here".to_owned();
        self.attention_set("journal_gap", reason, "read the transcript around the gap; outcomes were kept");
        let is_current = journal.state == JournalState::Current;
        match line.orders {
            // Its `opened` may be in the gap, and this list, being newer, says all that it said.
            Some(orders) => {
                self.opened_apply(is_current, orders.id, &gap.known)?;
                if is_current { self.held_unlisted_apply(orders, &gap.known) } else { Ok(()) }
            }
            None => (gap.known.outcomes.iter())
                .try_for_each(|outcome| self.outcome_apply(outcome, is_current, None)),
        }
    }
}
