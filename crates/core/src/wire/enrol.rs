//! Enrolment: a machine becomes an endpoint, pinned to the owner's root key by the code it was given.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, Payload};
use crate::id::{CodeId, EndpointId, JournalId, SiteId};
use crate::keys::{PublicKey, Role, Sign};
use crate::probe::Catalogue;
use crate::time::{Milliseconds, Timestamp};

/// What every enrolment code begins with.
pub const CODE_PREFIX: &str = "tg1";

/// An enrolment code: `tg1.{code id}.{root fingerprint, 64 digits}.{secret, 32 digits}`.
///
/// The whole fingerprint travels, so nobody can make a second root key that fits it.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// Which code it is.
    pub id: CodeId,
    /// [`PublicKey::fingerprint`] of the root key.
    pub root_fingerprint: Digest,
    /// 128 random bits; the control plane stores only their digest.
    pub secret: [u8; 16],
}

/// A text that is not an enrolment code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment code: one looks like tg1.….….… and is copied whole")]
pub struct InvalidCode;

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = data_encoding::HEXLOWER.encode(&self.secret);
        write!(formatter, "{CODE_PREFIX}.{}.{}.{secret}", self.id, self.root_fingerprint)
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EnrolmentCode({}, …)", self.id)
    }
}

impl FromStr for EnrolmentCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().split('.');
        let (Some(CODE_PREFIX), Some(id), Some(fingerprint), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCode);
        };
        let secret = data_encoding::HEXLOWER.decode(secret.as_bytes()).map_err(|_| InvalidCode)?;
        Ok(Self {
            id: id.parse().map_err(|_| InvalidCode)?,
            root_fingerprint: fingerprint.parse().map_err(|_| InvalidCode)?,
            secret: secret.try_into().map_err(|_| InvalidCode)?,
        })
    }
}

/// The highest serial: past it no certificate could follow.
pub const SERIAL_MAX: u64 = 1_000_000;
/// The longest that a certificate may be valid: ten years.
pub const ORDER_KEY_VALID_FOR_MAX: Milliseconds = Milliseconds::from_days(3_660);

/// Most serials that one certificate revokes.
pub const REVOKED_MAX: usize = 64;

/// What the root key signs about the keys of a control plane. A certificate with a higher serial replaces every lower
/// one: an endpoint that has seen it obeys no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKeyCertificate {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// Counts from 1.
    pub serial: u64,
    /// Signs orders, work and enrolments.
    pub order_key: PublicKey,
    /// Signs time and transcript heads; valid as long as no higher serial is known, whatever the dates.
    pub statement_key: PublicKey,
    /// When the owner made it.
    pub issued_at: Timestamp,
    /// Orders are not obeyed after this. Results and accepted work go on.
    pub not_after: Timestamp,
    /// Earlier serials whose order key somebody else may have: accepted work that they signed does not start. At most
    /// [`REVOKED_MAX`], ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<u64>,
}

/// How long an order key is valid unless the owner says otherwise: a year.
pub const ORDER_KEY_VALID_FOR: Milliseconds = Milliseconds::from_days(365);

impl OrderKeyCertificate {
    /// What the root key signs about the order and statement keys of `keys`, valid for [`ORDER_KEY_VALID_FOR`].
    pub fn new(serial: u64, keys: &dyn Sign, issued_at: Timestamp) -> Self {
        Self {
            v: super::PROTOCOL_VERSION,
            serial,
            order_key: keys.public_key(Role::Order),
            statement_key: keys.public_key(Role::Statement),
            issued_at,
            not_after: issued_at.plus(ORDER_KEY_VALID_FOR),
            revoked: Vec::new(),
        }
    }
}

impl Payload for OrderKeyCertificate {
    const TYPE: &'static str = "application/vnd.tidegate.order-key.v2+json";
}

/// The root key and the order key it certified: what an endpoint pins and what a control plane speaks with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The owner's root key.
    pub root: PublicKey,
    /// An [`OrderKeyCertificate`] signed by it.
    pub certificate: Envelope,
}

impl Authority {
    /// The certificate, if the root key signed it.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when it does not hold.
    pub fn open(&self) -> Result<OrderKeyCertificate, EnvelopeError> {
        Self::checked(self.certificate.open(&self.root)?)
    }

    /// The certificate, if the root key and no other signed it.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when it does not hold.
    pub fn open_alone(&self) -> Result<OrderKeyCertificate, EnvelopeError> {
        Self::checked(self.certificate.open_alone(&self.root)?)
    }

    fn checked(certificate: OrderKeyCertificate) -> Result<OrderKeyCertificate, EnvelopeError> {
        let is_sound = (1..=SERIAL_MAX).contains(&certificate.serial)
            && certificate.revoked.len() <= REVOKED_MAX
            && certificate.not_after.since(certificate.issued_at) <= ORDER_KEY_VALID_FOR_MAX;
        if is_sound { Ok(certificate) } else { Err(EnvelopeError::Malformed) }
    }

    /// The order key, if the root key certified it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn order_key(&self) -> Result<PublicKey, EnvelopeError> {
        Ok(self.open()?.order_key)
    }

    /// The serial of a certificate that is known to hold, read without another look at its signature.
    pub fn serial(&self) -> u64 {
        self.certificate.peek::<OrderKeyCertificate>().map_or(0, |certificate| certificate.serial)
    }

    /// Until when machines obey a certificate that is known to hold. `None` if it cannot be read.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.certificate.peek::<OrderKeyCertificate>().ok().map(|certificate| certificate.not_after)
    }

    /// Whether a certificate that is known to hold has ended: no machine obeys a new order then.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.not_after().is_some_and(|not_after| not_after < now)
    }
}

/// What a machine asks with; travels in an [`Envelope`] signed by the key it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// Which code.
    pub code: CodeId,
    /// The code's secret, 32 hexadecimal digits.
    pub secret: String,
    /// The endpoint's signing key.
    pub key: PublicKey,
    /// The endpoint's X25519 key (RFC 7748) for what is sealed to it.
    pub seal_key: PublicKey,
    /// The journal it will write.
    pub journal: JournalId,
    /// What it calls itself, 1 to 200 bytes.
    pub name: String,
    /// What it tells of itself.
    pub facts: Map<String, Value>,
    /// Its probes.
    pub probes: Catalogue,
}

impl Payload for EnrolRequest {
    const TYPE: &'static str = "application/vnd.tidegate.enrol.v2+json";
}

/// What an enrolled endpoint presents to a control plane that does not know it (R15); signed by its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoverRequest {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The [`EnrolmentCertificate`] it was given.
    pub enrolment: Envelope,
    /// The authority it pinned: its order key may be one that this control plane had before.
    pub authority: Authority,
    /// The journal it writes.
    pub journal: JournalId,
    /// What it tells of itself.
    pub facts: Map<String, Value>,
    /// Its probes.
    pub probes: Catalogue,
}

impl Payload for RecoverRequest {
    const TYPE: &'static str = "application/vnd.tidegate.recover.v2+json";
}

/// What the order key signs about an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentCertificate {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The endpoint's id.
    pub endpoint: EndpointId,
    /// Its signing key.
    pub key: PublicKey,
    /// Its X25519 key.
    pub seal_key: PublicKey,
    /// The site it was enrolled into.
    pub site: SiteId,
    /// What it was called.
    pub name: String,
    /// When.
    pub enrolled_at: Timestamp,
}

impl Payload for EnrolmentCertificate {
    const TYPE: &'static str = "application/vnd.tidegate.enrolment.v2+json";
}

/// The answer to both requests. Repeating a request whose answer was lost gives the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The endpoint's id.
    pub endpoint: EndpointId,
    /// An [`EnrolmentCertificate`] signed by the order key.
    pub enrolment: Envelope,
    /// The authority to pin.
    pub authority: Authority,
    /// The control plane's time.
    pub at: Timestamp,
    /// Other machines of the site that have the name this one enrolled under, at most 5: a warning for the person who
    /// enrols it. Not signed, and nothing is decided by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same_name: Vec<EndpointId>,
}

/// The public X25519 key of `seed` (RFC 7748, section 5).
pub fn seal_public_key(seed: &[u8; 32]) -> PublicKey {
    PublicKey(curve25519_dalek::MontgomeryPoint::mul_base_clamped(*seed).to_bytes())
}

/// The digest of a code's secret, which is all a control plane stores of it.
pub fn secret_digest(secret: &[u8; 16]) -> Digest {
    Digest::of_parts(&[b"tidegate enrolment secret", secret])
}

impl EnrolRequest {
    /// The secret's bytes.
    pub fn secret_bytes(&self) -> Option<[u8; 16]> {
        data_encoding::HEXLOWER.decode(self.secret.as_bytes()).ok()?.try_into().ok()
    }
}
