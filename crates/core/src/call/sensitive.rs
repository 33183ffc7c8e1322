//! Acts that a hijacked browser must not be able to do: the person gives a password or a one-time link again first.
//!
//! The core refuses them, so no page can forget to ask. Each act is listed, without a wildcard: a new one does not
//! compile until its author has decided.

use crate::error::{Code, Error};
use crate::time::{Milliseconds, Timestamp};

use super::{DirectoryAct, EndpointAct, Principal, Proof};

/// How long a confirmation holds: long enough to set up a colleague, short enough for a desk that was left unlocked.
pub const CONFIRMED_FOR: Milliseconds = Milliseconds::from_seconds(600);

/// An act that may be sensitive.
pub(crate) trait Sensitive {
    /// Whether the person confirms who they are before it.
    fn is_sensitive(&self) -> bool;
}

impl Sensitive for DirectoryAct {
    fn is_sensitive(&self) -> bool {
        match self {
            // What gives somebody a way in that outlives the session, or takes one away.
            Self::SetPassword { .. }
            | Self::CreateToken { .. }
            | Self::RevokeToken(_)
            | Self::InvitePerson { .. }
            | Self::MakeSignInLink { .. }
            | Self::DeactivatePerson(_)
            | Self::ReactivatePerson(_) => true,
            // Ending a session is an emergency measure, and a person who was signed out signs in again.
            Self::RevokeSession(_) | Self::EndSession(_) => false,
            Self::RenameToken { .. }
            | Self::CreateClient(_)
            | Self::CreateSite(_)
            | Self::RenameClient { .. }
            | Self::EditSite { .. }
            | Self::CreateCode(_)
            | Self::RevokeCode(_)
            | Self::CreatePlaybook(_)
            | Self::SavePlaybook { .. }
            | Self::ArchivePlaybook(_)
            | Self::UnarchivePlaybook(_) => false,
        }
    }
}

impl Sensitive for EndpointAct {
    fn is_sensitive(&self) -> bool {
        match self {
            // Neither can be undone.
            Self::Revoke | Self::Retire => true,
            Self::CreateSequence(_)
            | Self::EditSequence { .. }
            | Self::Sequence { .. }
            | Self::Adopt { .. }
            | Self::Edit { .. }
            | Self::FollowSite(_)
            | Self::Note(_) => false,
        }
    }
}

/// Refuses a sensitive act in a session whose person has not confirmed it within [`CONFIRMED_FOR`].
pub(crate) fn check_confirmed(by: &Principal, act: &impl Sensitive, now: Timestamp) -> Result<(), Error> {
    if !act.is_sensitive() || by.proof.is_confirmed(now) {
        return Ok(());
    }
    Err(Error::problem(
        Code::ConfirmationRequired,
        "this needs a confirmation of the last 10 minutes: give your password again, or a new one-time sign-in link",
    ))
}

impl Proof {
    /// Whether a sensitive act is done without asking again.
    pub fn is_confirmed(self, now: Timestamp) -> bool {
        match self {
            Self::Token { .. } => true,
            // A clock that was set back makes no confirmation last longer.
            Self::Session { confirmed_at, .. } => {
                confirmed_at.is_some_and(|at| at <= now && now < at.plus(CONFIRMED_FOR))
            }
        }
    }
}
