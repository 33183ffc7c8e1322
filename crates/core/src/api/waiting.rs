//! "Why not yet?" for programs: the cause by a stable code, and the last proof of it.

use serde::{Deserialize, Serialize};

use crate::id::SequenceId;
use crate::sequence::HoldCause;
use crate::time::Timestamp;

use super::SequenceState;

/// What a sequence waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WaitingView {
    /// The cause.
    pub code: WaitingCode,
    /// Since when, or when the machine last said so; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When that cause ends by itself; absent: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When the sequence may no longer start; in the past, the machine has not told yet what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The sequence that goes first, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<SequenceAhead>,
    /// The step that runs, from 1; with the code `running`, and absent between two steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// What happened to the machine; with the code `held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<HoldCause>,
    /// Whether the machine is connected right now.
    pub connected: bool,
    /// When the machine was last heard; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact_at: Option<Timestamp>,
    /// How often it is usually heard while it has a path; absent: not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_interval_ms: Option<u64>,
    /// The hours of UTC in which it is usually heard, where those are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual_hours_utc: Vec<u8>,
}

/// Why a sequence waits. More may come; these keep their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingCode {
    /// It is a draft: somebody must queue it.
    Draft,
    /// Somebody must release or purge it: the machine it was meant for changed.
    Held,
    /// Somebody must confirm this recovered machine by adopting its journal.
    Recovered,
    /// Somebody must decide which machine this is: it was copied or set back.
    IdentityConflict,
    /// A machine with this identity and another history was heard: somebody must decide whether it is the one.
    CandidateJournal,
    /// The control plane needs a new order key: the one in use has ended, or this machine knows a newer one.
    OrderKey,
    /// The control plane's disk is full.
    StorageFull,
    /// The machine reports more than may be stored of it: it gets new work once all its reports are stored.
    Slowed,
    /// Its earliest start is not reached.
    NotBefore,
    /// The machine was never heard since it enrolled.
    NeverSeen,
    /// The machine was not heard lately.
    NoContact,
    /// The machine is there: the next check-in fetches it.
    CheckIn,
    /// Another sequence goes first.
    Behind,
    /// The control plane was restored: the machine must say whether it ran.
    Restored,
    /// It was sent, and the machine has not told of it: it may already be running.
    Offered,
    /// A cancel was asked for: the machine must say what it met.
    Cancelling,
    /// The machine does not know the time, and the sequence has a condition on it.
    ClockUnknown,
    /// The machine's journal has no room for a result.
    JournalFull,
    /// The machine has it and has not told of a start: it may be running.
    Start,
    /// It runs, as far as the machine has told.
    Running,
}

/// A sequence that goes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SequenceAhead {
    /// Which.
    pub id: SequenceId,
    /// What it is for.
    pub title: String,
    /// Where it is.
    pub state: SequenceState,
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn every_code_is_explained() {
        let page = include_str!("../../../../docs/waiting.md");
        let schema = serde_json::to_value(WaitingCode::schema()).unwrap();
        let codes: Vec<_> =
            schema["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        let rows: Vec<_> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(rows, codes, "one row a code, in their order");
    }
}
