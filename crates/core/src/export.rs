//! What leaves in an export: the transcript as it is, with the keys to verify it.
//!
//! An export is lines of JSON: the [`ExportHead`], then two lines an entry, header and body, byte for byte; an
//! erased body is an empty line.

use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
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
