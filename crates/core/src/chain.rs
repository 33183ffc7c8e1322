//! Hash chains: the journal and the transcript are both lists of these entries.
//!
//! An entry is a header and a body, both JSON on one line. Its hash is SHA-256 of the exact header bytes; the
//! header holds the hash of the entry before and a salted digest of the body. So a body can be erased
//! without breaking the chain, and its digest does not betray a short one to guessing.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entropy::Entropy;

/// One entry as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The exact header: JSON on one line.
    pub header: String,
    /// The exact body: JSON on one line; `None` once erased.
    pub body: Option<String>,
}

/// The fields every header has; each log adds its own beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The format's version.
    pub v: u32,
    /// The entry's place, from 1.
    pub number: u64,
    /// The hash of the entry before; zeros for the first.
    pub previous: Digest,
    /// 16 random bytes as hexadecimal digits.
    pub salt: String,
    /// SHA-256 of the salt's 16 bytes followed by the exact body bytes.
    pub body: Digest,
}

/// The version of the format that this program writes.
pub const FORMAT_VERSION: u32 = 1;

impl Link {
    /// The link of the entry after (`number`, `previous`) with `body`.
    pub fn new(number: u64, previous: Digest, body: &str, entropy: &mut Entropy) -> Self {
        let salt: [u8; 16] = entropy.bytes();
        Self {
            v: FORMAT_VERSION,
            number,
            previous,
            salt: HEXLOWER.encode(&salt),
            body: body_digest(&salt, body),
        }
    }

    /// Whether `body` is the one this link was made for.
    pub fn holds(&self, body: &str) -> bool {
        let salt: Option<[u8; 16]> =
            HEXLOWER.decode(self.salt.as_bytes()).ok().and_then(|salt| salt.try_into().ok());
        salt.is_some_and(|salt| body_digest(&salt, body) == self.body)
    }
}

impl Entry {
    /// The entry's hash: what the next one carries as `previous`.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.header)
    }
}

fn body_digest(salt: &[u8; 16], body: &str) -> Digest {
    Digest::of_parts(&[salt, body.as_bytes()])
}
