//! Ed25519 keys and signatures, as they appear in messages and files.

use core::fmt;
use core::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::sql::Value;

/// The public half of an Ed25519 key (RFC 8032), written as base 64 of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The public half of the key made from `seed`.
    pub fn of_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed).verifying_key().to_bytes())
    }

    /// SHA-256 of the 32 bytes: what an enrolment code pins and what signatures name as their key.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.0)
    }

    /// The first 16 hexadecimal digits of the fingerprint: the `keyid` of signatures, a hint and no proof.
    pub fn key_id(&self) -> String {
        self.fingerprint().to_string()[..16].to_owned()
    }

    /// Whether `signature` over `bytes` holds, strictly (no small-order keys, one encoding only).
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&self.0), Signature::from_slice(signature))
        else {
            return false;
        };
        key.verify_strict(bytes, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

/// A text that is not base 64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a public key")]
pub struct InvalidPublicKey;

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| InvalidPublicKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidPublicKey)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<PublicKey> for Value {
    fn from(value: PublicKey) -> Self {
        Self::Text(value.to_string())
    }
}

crate::schema_text!(PublicKey, "an Ed25519 public key, base 64");

/// What a key is for; the host keeps the secret and signs by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The control plane's key for orders, work and enrolment certificates.
    Order,
    /// The control plane's key for what it states and does not order: time and transcript heads. It is valid by its
    /// serial alone, so records and clocks go on when an order key has ended.
    Statement,
    /// The endpoint's own key.
    Endpoint,
    /// The owner's root key, for the moment in which it certifies an order key; no host keeps it.
    Root,
}

/// The keys of a host, by role. Secrets stay on the other side of this trait.
pub trait Sign {
    /// The Ed25519 signature of `role`'s key over `bytes`.
    fn sign(&self, role: Role, bytes: &[u8]) -> [u8; 64];

    /// The public half of `role`'s key.
    fn public_key(&self, role: Role) -> PublicKey;

    /// HMAC-SHA-256 (RFC 2104) of `bytes` under a secret of the host that signs nothing else: for the tokens
    /// that admit idle syncs.
    fn authenticate(&self, bytes: &[u8]) -> [u8; 32];
}

/// Keys held in memory, as both programs and the tests hold them.
pub struct KeyPair {
    role: Role,
    signing: SigningKey,
    /// The statement key that goes with an order key.
    statement: Option<SigningKey>,
    token_secret: [u8; 32],
}

impl KeyPair {
    /// The keys made from `seed`; the token secret is derived from it. With an order key comes a statement key that is
    /// derived as well.
    pub fn from_seed(role: Role, seed: &[u8; 32]) -> Self {
        let statement_seed = Digest::of_parts(&[b"tidegate statement key", seed]).0;
        let statement = (role == Role::Order).then(|| SigningKey::from_bytes(&statement_seed));
        Self { statement, ..Self::alone(role, seed) }
    }

    /// The keys of a control plane, from two independent seeds.
    pub fn control_plane(order_seed: &[u8; 32], statement_seed: &[u8; 32]) -> Self {
        let statement = Some(SigningKey::from_bytes(statement_seed));
        Self { statement, ..Self::alone(Role::Order, order_seed) }
    }

    fn alone(role: Role, seed: &[u8; 32]) -> Self {
        let token_secret = Digest::of_parts(&[b"tidegate token secret", seed]).0;
        Self { role, signing: SigningKey::from_bytes(seed), statement: None, token_secret }
    }

    fn key(&self, role: Role) -> &SigningKey {
        match (role, &self.statement) {
            (Role::Statement, Some(statement)) => statement,
            (role, _) => {
                assert_eq!(role, self.role, "a host has only its own keys");
                &self.signing
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyPair({:?}, {})", self.role, self.public_key(self.role))
    }
}

impl Sign for KeyPair {
    fn sign(&self, role: Role, bytes: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer;
        self.key(role).sign(bytes).to_bytes()
    }

    fn public_key(&self, role: Role) -> PublicKey {
        PublicKey(self.key(role).verifying_key().to_bytes())
    }

    fn authenticate(&self, bytes: &[u8]) -> [u8; 32] {
        use hmac::{KeyInit, Mac};
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&self.token_secret)
            .expect("HMAC takes a key of any length");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}
