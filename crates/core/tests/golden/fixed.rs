//! The keys, ids and times of every example.

use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::envelope::{Envelope, Payload};
use tidegate_core::id::{BootId, CodeId, EndpointId, JournalId, LogId, RequestId, SequenceId, SiteId};
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{Authority, OrderKeyCertificate, PROTOCOL_VERSION};

pub(crate) const V: u32 = PROTOCOL_VERSION;
pub(crate) const ENDPOINT: EndpointId = EndpointId::from_bytes([0x11; 10]);
pub(crate) const JOURNAL: JournalId = JournalId::from_bytes([0x22; 10]);
pub(crate) const LOG: LogId = LogId::from_bytes([0x33; 10]);
pub(crate) const BOOT: BootId = BootId::from_bytes([0x44; 10]);
pub(crate) const REQUEST: RequestId = RequestId::from_bytes([0x55; 10]);
pub(crate) const SITE: SiteId = SiteId::from_bytes([0x66; 10]);
pub(crate) const CODE: CodeId = CodeId::from_bytes([0x77; 10]);
pub(crate) const NONCE: &str = "0123456789abcdef";

/// The owner's root key is made from 32 bytes of 1.
const ROOT_SEED: [u8; 32] = [1; 32];
/// The order key from 32 bytes of 2.
const ORDER_SEED: [u8; 32] = [2; 32];
/// The endpoint's signing key from 32 bytes of 3.
const ENDPOINT_SEED: [u8; 32] = [3; 32];

pub(crate) fn root() -> PublicKey {
    PublicKey::of_seed(&ROOT_SEED)
}

pub(crate) fn order_key() -> PublicKey {
    PublicKey::of_seed(&ORDER_SEED)
}

pub(crate) fn statement_key() -> PublicKey {
    order_keys().public_key(Role::Statement)
}

pub(crate) fn endpoint_key() -> PublicKey {
    PublicKey::of_seed(&ENDPOINT_SEED)
}

pub(crate) fn order_keys() -> KeyPair {
    KeyPair::from_seed(Role::Order, &ORDER_SEED)
}

pub(crate) fn endpoint_keys() -> KeyPair {
    KeyPair::from_seed(Role::Endpoint, &ENDPOINT_SEED)
}

/// 14:03 and `seconds` later.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-23T14:03:00Z".parse::<Timestamp>().unwrap().shifted_by_ms(seconds * 1_000)
}

pub(crate) fn digest(of: &str) -> Digest {
    Digest::of(of)
}

pub(crate) fn sequence() -> SequenceId {
    SequenceId::fresh(ENDPOINT, &mut Entropy::new([0x88; 32]))
}

pub(crate) fn order_key_certificate() -> OrderKeyCertificate {
    OrderKeyCertificate {
        v: V,
        serial: 2,
        order_key: order_key(),
        statement_key: order_keys().public_key(Role::Statement),
        issued_at: at(-3_600),
        not_after: at(364 * 86_400),
        revoked: vec![1],
    }
}

pub(crate) fn authority() -> Authority {
    let root_keys = KeyPair::from_seed(Role::Order, &ROOT_SEED);
    let certificate = Envelope::seal(&order_key_certificate(), &root_keys, Role::Order);
    let authority = Authority { root: root(), certificate };
    assert_eq!(authority.order_key(), Ok(order_key()));
    authority
}

/// Seals with the order key what must open again as the same.
pub(crate) fn by_order_key<P: Payload + PartialEq + core::fmt::Debug>(payload: &P) -> Envelope {
    let envelope = Envelope::seal(payload, &order_keys(), Role::Order);
    assert_eq!(envelope.open::<P>(&order_key()).as_ref(), Ok(payload));
    envelope
}

/// Seals with the statement key what must open again as the same.
pub(crate) fn by_statement_key<P: Payload + PartialEq + core::fmt::Debug>(payload: &P) -> Envelope {
    let keys = order_keys();
    let envelope = Envelope::seal(payload, &keys, Role::Statement);
    assert_eq!(envelope.open::<P>(&keys.public_key(Role::Statement)).as_ref(), Ok(payload));
    envelope
}

/// Seals with the endpoint's key what must open again as the same.
pub(crate) fn by_endpoint<P: Payload + PartialEq + core::fmt::Debug>(payload: &P) -> Envelope {
    let envelope = Envelope::seal(payload, &endpoint_keys(), Role::Endpoint);
    assert_eq!(envelope.open::<P>(&endpoint_key()).as_ref(), Ok(payload));
    envelope
}

/// The exact JSON, which must read back as the same.
pub(crate) fn json<T>(value: &T) -> String
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + core::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
    text
}
