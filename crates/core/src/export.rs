//! What leaves in an export: the transcript as it is, with the keys to verify it.
//!
//! An export is lines of JSON: the [`ExportHead`], then two lines an entry, header and body, byte for byte; an
//! erased body is an empty line.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::{Envelope, Payload};
use crate::id::{EndpointId, JournalId};
use crate::keys::{PublicKey, Role, Sign};
use crate::time::Timestamp;
use crate::wire::{Authority, TranscriptHead, journals_digest};

/// The version of the format that this program writes and reads.
pub const EXPORT_VERSION: u32 = 2;

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
    /// The certificates of earlier order keys, by serial: what they and their statement keys signed is in the record.
    pub certificates: Vec<Envelope>,
    /// Every enrolment certificate of the endpoint: whose signatures count.
    pub enrolments: Vec<Envelope>,
    /// Every journal of the endpoint, in the order in which the control plane first heard them.
    pub journals: Vec<ExportJournal>,
    /// A signed [`TranscriptHead`] of the last entry in the file. It covers the bytes of this line before it.
    pub head: Envelope,
}

/// One journal of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportJournal {
    /// Which.
    pub id: JournalId,
    /// Whose signature moves it.
    pub key: PublicKey,
    /// The last signed [`crate::wire::SyncLine`] that stated a head which was held entirely: the endpoint's own
    /// statement how far its journal went. Absent: none has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Envelope>,
}

impl ExportHead {
    /// The digest of the bytes before `,"head":` in the line.
    pub fn front_digest(&self) -> Digest {
        let line = serde_json::to_string(self).expect("export heads serialize");
        let head = serde_json::to_string(&self.head).expect("envelopes serialize");
        let tail = format!(",\"head\":{head}}}");
        Digest::of(line.strip_suffix(&tail).expect("the head is the last field"))
    }

    /// The digest over the list of journals.
    pub fn journals_digest(&self) -> Digest {
        let add = |before, journal: &ExportJournal| journals_digest(before, journal.id, &journal.key);
        self.journals.iter().fold(Digest::ZERO, add)
    }

    /// Signs the line as the export of a transcript whose last entry is `number`, with the hash `hash`.
    #[must_use]
    pub fn sealed(mut self, version: u32, number: u64, hash: Digest, keys: &dyn Sign) -> Self {
        let head = TranscriptHead {
            v: version,
            endpoint: self.endpoint,
            number,
            hash,
            at: self.exported_at,
            journals: Some(self.journals_digest()),
            export: Some(self.front_digest()),
        };
        self.head = Envelope::seal(&head, keys, Role::Statement);
        self
    }
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
