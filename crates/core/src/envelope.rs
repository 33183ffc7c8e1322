//! DSSE envelopes: payload bytes, their type, and a list of signatures over both.
//!
//! What is signed or hashed is always the exact payload stored and sent, never a re-serialization. The signed
//! bytes are DSSE's pre-authentication encoding: `DSSEv1 {len} {type} {len} {payload}`, lengths in decimal.

use data_encoding::BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::keys::{PublicKey, Role, Sign};

/// Most signatures an envelope may carry: the organization's, the technician's and a few approvers'.
pub const SIGNATURES_MAX: usize = 8;

/// A signed payload as it travels and as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// What the payload is: `application/vnd.tidegate.….v2+json`.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Base 64 of the exact payload bytes.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// [`PublicKey::key_id`] of the signer: a hint, no proof.
    pub keyid: String,
    /// Base 64 of the 64 bytes.
    pub sig: String,
}

/// A message that travels in envelopes of its own type.
pub trait Payload: Serialize + DeserializeOwned {
    /// The `payloadType`; a signature for one type never holds for another.
    const TYPE: &'static str;
}

/// Why an envelope is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum EnvelopeError {
    /// The payload is of another type than expected here.
    #[error("the envelope carries another type of payload")]
    Type,
    /// The payload or a signature is not base 64, or there are too many signatures.
    #[error("the envelope is malformed")]
    Malformed,
    /// No signature of the expected key holds.
    #[error("no signature of the expected key holds")]
    Signature,
    /// The signature holds and the payload does not read: the other side has a defect or a newer version.
    #[error("the payload is authentic but does not read")]
    Payload,
}

impl Envelope {
    /// Signs `payload` in `role`.
    pub fn seal<P: Payload>(payload: &P, keys: &dyn Sign, role: Role) -> Self {
        let bytes = serde_json::to_vec(payload).expect("protocol messages serialize");
        let signature = keys.sign(role, &signed_bytes(P::TYPE, &bytes));
        Self {
            payload_type: P::TYPE.to_owned(),
            payload: BASE64.encode(&bytes),
            signatures: vec![EnvelopeSignature {
                keyid: keys.public_key(role).key_id(),
                sig: BASE64.encode(&signature),
            }],
        }
    }

    /// The exact payload bytes.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Malformed`] when they are not base 64.
    pub fn payload_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        BASE64.decode(self.payload.as_bytes()).map_err(|_| EnvelopeError::Malformed)
    }

    /// The digest of the exact payload bytes; of the undecoded text where they are not base 64, so that garbage
    /// has one too.
    pub fn digest(&self) -> Digest {
        Digest::of(self.payload_bytes().unwrap_or_else(|_| self.payload.clone().into_bytes()))
    }

    /// Opens an envelope that `key` must have signed.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]; the payload is parsed only after a signature held.
    pub fn open<P: Payload>(&self, key: &PublicKey) -> Result<P, EnvelopeError> {
        let bytes = self.verify(P::TYPE, key)?;
        serde_json::from_slice(&bytes).map_err(|_| EnvelopeError::Payload)
    }

    /// Opens an envelope that `key` alone must have signed. A statement about the bytes of a file holds only then:
    /// nobody vouches for what stands in a further signature.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and [`EnvelopeError::Malformed`] where there is another signature.
    pub fn open_alone<P: Payload>(&self, key: &PublicKey) -> Result<P, EnvelopeError> {
        let payload = self.open(key)?;
        if self.signatures.len() == 1 { Ok(payload) } else { Err(EnvelopeError::Malformed) }
    }

    /// The same bytes signed by another key, and by no other.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Malformed`] when the payload is not base 64.
    pub fn signed_again(&self, keys: &dyn Sign, role: Role) -> Result<Self, EnvelopeError> {
        let bytes = self.payload_bytes()?;
        let signature = keys.sign(role, &signed_bytes(&self.payload_type, &bytes));
        let signature =
            EnvelopeSignature { keyid: keys.public_key(role).key_id(), sig: BASE64.encode(&signature) };
        Ok(Self { signatures: vec![signature], ..self.clone() })
    }

    /// Whether a signature claims to be by `key`.
    pub fn names(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|signature| signature.keyid == key.key_id())
    }

    /// Reads the payload without believing it: to learn which key it claims.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when it does not read as a `P`.
    pub fn peek<P: Payload>(&self) -> Result<P, EnvelopeError> {
        if self.payload_type != P::TYPE {
            return Err(EnvelopeError::Type);
        }
        serde_json::from_slice(&self.payload_bytes()?).map_err(|_| EnvelopeError::Payload)
    }

    fn verify(&self, payload_type: &str, key: &PublicKey) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != payload_type {
            return Err(EnvelopeError::Type);
        }
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeError::Malformed);
        }
        let bytes = self.payload_bytes()?;
        let signed = signed_bytes(payload_type, &bytes);
        let key_id = key.key_id();
        let holds = self.signatures.iter().filter(|signature| signature.keyid == key_id).any(|signature| {
            BASE64.decode(signature.sig.as_bytes()).is_ok_and(|raw| key.verifies(&signed, &raw))
        });
        if holds { Ok(bytes) } else { Err(EnvelopeError::Signature) }
    }
}

fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
