//! What a machine was like before: an earlier run of the same step, and when it was heard.

use serde::{Deserialize, Serialize};

use crate::id::SequenceId;
use crate::time::Timestamp;

use super::AttemptView;

/// What the same step found the last time, on the same machine with the same arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComparisonView {
    /// The last attempt before that ran to an end of its own; absent: there is none among those looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousRun>,
    /// Since when the record was looked through: when the oldest sequence among the last 200 was made.
    pub looked_since: Timestamp,
}

/// One earlier attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PreviousRun {
    /// Its sequence.
    pub sequence_id: SequenceId,
    /// What that was for.
    pub title: String,
    /// When that ended; absent: it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The step in it, from 1.
    pub step: u32,
    /// The attempt with its times and, unless it was erased, what it brought back.
    pub attempt: AttemptView,
}

/// When a machine was heard, as far as its record tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ContactsView {
    /// When this was so, which is where the last span ends.
    pub at: Timestamp,
    /// Where the first span begins; at most 31 days before `at`.
    pub since: Timestamp,
    /// Spans without a gap between them, oldest first, at most 500: where there are more, `since` is later.
    pub spans: Vec<ContactSpan>,
}

/// A span of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ContactSpan {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// What is known of it.
    pub kind: ContactKind,
    /// What the machine met; with `outage`, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What is known of a span. More may come; these keep their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    /// It was heard at both ends, which are at most two usual check-ins or 15 minutes apart each time.
    Heard,
    /// It told of no outage and of no start in between. An idle check-in leaves no entry, so that it had a path is
    /// likely and not proved.
    Presumed,
    /// It found no path, as it told itself by its corrected clock.
    Outage,
    /// Nobody can tell: it was not heard since, it started in between and may have been off, or the record that was
    /// looked through does not reach back that far.
    Unknown,
}
