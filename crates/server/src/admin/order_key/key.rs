//! Order keys as operators see them.

use tidegate_core::digest::Digest;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::OrderKeyCertificate;

use super::{Before, Request};

/// One certificate of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// Counts from 1.
    pub serial: u64,
    /// The fingerprint of the order key.
    pub fingerprint: Digest,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Whether it is the one in use.
    pub is_current: bool,
    /// Whether a later certificate revokes it.
    pub is_revoked: bool,
    /// The serials that it revokes.
    pub revokes: Vec<u64>,
}

/// A request that waits for the root key's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The key that it asks for.
    pub key: OrderKey,
    /// The fingerprint of the whole request, which the signer compares.
    pub request: Digest,
    /// What it does with the key in use.
    pub before: Before,
}

/// Every order key of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKeys {
    /// Newest first.
    pub keys: Vec<OrderKey>,
    /// The request that waits for its answer.
    pub pending: Option<Pending>,
}

/// A key that was put in use, or that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed<T> {
    /// It.
    pub key: T,
    /// The pending request that this dropped.
    pub dropped: Option<Pending>,
}

impl OrderKey {
    pub(super) fn of(certificate: &OrderKeyCertificate) -> Self {
        Self {
            serial: certificate.serial,
            fingerprint: certificate.order_key.fingerprint(),
            issued_at: certificate.issued_at,
            not_after: certificate.not_after,
            is_current: false,
            is_revoked: false,
            revokes: certificate.revoked.clone(),
        }
    }
}

impl Pending {
    pub(super) fn of(request: &Request, in_use: u64) -> Self {
        let does_revoke = request.certificate.revoked.contains(&in_use);
        Self {
            key: OrderKey::of(&request.certificate),
            request: request.fingerprint(),
            before: if does_revoke { Before::Revoked } else { Before::Replaced },
        }
    }
}
