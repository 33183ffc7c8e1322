//! What leaves in an export: the transcript as it is, with the keys to verify it.
//!
//! An export is lines of JSON: the [`ExportHead`], then two lines an entry, header and body, byte for byte; an
//! erased body is an empty line.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, Payload};
use crate::id::EndpointId;
use crate::time::Timestamp;
use crate::wire::Authority;

/// The version of the format that this program writes and reads.
pub const EXPORT_VERSION: u32 = 1;

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHead {
    /// [`EXPORT_VERSION`].
    pub tidegate_export: u32,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When it was made.
    pub exported_at: Timestamp,
    /// The root key and the order key it certified.
    pub authority: Authority,
    /// Every enrolment certificate of the endpoint: whose signatures count.
    pub enrolments: Vec<Envelope>,
    /// A signed [`crate::wire::TranscriptHead`] of the last entry in the file.
    pub head: Envelope,
    /// For each journal, the last signed [`crate::wire::SyncLine`]: the endpoint's own statement how far its
    /// journal went.
    pub journals: Vec<Envelope>,
}

/// The version of the audit log's format that this program writes and reads.
pub const AUDIT_EXPORT_VERSION: u32 = 1;

/// The first line of an export of the directory's audit log. Two lines an entry follow, as in an export of a transcript;
/// no body of these is ever erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditExportHead {
    /// [`AUDIT_EXPORT_VERSION`].
    pub tidegate_audit_export: u32,
    /// When it was made.
    pub exported_at: Timestamp,
    /// The root key and the order key it certified.
    pub authority: Authority,
    /// A signed [`AuditHead`] of the last entry in the file.
    pub head: Envelope,
}

/// The control plane's signed statement about its audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// [`crate::wire::PROTOCOL_VERSION`].
    pub v: u32,
    /// The last entry's place; 0: there is none.
    pub number: u64,
    /// Its hash; zeros where there is none.
    pub hash: Digest,
    /// When it was signed.
    pub at: Timestamp,
}

impl Payload for AuditHead {
    const TYPE: &'static str = "application/vnd.tidegate.audit-head.v1+json";
}
