//! A sync: one round trip that moves both logs forward.
//!
//! A request is lines of JSON. The first is the [`SyncLine`], signed; while nothing moves a [`super::IdleSync`] does.
//! Where entries travel, they follow as two lines each, header and body, byte for byte as they are
//! stored and hashed; the first line signs the digest of everything after it. An answer is one JSON object.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, Payload};
use crate::id::{BootId, EndpointId, JournalId, LogId, RequestId, SequenceId};
use crate::journal::Known;
use crate::sequence::STEPS_MAX;
use crate::time::Timestamp;

use super::order::Offered;

/// Largest request body after decompression, in bytes: a full batch of the largest results.
pub const SYNC_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest first line in bytes, without its line feed. A host verifies it before it reads on, so this is what a sender
/// without a key can make it read. An honest line has about 1,400 bytes.
pub const SYNC_LINE_BYTES_MAX: usize = 8 * 1024;
/// Most entries of one request.
pub const SYNC_ENTRIES_MAX: usize = 1_024;

/// Where one log stands: which, how far, and the hash there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head<I> {
    /// Which log or journal.
    pub id: I,
    /// How many entries are held; 0: none.
    pub number: u64,
    /// The hash of the last of them; zeros when there is none.
    pub hash: Digest,
}

/// The first line of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncLine {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// Who speaks.
    pub endpoint: EndpointId,
    /// Comes back in the answer (R5).
    pub request: RequestId,
    /// This start of the runtime.
    pub boot: BootId,
    /// The serial of the newest [`super::OrderKeyCertificate`] that it has verified.
    pub serial: u64,
    /// The endpoint's wall clock, uncorrected: what skew is measured with.
    pub wall: Timestamp,
    /// The time as the control plane signed it within this start of the machine; absent: it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<LineClock>,
    /// Its journal as it stands, entries of this request included.
    pub journal: Head<JournalId>,
    /// The order log it has taken up; absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<Head<LogId>>,
    /// The number of the entry before the first one sent; absent where none are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The digest of every byte after this line's end; absent where nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
    /// Entries asked for are gone (R10): the first line of the content is a [`Gap`].
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub gap: bool,
    /// Copies of the next order that did not verify (R13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    /// How many lines of the content are [`Proof`]s: after the gap and before the entries; at most [`PROOFS_MAX`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub proofs: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Answers [`SyncAnswer::unknown`] for one sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Which.
    pub sequence: SequenceId,
    /// The [`super::Work`] as the endpoint received it; absent: the endpoint does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Envelope>,
}

/// What time it is on an endpoint that was told, beside the milliseconds since its machine started: with both, entries
/// that were written before it was told get their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineClock {
    /// Signed time, carried forward.
    pub at: Timestamp,
    /// Milliseconds since the machine started, sleep included.
    pub monotonic_ms: u64,
}

impl Payload for SyncLine {
    const TYPE: &'static str = "application/vnd.tidegate.sync.v2+json";
}

/// How often the order after the cursor came altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// The order log.
    pub log: LogId,
    /// The order's place.
    pub number: u64,
    /// How many copies.
    pub count: u32,
}

/// What stands in for pruned entries: the hash before the first kept one, and every known outcome (R10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The last pruned entry's number.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
    /// Every outcome the endpoint knows.
    pub known: Known,
}

/// What the control plane holds of the journal that spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalAnswer {
    /// The journal, how many of its entries are held durably, and the hash there.
    #[serde(flatten)]
    pub head: Head<JournalId>,
    /// What it is to the control plane.
    pub state: crate::api::JournalState,
}

/// The answer to a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The request it answers; the endpoint uses no other (R5).
    pub request: RequestId,
    /// The control plane's time.
    pub at: Timestamp,
    /// What it holds of the journal.
    pub journal: JournalAnswer,
    /// A newer [`super::OrderKeyCertificate`] than the endpoint has, signed by the root key: it comes before the orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Envelope>,
    /// Orders the endpoint lacks, in order: at most a few hundred KiB, more follow in the next sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<Offered>,
    /// A signed [`super::Void`] about the order after the endpoint's cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<Envelope>,
    /// A signed [`super::TranscriptHead`] for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Envelope>,
    /// Admits idle syncs for a day, as long as both logs stand as they do now; absent while something moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Sequences that the journal tells of and that the control plane has no record of (R12): the next sync shows the
    /// signed work of each. At most [`PROOFS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<SequenceId>,
    /// More is waiting: sync again at once.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub more: bool,
}

/// Most sequences that one answer asks about, and most proofs of one request.
pub const PROOFS_MAX: usize = 64;

/// Most outcomes of one `opened`, `continued` or gap: the list is bounded by count.
pub const KNOWN_MAX: usize = 4_096;

const _: () = assert!(STEPS_MAX <= 256, "an outcome lists its steps");
