//! The two files between a control plane and its root key. Neither holds a secret.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_core::digest::Digest;
use tidegate_core::keys::PublicKey;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::wire::OrderKeyCertificate;

use super::super::reading::read_file;
use super::unusable;

/// The largest file that is read.
const BYTES_MAX: u64 = 64 * 1024;

/// The version of the format of a request. The first one did not name the key in use.
pub(super) const VERSION: u32 = 2;

/// What the root key is asked to certify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The version of the format.
    pub tidegate_order_key_request: u32,
    /// The root key that the control plane belongs to.
    pub root: PublicKey,
    /// The serial of the key in use. 0: the request is of the first version.
    #[serde(default)]
    pub in_use: u64,
    /// The certificate that it asks for.
    pub certificate: OrderKeyCertificate,
}

impl Request {
    /// The digest of everything that is asked for. A signer who compares it signs no other request.
    pub fn fingerprint(&self) -> Digest {
        let text = serde_json::to_vec(self).expect("requests serialize");
        Digest::of_parts(&[b"tidegate order key request", &text])
    }

    /// Whether `certificate` says of these keys what was asked. The owner decides how long it is valid.
    pub(super) fn is_answered_by(&self, certificate: &OrderKeyCertificate) -> bool {
        let OrderKeyCertificate { issued_at, not_after, .. } = *certificate;
        OrderKeyCertificate { issued_at, not_after, ..self.certificate.clone() } == *certificate
    }
}

/// Writes a file that does not exist yet.
pub(super) fn write(file: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let failed = || {
        Obstructed::new(
            Obstacle::FileNotWritten,
            format!("`{}` was not written", file.display()),
            "name a file that does not exist, in a directory that this user may write",
        )
    };
    let text = serde_json::to_string_pretty(value)? + "\n";
    let mut created = OpenOptions::new().write(true).create_new(true).open(file).with_context(failed)?;
    created.write_all(text.as_bytes()).and_then(|()| created.sync_all()).with_context(failed)
}

/// Reads a file.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let failed = || unusable(format!("`{}` cannot be read as one of these files", file.display()));
    let text = read_file(file, BYTES_MAX).with_context(failed)?;
    serde_json::from_slice(&text).with_context(failed)
}
