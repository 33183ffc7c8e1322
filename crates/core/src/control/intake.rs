//! Taking journal entries in: exactly once, in order, whatever the network did (G4).

use crate::api::JournalState;
use crate::chain::Entry;
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::journal::{BODY_BYTES_MAX, HEADER_BYTES_MAX, JournalBody, JournalHeader};
use crate::transcript::{ACTOR_ENDPOINT, JournalPlace, TranscriptBody};
use crate::wire::{Gap, Head, SyncLine, SyncRequest};

use super::apply::Evidence;
use super::object::Object;
use super::store::{self, JournalRow};

/// What the entries of one request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// Everything fits: what is held is a continuation of what was.
    Fits,
    /// The journal has two histories; `number` is the first place where they differ, as far as is known.
    Forked { number: u64 },
}

/// An entry whose form was checked.
struct Checked<'a> {
    entry: &'a Entry,
    header: JournalHeader,
    hash: Digest,
}

impl Object<'_> {
    /// Takes in what `request` brings of `journal`; repeating changes nothing.
    pub(super) fn intake(
        &mut self,
        journal: &mut JournalRow,
        request: &SyncRequest,
    ) -> Result<Intake, Error> {
        let entries = check_chain(request)?;
        if let Some(gap) = &request.gap {
            self.gap_take(journal, gap, &request.line)?;
        }
        let after = request.line.after.unwrap_or(request.line.journal.number);
        if after > journal.head.number {
            return Ok(Intake::Fits);
        }
        for checked in &entries {
            let number = checked.header.link.number;
            if number <= journal.head.number {
                if self.is_other_than_held(journal, number, checked.hash)? {
                    return Ok(Intake::Forked { number });
                }
            } else if checked.header.link.previous != journal.head.hash {
                return Ok(Intake::Forked { number });
            } else {
                self.entry_take(journal, checked)?;
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

    fn is_other_than_held(&self, journal: &JournalRow, number: u64, hash: Digest) -> Result<bool, Error> {
        let held = match number {
            0 => Some(Digest::ZERO),
            number if number == journal.head.number => Some(journal.head.hash),
            number => store::journal_entry_hash(self.db, self.id, journal.ordinal, number)?,
        };
        Ok(held.is_some_and(|held| held != hash))
    }

    fn entry_take(&mut self, journal: &mut JournalRow, checked: &Checked<'_>) -> Result<(), Error> {
        let header = &checked.header;
        let text = checked.entry.body.as_deref().unwrap_or_default();
        // A body of a newer runtime is kept word for word also when this program cannot read it.
        let body: Option<JournalBody> = serde_json::from_str(text).ok();
        let place = JournalPlace {
            id: header.journal,
            number: header.link.number,
            hash: checked.hash,
            previous: header.link.previous,
        };
        let record = TranscriptBody::Journal { header: checked.entry.header.clone(), body: text.to_owned() };
        let sequence =
            body.as_ref().and_then(JournalBody::sequence).filter(|sequence| sequence.endpoint() == self.id);
        let number = self.record_journal(&header.kind, sequence, (place, journal.ordinal), &record)?;
        journal.head = Head { id: header.journal, number: place.number, hash: place.hash };
        self.journal_moved(journal.head);
        if let Some(body) = body {
            let is_current = journal.state == JournalState::Current;
            let evidence = Evidence { header, transcript_number: number, is_current };
            self.apply(journal, &evidence, body)?;
        }
        Ok(())
    }

    /// Entries are gone on the endpoint: the transcript says so, and every outcome it knew counts (R10).
    fn gap_take(&mut self, journal: &mut JournalRow, gap: &Gap, line: &SyncLine) -> Result<(), Error> {
        if gap.number <= journal.head.number || line.after != Some(gap.number) {
            return Ok(());
        }
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
            Some(orders) => self.opened_apply(is_current, orders.id, &gap.known),
            None => (gap.known.outcomes.iter())
                .try_for_each(|outcome| self.outcome_apply(outcome, is_current, None)),
        }
    }
}

/// Checks that the entries are a chain of the journal they claim: a defect of the endpoint otherwise, and nothing
/// of the request is taken.
fn check_chain(request: &SyncRequest) -> Result<Vec<Checked<'_>>, Error> {
    let invalid = |what: &str| Error::problem(Code::InvalidRequest, format!("the journal entries {what}"));
    let line = &request.line;
    let mut expected_number = line.after.unwrap_or(line.journal.number) + 1;
    let mut previous: Option<Digest> = request.gap.as_ref().map(|gap| gap.hash);
    let mut checked = Vec::with_capacity(request.entries.len());
    for entry in &request.entries {
        let body = entry.body.as_deref().unwrap_or_default();
        if entry.header.len() > HEADER_BYTES_MAX || body.len() > BODY_BYTES_MAX {
            return Err(invalid("are larger than allowed"));
        }
        let header: JournalHeader =
            serde_json::from_str(&entry.header).map_err(|_| invalid("do not read"))?;
        let is_next = header.link.number == expected_number && header.journal == line.journal.id;
        let continues = previous.is_none_or(|previous| previous == header.link.previous);
        if !is_next || !continues || !header.link.holds(body) {
            return Err(invalid("are not one chain"));
        }
        let hash = entry.hash();
        previous = Some(hash);
        expected_number += 1;
        checked.push(Checked { entry, header, hash });
    }
    let last_sent = expected_number - 1;
    let ends_at_head = checked.last().is_none_or(|last| last.hash == line.journal.hash);
    if last_sent > line.journal.number || (last_sent == line.journal.number && !ends_at_head) {
        return Err(invalid("do not lead to the head that the request states"));
    }
    Ok(checked)
}
