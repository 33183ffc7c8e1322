//! Backups that only the holder of a secret key can read, in the format age (`age-encryption.org/v1`).
//!
//! The format and its tools are other people's: `age --decrypt` opens a backup without Tidegate. Only X25519 recipients
//! (`age1…`) are supported. A passphrase would have to lie next to the job that makes the backups.
//!
//! Encryption hides a backup and proves nothing about its origin: anyone can encrypt to a public recipient.

mod keys;
mod stream;

pub(super) use keys::{Identities, Recipients};
pub(super) use stream::{DecryptError, decrypt, encrypt, is_encrypted};
