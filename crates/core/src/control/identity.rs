//! Which journal is the current one: adoption, forks, restores (R6, R9, R11).

use crate::api::{EndpointState, JournalState};
use crate::digest::Digest;
use crate::error::Error;
use crate::id::{JournalId, SequenceId};
use crate::sequence::{Doubt, HoldCause, Standing};
use crate::transcript::{ACTOR_CONTROL_PLANE, TranscriptBody};
use crate::wire::{Head, journals_digest};

use super::object::Object;
use super::store;

/// What clears a conflict about which machine this is.
const CLEARS_ADOPT: &str = "compare the machines and adopt the journal of the right one";

impl Object<'_> {
    /// Makes `journal` the current one. What was waiting is held, what was offered without a result is lost: work
    /// meant for yesterday's machine does not run on today's by itself (R11).
    pub(super) fn adopt(&mut self, actor: &str, journal: JournalId) -> Result<(), Error> {
        let mut adopted = store::journal_load(self.db, self.id, journal)?
            .ok_or_else(|| Error::not_found(format_args!("journal `{journal}`")))?;
        match adopted.state {
            JournalState::Candidate => {}
            JournalState::Current => return Err(Error::conflict("this journal is the current one already")),
            JournalState::Replaced | JournalState::Forked => {
                return Err(Error::conflict(
                    "a journal that was replaced or written by two machines never becomes current again: \
                     adopt a candidate",
                ));
            }
        }
        let replaced = self.journal_retire(JournalState::Replaced)?;
        let cause = self.hold_cause(replaced.as_ref(), &adopted);
        let replaced = replaced.map(|replaced| replaced.head.id);
        adopted.state = JournalState::Current;
        store::journal_save(self.db, self.id, &adopted)?;
        self.row.journal = Some(adopted.head);
        self.row.facts = adopted.facts.clone();
        self.record(actor, None, &TranscriptBody::Adopted { journal, replaced })?;
        self.log_open(journal)?;
        for sequence in self.live()? {
            self.sequence_outlives_journal(sequence, cause)?;
        }
        for code in ["identity_conflict", "candidate_journal", "recovered"] {
            self.attention_clear(code);
        }
        self.row.state = EndpointState::Active;
        Ok(())
    }

    /// What happened to the machine whose journal `adopted` follows that of `replaced`.
    fn hold_cause(&self, replaced: Option<&store::JournalRow>, adopted: &store::JournalRow) -> HoldCause {
        match replaced {
            _ if self.row.state == EndpointState::Recovered => HoldCause::Recovered,
            Some(replaced) if replaced.key != adopted.key => HoldCause::EnrolledAgain,
            Some(_) | None => HoldCause::CopiedOrSetBack,
        }
    }

    /// Takes the current journal out of service and answers which it was.
    fn journal_retire(&mut self, state: JournalState) -> Result<Option<store::JournalRow>, Error> {
        let Some(head) = self.row.journal.take() else { return Ok(None) };
        let Some(mut journal) = store::journal_load(self.db, self.id, head.id)? else { return Ok(None) };
        journal.head = head;
        journal.state = state;
        store::journal_save(self.db, self.id, &journal)?;
        Ok(Some(journal))
    }

    /// Two machines wrote `journal`: nothing more goes to it, and a person decides which one this is.
    pub(super) fn fork(&mut self, journal: JournalId, number: u64) -> Result<(), Error> {
        if self.row.journal.is_some_and(|head| head.id == journal) {
            self.journal_retire(JournalState::Forked)?;
            self.log_close()?;
        } else if let Some(mut row) = store::journal_load(self.db, self.id, journal)? {
            row.state = JournalState::Forked;
            store::journal_save(self.db, self.id, &row)?;
        }
        self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::Forked { journal, number })?;
        let reason =
            "this machine was copied or set back to an earlier state: two histories carry its name".into();
        self.attention_set("identity_conflict", reason, CLEARS_ADOPT);
        Ok(())
    }

    /// A journal nobody here heard of: it changes nothing until a person adopts it.
    pub(super) fn candidate_add(&mut self, journal: store::JournalRow) -> Result<(), Error> {
        let before = self.journals_digest()?;
        self.row.journals_digest = Some(journals_digest(before, journal.head.id, &journal.key));
        store::journal_save(self.db, self.id, &journal)?;
        let (id, address) = (journal.head.id, journal.address);
        self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::Candidate { journal: id, address })?;
        self.candidate_heard();
        Ok(())
    }

    /// A journal that waits for a person was heard, also one that was there when the person adopted another: then two
    /// machines carry the identity.
    pub(super) fn candidate_heard(&mut self) {
        let reason =
            "a machine with this identity and another history was heard: re-imaged, set back or copied"
                .into();
        self.attention_set("candidate_journal", reason, CLEARS_ADOPT);
    }

    /// The digest over the list of journals. The row has it, but for one written before the column was there.
    pub(super) fn journals_digest(&mut self) -> Result<Digest, Error> {
        if let Some(digest) = self.row.journals_digest {
            return Ok(digest);
        }
        let add =
            |before, journal: &store::JournalRow| journals_digest(before, journal.head.id, &journal.key);
        let digest = store::journals_load(self.db, self.id)?.iter().fold(Digest::ZERO, add);
        self.row.journals_digest = Some(digest);
        Ok(digest)
    }

    fn sequence_outlives_journal(&mut self, id: SequenceId, cause: HoldCause) -> Result<(), Error> {
        let now = self.cx.now;
        let sequence = self.sequence_named(id)?;
        let happened = match cause {
            HoldCause::EnrolledAgain => "the machine was enrolled again (re-imaged, or another in its place)",
            HoldCause::CopiedOrSetBack => "the machine was copied or set back to an earlier state",
            HoldCause::Recovered => "the machine was recovered after a restore of the control plane",
            HoldCause::PersonDeactivated => "the person who queued it was deactivated",
        };
        let mut held = format!("{happened}, and this was meant for the one before");
        if let Standing::Held { reason, cause: HoldCause::PersonDeactivated, .. } = &sequence.standing {
            held = format!("{held}; {reason}");
        }
        let lost = "the machine it was sent to was replaced before it told what became of it".to_owned();
        if sequence.is_ours_to_decide() {
            let body = TranscriptBody::Held { reason: held.clone() };
            sequence.standing = Standing::Held { reason: held, cause, at: now };
            self.record(ACTOR_CONTROL_PLANE, Some(id), &body)?;
        } else {
            sequence.lose(&lost, now);
            self.record(ACTOR_CONTROL_PLANE, Some(id), &TranscriptBody::Lost { reason: lost })?;
        }
        Ok(())
    }

    /// Treats everything that may have happened since the backup as R9 says, and opens a new log for the current
    /// journal.
    pub(super) fn restore(&mut self, announced: bool) -> Result<(), Error> {
        let now = self.cx.now;
        self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::Restored { announced })?;
        for id in store::sequence_ids_doubtful(self.db, self.id)? {
            let sequence = self.sequence_named(id)?;
            let by_journal = matches!(sequence.standing, Standing::Ended { by_journal: true, .. });
            if !by_journal && sequence.standing != Standing::Draft {
                sequence.doubt = Some(Doubt { since: now });
            }
        }
        match self.row.journal {
            Some(head) => self.log_open(head.id),
            None => self.log_close(),
        }
    }

    /// The endpoint has verified a newer certificate than this control plane speaks with: it was set back to before a
    /// rotation, or somebody else rotated.
    pub(super) fn key_is_behind(&mut self, serial: u64) {
        let reason = format!(
            "this machine knows order key {serial}, and this control plane has {}: it was set back, or somebody else \
             made a key",
            self.cx.authority.serial()
        );
        let clears = format!(
            "stop the control plane and put the current key in use (`tidegate admin restore --keys-from`), or make a \
             newer one: `tidegate admin order-key new --serial {}`",
            serial.saturating_add(1)
        );
        self.attention_set("order_key_behind", reason, &clears);
    }

    /// The current journal's head moved.
    pub(super) fn journal_moved(&mut self, head: Head<JournalId>) {
        if self.row.journal.is_some_and(|current| current.id == head.id) {
            self.row.journal = Some(head);
        }
    }
}
