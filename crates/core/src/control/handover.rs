//! What people do with a sequence besides running it: who looked at it, whose it is, which goes first.

use crate::call::Principal;
use crate::directory::check_email;
use crate::error::Error;
use crate::id::SequenceId;
use crate::sequence::{PersonAct, Standing};
use crate::transcript::TranscriptBody;

use super::act::wrong_state;
use super::object::Object;
use super::store;

impl Object<'_> {
    /// Records that a person looked at what came back. Who did so first stands; a repeat changes nothing.
    pub(super) fn review(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        let at = self.cx.now;
        let sequence = self.sequence_named(id)?;
        if !sequence.is_ended() {
            return Err(wrong_state(sequence, "reviewed", "ended"));
        }
        if sequence.reviewed.is_none() {
            sequence.reviewed = Some(PersonAct { by: by.email.clone(), at });
            self.record(&by.email, Some(id), &TranscriptBody::Reviewed)?;
        }
        Ok(())
    }

    /// Takes a review back. A repeat changes nothing.
    pub(super) fn unreview(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        if self.sequence_named(id)?.reviewed.take().is_some() {
            self.record(&by.email, Some(id), &TranscriptBody::Unreviewed)?;
        }
        Ok(())
    }

    /// Gives a sequence to a person to look after, or to nobody. A repeat changes nothing.
    pub(super) fn assign(&mut self, by: &Principal, id: SequenceId, to: Option<String>) -> Result<(), Error> {
        if let Some(email) = &to {
            check_email(email)?;
        }
        let sequence = self.sequence_named(id)?;
        if sequence.assignee != to {
            sequence.assignee.clone_from(&to);
            self.record(&by.email, Some(id), &TranscriptBody::Assigned { to })?;
        }
        Ok(())
    }

    /// Puts a sequence before the others of its endpoint that were not sent yet. What was sent the machine runs in the
    /// order it came (R14), and nothing here can change that (R8).
    pub(super) fn run_next(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        let at = self.cx.now;
        // Its row must be there to be moved.
        self.flush()?;
        let sequence = self.sequence_named(id)?;
        match sequence.standing {
            Standing::Queued if sequence.doubt.is_none() => {}
            Standing::Offered { .. } | Standing::Delivered | Standing::Running | Standing::Queued => {
                return Err(Error::conflict(
                    "the sequence was sent already and may be running: the machine runs what it was sent in the order \
                     it came; cancel what goes first instead",
                ));
            }
            Standing::Draft | Standing::Held { .. } | Standing::Ended { .. } => {
                return Err(wrong_state(sequence, "put first", "queued"));
            }
        }
        if store::sequence_move_first(self.db, self.id, id)? {
            self.sequence_named(id)?.run_next = Some(PersonAct { by: by.email.clone(), at });
            self.record(&by.email, Some(id), &TranscriptBody::RunNext)?;
        }
        Ok(())
    }
}
