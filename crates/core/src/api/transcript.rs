//! The transcript as people and scripts read it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::id::{EndpointId, SequenceId};
use crate::time::Timestamp;

/// One entry of an endpoint's transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TranscriptEntryView {
    /// Its place, from 1.
    pub number: u64,
    /// When the control plane stored it.
    pub at: Timestamp,
    /// Who acted: an e-mail address, `endpoint` or `control plane`.
    pub actor: String,
    /// What happened: `queued`, `offered`, `journal.step_finished`, …
    pub kind: String,
    /// The sequence it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_id: Option<SequenceId>,
    /// Whether the machine claims that sequence and this record does not have it: nobody here is known to have asked for
    /// it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub claimed: bool,
    /// SHA-256 of the entry's exact header bytes.
    pub hash: Digest,
    /// The hash of the entry before; zeros for the first.
    pub previous_hash: Digest,
    /// What the entry says; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
    /// The body is too large for a listing; absent: it is here, or erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<BodyLeftOut>,
}

/// A body that is left out for its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BodyLeftOut {
    /// The entry of the transcript that has it.
    pub number: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Where to get it: `/api/v1/endpoints/{id}/transcript/{number}`.
    pub href: String,
}

impl BodyLeftOut {
    /// The body of entry `number` of `endpoint`.
    pub(crate) fn of(endpoint: EndpointId, number: u64, bytes: u64) -> Self {
        Self { number, bytes, href: format!("/api/v1/endpoints/{endpoint}/transcript/{number}") }
    }
}
