//! What every call is given from outside.

use crate::envelope::Envelope;
use crate::id::EndpointId;
use crate::keys::Sign;
use crate::rhythm::Rhythm;
use crate::time::Timestamp;
use crate::wire::Authority;

/// What every call is given from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the call.
    pub now: Timestamp,
    /// 32 fresh random bytes, used for this call alone.
    pub entropy: [u8; 32],
    /// The host's keys.
    pub keys: &'a dyn Sign,
    /// The root key and the certificate of the order key.
    pub authority: &'a Authority,
    /// Who was heard when: a host's fact, since an idle sync writes nothing.
    pub presence: &'a dyn Presence,
    /// The certificates of earlier order keys, by serial: records of their time are verified with them.
    pub earlier: &'a [Envelope],
}

/// When endpoints were last heard, and what else only the host knows.
pub trait Presence {
    /// The last contact; `None` where the host knows of none since it started.
    fn last_seen(&self, endpoint: EndpointId) -> Option<Seen>;

    /// Whether a sync of the endpoint is being held right now.
    fn is_connected(&self, endpoint: EndpointId) -> bool;

    /// A random number of this start of the host: tickets name it, so that none outlives the memory of its uses (R5).
    fn start(&self) -> u64;

    /// What its contacts were like since the host started. A host that learns nothing says so by the default.
    fn rhythm(&self, _endpoint: EndpointId) -> Rhythm {
        Rhythm::default()
    }

    /// Whether the host's storage took the last writes; `true` where it was full. A host that cannot tell leaves the
    /// default.
    fn is_storage_full(&self) -> bool {
        false
    }

    /// Free bytes of the host's storage above what it keeps in reserve; `None`: the host cannot tell.
    fn room_bytes(&self) -> Option<u64> {
        None
    }
}

/// A contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// How far the endpoint's wall clock was ahead (positive) or behind; an idle sync does not say.
    pub skew_ms: Option<i64>,
}
