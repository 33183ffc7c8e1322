//! The certificate that the head of an export was signed under.
//!
//! Heads are judged by the serial and not by the certificate's end, so a late one is no fault. A file alone cannot prove
//! that its serial still counts: the revocation is in a newer certificate, which the file of a thief leaves out.

use serde::Serialize;

use crate::digest::Digest;
use crate::time::Timestamp;
use crate::wire::OrderKeyCertificate;

use super::report::Fault;

/// The certificate that a head was signed under, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadKey {
    /// The fingerprint of the certified order key.
    pub order_key: Digest,
    /// The serial of the certificate.
    pub serial: u64,
    /// When the certificate ends.
    pub not_after: Timestamp,
    /// When the head was signed: the record is complete as of then. Absent: that signature does not hold.
    pub signed_at: Option<Timestamp>,
    /// Whether the caller knows this serial as revoked: anyone who has the stolen key can have made the file.
    pub is_revoked: bool,
}

impl HeadKey {
    /// Returns true if the head was signed after the certificate's end.
    pub fn is_signed_late(&self) -> bool {
        self.signed_at.is_some_and(|signed_at| signed_at > self.not_after)
    }

    pub(super) fn new(
        certificate: &OrderKeyCertificate,
        signed_at: Option<Timestamp>,
        revoked: &[u64],
    ) -> Self {
        Self {
            order_key: certificate.order_key.fingerprint(),
            serial: certificate.serial,
            not_after: certificate.not_after,
            signed_at,
            is_revoked: revoked.contains(&certificate.serial),
        }
    }
}

/// Checks that no certificate in the file revokes the one that its head was signed under, the first.
pub(super) fn check_revoked(certificates: &[OrderKeyCertificate]) -> Result<(), Fault> {
    let serial = certificates[0].serial;
    match certificates.iter().find(|certificate| certificate.revoked.contains(&serial)) {
        Some(by) => Err(Fault::Revoked { serial, by: by.serial }),
        None => Ok(()),
    }
}
