//! Work of a person who was deactivated: what was not sent yet waits for another person to decide, what was sent goes on.
//!
//! The directory sends this twice to each endpoint; a repeat changes nothing. Only the person who vouches for the work
//! counts, so work that another person released stays released. Reactivation releases nothing.

use crate::call::Reply;
use crate::error::Error;
use crate::sequence::{HoldCause, Standing};
use crate::transcript::TranscriptBody;

use super::object::Object;

impl Object<'_> {
    /// Holds what `person` vouches for and was not sent, in the name of `by`, who deactivated them.
    pub(super) fn hold_work_of(&mut self, person: &str, by: &str) -> Result<Reply, Error> {
        let now = self.cx.now;
        let reason = format!("`{person}`, who queued this, was deactivated");
        for id in self.live()? {
            let sequence = self.sequence_named(id)?;
            if sequence.vouched_by() != person {
                continue;
            }
            match sequence.standing {
                Standing::Queued => {
                    let cause = HoldCause::PersonDeactivated;
                    sequence.standing = Standing::Held { reason: reason.clone(), cause, at: now };
                    self.record(by, Some(id), &TranscriptBody::Held { reason: reason.clone() })?;
                }
                // The machine may have it, or may say that it never came; only the journal knows (R8).
                Standing::Offered { .. } => sequence.hold_on_return = Some(reason.clone()),
                Standing::Draft
                | Standing::Held { .. }
                | Standing::Delivered
                | Standing::Running
                | Standing::Ended { .. } => {}
            }
        }
        Ok(Reply::Done)
    }
}
