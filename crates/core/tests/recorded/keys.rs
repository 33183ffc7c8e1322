//! The keys of every story, made from fixed seeds, so that a message can be signed again where its ids differ.

use tidegate_core::envelope::{Envelope, Payload};
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{Authority, OrderKeyCertificate};

const ROOT_SEED: [u8; 32] = [1; 32];
/// How many order keys an owner has made, and how many keys machines have, at most.
const KEYS_MAX: u8 = 3;

/// The control plane's keys of that serial, from 1.
pub(crate) fn order_keys(serial: u64) -> KeyPair {
    KeyPair::from_seed(Role::Order, &[10 + u8::try_from(serial).unwrap(); 32])
}

/// A machine's keys, from 0.
pub(crate) fn endpoint_keys(number: u8) -> KeyPair {
    KeyPair::from_seed(Role::Endpoint, &[20 + number; 32])
}

fn root_keys() -> KeyPair {
    KeyPair::from_seed(Role::Root, &ROOT_SEED)
}

/// The certificate of the order key of that serial.
pub(crate) fn authority(serial: u64, now: Timestamp, revoked: Vec<u64>) -> Authority {
    let certificate =
        OrderKeyCertificate { revoked, ..OrderKeyCertificate::new(serial, &order_keys(serial), now) };
    let root_keys = root_keys();
    Authority {
        root: root_keys.public_key(Role::Root),
        certificate: Envelope::seal(&certificate, &root_keys, Role::Root),
    }
}

/// The keys that a signature can be by.
fn all() -> Vec<(KeyPair, Role)> {
    let mut all = vec![(root_keys(), Role::Root)];
    for number in 0..KEYS_MAX {
        all.push((order_keys(u64::from(number) + 1), Role::Order));
        all.push((order_keys(u64::from(number) + 1), Role::Statement));
        all.push((endpoint_keys(number), Role::Endpoint));
    }
    all
}

fn named(keyid: &str) -> Option<(KeyPair, Role)> {
    all().into_iter().find(|(keys, role)| keys.public_key(*role).key_id() == keyid)
}

/// Signs other payload bytes with the key that signed `envelope`.
pub(crate) fn sign_again(envelope: &Envelope, payload: &str) -> Envelope {
    let changed = Envelope { payload: data_encoding::BASE64.encode(payload.as_bytes()), ..envelope.clone() };
    let (keys, role) =
        named(&envelope.signatures[0].keyid).expect("a story's messages are signed by its keys");
    changed.signed_again(&keys, role).expect("the payload is base 64")
}

/// Whether the first signature holds, by the key that it names.
pub(crate) fn holds(envelope: &Envelope) -> bool {
    // Opens as any JSON: only the signature matters here.
    let Some((keys, role)) = envelope.signatures.first().and_then(|signature| named(&signature.keyid)) else {
        return false;
    };
    let Ok(again) = envelope.signed_again(&keys, role) else { return false };
    again.signatures[0].sig == envelope.signatures[0].sig
}

/// The public key of a machine.
pub(crate) fn endpoint_key(number: u8) -> PublicKey {
    endpoint_keys(number).public_key(Role::Endpoint)
}

/// Opens what a statement key of any serial signed.
pub(crate) fn statement_seal<P: Payload>(payload: &P, serial: u64) -> Envelope {
    Envelope::seal(payload, &order_keys(serial), Role::Statement)
}
