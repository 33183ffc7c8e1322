//! The keys of the control plane as an endpoint knows them: pinned by the root key, replaced by a higher serial.

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, EnvelopeError};
use crate::error::{Code, Error};
use crate::journal::{JournalBody, SequenceEnd};
use crate::keys::PublicKey;
use crate::sequence::EndState;
use crate::sql::ReadSql;
use crate::time::Timestamp;
use crate::wire::{Authority, OrderKeyCertificate};

use super::state::{Object, document_load, document_save};
use super::work;

/// The document with the authority that certified the enrolment: a recovery presents both (R15).
const AUTHORITY: &str = "authority";

/// What the newest certificate says. It was verified before it was stored, so nothing verifies it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Keys {
    pub(super) root: PublicKey,
    pub(super) serial: u64,
    pub(super) order_key: PublicKey,
    pub(super) statement_key: PublicKey,
    pub(super) not_after: Timestamp,
}

impl Keys {
    pub(super) fn of(authority: &Authority) -> Result<(Self, OrderKeyCertificate), EnvelopeError> {
        let certificate = authority.open()?;
        let OrderKeyCertificate { serial, order_key, statement_key, not_after, .. } = certificate;
        Ok((Self { root: authority.root, serial, order_key, statement_key, not_after }, certificate))
    }
}

/// The authority that certified the enrolment; newer ones are known by their keys alone.
///
/// # Errors
///
/// [`Error::Sql`], or [`Code::Conflict`] for a state directory that is not enrolled.
pub fn authority(db: &dyn ReadSql) -> Result<Authority, Error> {
    document_load(db, AUTHORITY)?
        .ok_or_else(|| Error::conflict("this state directory is not enrolled: run `enrol` first"))
}

/// Stores the authority of an enrolment and returns its keys.
pub(super) fn pin(db: &dyn crate::sql::Sql, authority: &Authority) -> Result<Keys, Error> {
    let (keys, _) = Keys::of(authority).map_err(|error| {
        Error::problem(
            Code::InvalidSignature,
            format!("the certificate of the order key does not hold: {error}"),
        )
    })?;
    document_save(db, AUTHORITY, authority)?;
    Ok(keys)
}

impl Object<'_> {
    /// Takes a certificate with a higher serial, from any answer; drops any other. Accepted work that a revoked key
    /// signed does not start: a thief with that key may have written it.
    pub(super) fn certificate_take(&mut self, certificate: &Envelope) -> Result<(), Error> {
        let authority = Authority { root: self.state.keys.root, certificate: certificate.clone() };
        let Ok((keys, certificate)) = Keys::of(&authority) else { return Ok(()) };
        if keys.serial <= self.state.keys.serial {
            return Ok(());
        }
        self.record(&JournalBody::Authority { serial: keys.serial, order_key: keys.order_key })?;
        self.state.keys = keys;
        // They counted copies of an order that the old key signed.
        self.state.failures = None;
        for live in work::live(self.db)? {
            if !live.is_begun() && certificate.revoked.contains(&live.progress.serial) {
                let reason = "key revoked: the order key that signed this was withdrawn before it started";
                self.work_end(live, SequenceEnd::Refused, EndState::Refused, Some(reason))?;
            }
        }
        Ok(())
    }

    /// Whether the order key has ended, as far as this machine knows the time: then no new order is taken.
    pub(super) fn is_order_key_over(&self) -> bool {
        self.now.is_known && self.now.at > self.state.keys.not_after
    }
}
