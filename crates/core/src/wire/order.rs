//! Orders and the work they carry: what the control plane signs and the endpoint obeys.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::envelope::{Envelope, Payload};
use crate::id::{EndpointId, JournalId, LogId, SequenceId};
use crate::sequence::StopOn;
use crate::time::{Milliseconds, Timestamp};

/// A signed sequence for one endpoint. Its digest, not its place in a log, is what approvals will bind to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The endpoint it is for.
    pub endpoint: EndpointId,
    /// Its id (R1).
    pub sequence: SequenceId,
    /// What it is for.
    pub title: String,
    /// What ends it early.
    pub stop_on: StopOn,
    /// When it was signed, which is when it was queued or released: older work than the endpoint's list of
    /// outcomes reaches back is answered as lost (R1).
    pub issued_at: Timestamp,
    /// Not to start before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not to start a step after.
    pub expires_at: Timestamp,
    /// Whether a person chose the expiry: only then does an unknown clock hold it back.
    pub expiry_explicit: bool,
    /// The steps in order.
    pub steps: Vec<WorkStep>,
}

/// One step of a signed sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkStep {
    /// The probe.
    pub probe: String,
    /// Its arguments.
    pub with: Map<String, Value>,
    /// Its time limit.
    pub timeout: Milliseconds,
    /// Whether an interrupted attempt is followed by one more.
    pub rerun: bool,
}

impl Payload for Work {
    const TYPE: &'static str = "application/vnd.tidegate.work.v2+json";
}

/// One entry of an order log. Its hash is the digest of its exact payload bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The endpoint it is for.
    pub endpoint: EndpointId,
    /// The log it belongs to.
    pub log: LogId,
    /// Its place, from 1.
    pub number: u64,
    /// The hash of the order before; zeros for the first.
    pub previous: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// What it orders.
    pub order: OrderKind,
}

/// What an order says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OrderKind {
    /// Opens a log for one journal; the first order of every log and nothing else (R6).
    Adopt {
        /// The journal that is current from here on.
        journal: JournalId,
    },
    /// Work to run.
    Run {
        /// Its id.
        sequence: SequenceId,
        /// The digest of the exact payload of the [`Work`] envelope beside it.
        work: Digest,
    },
    /// Ends work that has not ended.
    Cancel {
        /// Its id.
        sequence: SequenceId,
    },
    /// Narrows the endpoint's policy; orders alone can never widen it.
    Configure {
        /// What is allowed from here on, where it is narrower than before.
        policy: Policy,
    },
    /// The endpoint stops and removes itself.
    Retire,
    /// A kind that this program does not know: refused, and the log goes on.
    #[serde(other)]
    Unknown,
}

impl Payload for Order {
    const TYPE: &'static str = "application/vnd.tidegate.order.v2+json";
}

/// What an endpoint lets run, judged when a step starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether `shell` may run at all.
    pub shell: bool,
    /// The only probes allowed; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<Vec<String>>,
    /// The only folders a file probe may read in; absent: all. Absolute paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// The only places a check may connect to, as [`Destination`](crate::destination::Destination) reads them; absent:
    /// all but the metadata services of clouds. A text that is no destination allows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Vec<String>>,
    /// Files and folders that checks may read although the runtime denies them by default; absent: none. Absolute
    /// paths. Only enrolment gives them, an order can take them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_denied: Option<Vec<String>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { shell: true, probes: None, paths: None, net: None, allow_denied: None }
    }
}

/// A signed statement that an order is taken back because it could not be delivered unaltered (R13). It is
/// about one place of the log and leaves the chain as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The log.
    pub log: LogId,
    /// The order's place.
    pub number: u64,
    /// The order's hash, from which the log goes on.
    pub hash: Digest,
    /// The hash of the order before it.
    pub previous: Digest,
}

impl Payload for Void {
    const TYPE: &'static str = "application/vnd.tidegate.void.v2+json";
}

/// The control plane's signed statement about its transcript, which the endpoint keeps in its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptHead {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The endpoint the transcript is about.
    pub endpoint: EndpointId,
    /// The last entry's place.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// The digest over the list of the endpoint's journals up to that entry ([`super::journals_digest`]). Absent in
    /// heads of older control planes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journals: Option<Digest>,
    /// Of an export: the digest of the bytes before `,"head":` in its first line. Absent in heads for journals, so
    /// none of them passes as the head of an export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<Digest>,
}

impl Payload for TranscriptHead {
    const TYPE: &'static str = "application/vnd.tidegate.transcript-head.v2+json";
}

/// An order on its way, with the work it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// An [`Order`] signed by the order key.
    pub order: Envelope,
    /// The [`Work`] that a `run` order names by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Envelope>,
}
