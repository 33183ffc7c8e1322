//! The audit log as people and programs read it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Timestamp;

/// An entry of the directory's audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntryView {
    /// Its place, from 1.
    pub number: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// Who acted: an e-mail address, or `control plane`.
    pub actor: String,
    /// What happened, such as `session_opened`, `sign_in_refused` or `token_created`.
    pub kind: String,
    /// The e-mail address of the person it is about; absent: it is about nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Everything that is recorded of it.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// The entry's hash.
    pub hash: Digest,
    /// The hash of the entry before; zeros for the first.
    pub previous_hash: Digest,
}
