//! Signed time: what an endpoint asks first of a control plane it does not trust yet.

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, Payload};
use crate::keys::PublicKey;
use crate::time::Timestamp;

/// Asks for the time. The nonce is of this request alone, 16 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRequest {
    /// What the answer must repeat.
    pub nonce: String,
}

/// What the statement key signs about the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeStatement {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The request's nonce.
    pub nonce: String,
    /// The control plane's time while it answered.
    pub at: Timestamp,
}

/// The answer: time by the statement key, that key by the root key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeAnswer {
    /// A [`TimeStatement`] signed by the statement key.
    pub time: Envelope,
    /// An [`super::OrderKeyCertificate`] signed by the root key.
    pub authority: Envelope,
    /// The root key, to compare with the pinned one or the code's fingerprint.
    pub root: PublicKey,
}

impl Payload for TimeStatement {
    const TYPE: &'static str = "application/vnd.tidegate.time.v2+json";
}
