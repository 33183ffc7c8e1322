//! The options of `tidegate verify` about order keys, and what it prints about the one that signed the file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_core::digest::Digest;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::time::Timestamp;
use tidegate_core::verify::{HeadKey, LINE_BYTES_MAX};
use tidegate_core::wire::Authority;

use crate::failure::Failure;

/// What the caller knows about order keys.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct KeyArgs {
    /// A newer export of the same owner: its certificate names the revoked order keys
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// The serial of an order key that was revoked
    #[arg(long, value_name = "SERIAL")]
    revoked: Vec<u64>,
}

/// The serials that are known as revoked, and the certificate that names them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) revoked: Vec<u64>,
    newer: Option<Newer>,
}

#[derive(Debug)]
struct Newer {
    root: Digest,
    serial: u64,
    issued_at: Timestamp,
}

impl KeyArgs {
    /// Reads the certificate that the caller names.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or the root key did not sign it.
    pub(crate) fn known(&self) -> Result<Known, Failure> {
        let mut known = Known { revoked: self.revoked.clone(), newer: None };
        let Some(file) = &self.authority else { return Ok(known) };
        let authority = authority_of(file)?;
        let certificate = authority.open_alone().map_err(|error| {
            unusable(file).because(format!("the certificate of its order key does not hold: {error}"))
        })?;
        known.revoked.extend(&certificate.revoked);
        let (serial, issued_at) = (certificate.serial, certificate.issued_at);
        known.newer = Some(Newer { root: authority.root.fingerprint(), serial, issued_at });
        Ok(known)
    }
}

impl Known {
    /// Checks that the certificate which the caller names is of the owner of the record.
    ///
    /// # Errors
    ///
    /// Where it is another owner's: it says nothing about this record.
    pub(crate) fn check_owner(&self, root: Option<Digest>) -> Result<(), Failure> {
        match (&self.newer, root) {
            (Some(newer), Some(root)) if newer.root != root => Err(Failure::usage(format!(
                "the certificate of --authority is of another owner: its root key has the fingerprint {}",
                newer.root
            ))
            .of(Obstacle::ExportUnusable)
            .next("name an export of the owner of this record")),
            _ => Ok(()),
        }
    }

    /// What is known about a serial, on one line.
    fn standing(&self, key: &HeadKey) -> String {
        match &self.newer {
            _ if key.is_revoked => {
                "revoked: anyone with that key can have made this file, at any time".to_owned()
            }
            Some(newer) if newer.serial >= key.serial => {
                format!("not revoked as of serial {}, certified {}", newer.serial, newer.issued_at)
            }
            Some(newer) => format!("revocation not checked: --authority has only serial {}", newer.serial),
            None => "revocation not checked: name a newer export with --authority".to_owned(),
        }
    }
}

/// The lines about the key that signed the file.
pub(super) fn lines(key: &HeadKey, known: &Known) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(signed_at) = key.signed_at {
        lines.push(format!("signed      {signed_at}: nothing later is in this file"));
    }
    lines.push(format!("order key   {}", key.order_key));
    lines.push(format!("            serial {}, ends {}", key.serial, key.not_after));
    if key.is_signed_late() {
        lines.push(
            "            ! signed after that end: ask the owner whether this serial was in use then".into(),
        );
    }
    lines.push(format!("            {}", known.standing(key)));
    lines
}

/// Adds the same to the document for programs.
pub(super) fn add(document: &mut Value, key: Option<&HeadKey>) {
    document["order_key"] = json!(key.map(|key| key.order_key));
    document["serial"] = json!(key.map(|key| key.serial));
    document["not_after"] = json!(key.map(|key| key.not_after));
    document["signed_at"] = json!(key.and_then(|key| key.signed_at));
    document["signed_after_end"] = json!(key.map(HeadKey::is_signed_late));
    document["is_revoked"] = json!(key.map(|key| key.is_revoked));
}

/// The authority in the first line of an export of either kind.
fn authority_of(file: &Path) -> Result<Authority, Failure> {
    #[derive(Deserialize)]
    struct First {
        authority: Authority,
    }
    let read = || -> std::io::Result<String> {
        let mut line = String::new();
        BufReader::new(File::open(file)?.take(LINE_BYTES_MAX as u64)).read_line(&mut line)?;
        Ok(line)
    };
    let line = read().map_err(|error| {
        Failure::usage(format!("failed to read `{}`", file.display()))
            .of(Obstacle::FileUnreadable)
            .caused_by(&error)
            .next("name an export that you may read with --authority")
    })?;
    let first: First = serde_json::from_str(&line).map_err(|error| unusable(file).because(error))?;
    Ok(first.authority)
}

fn unusable(file: &Path) -> Failure {
    Failure::refused(format!("`{}` has no certificate to compare with", file.display()))
        .of(Obstacle::ExportUnusable)
        .next("name an export of today with --authority: `tidegate export ENDPOINT --out FILE`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::envelope::Envelope;
    use tidegate_core::keys::{KeyPair, Role, Sign as _};
    use tidegate_core::wire::OrderKeyCertificate;

    fn key() -> HeadKey {
        HeadKey {
            order_key: Digest::of("order"),
            serial: 1,
            not_after: Timestamp::from_milliseconds(1_000),
            signed_at: Some(Timestamp::from_milliseconds(500)),
            is_revoked: false,
        }
    }

    /// A file whose first line has the certificate of serial 2, which revokes serial 1.
    fn newer(directory: &Path, signer: [u8; 32]) -> KeyArgs {
        let owner = KeyPair::from_seed(Role::Root, &[9; 32]);
        let orders = KeyPair::from_seed(Role::Order, &[8; 32]);
        let at = Timestamp::from_milliseconds(0);
        let certificate =
            OrderKeyCertificate { revoked: vec![1], ..OrderKeyCertificate::new(2, &orders, at) };
        let certificate = Envelope::seal(&certificate, &KeyPair::from_seed(Role::Root, &signer), Role::Root);
        let authority = Authority { root: owner.public_key(Role::Root), certificate };
        let file = directory.join("today.tgx");
        std::fs::write(&file, format!("{}\n", json!({ "authority": authority, "endpoint": "x" }))).unwrap();
        KeyArgs { authority: Some(file), revoked: vec![7] }
    }

    #[test]
    fn a_newer_export_says_which_keys_are_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let known = newer(directory.path(), [9; 32]).known().unwrap();
        assert_eq!(known.revoked, [7, 1]);
        let owner = KeyPair::from_seed(Role::Root, &[9; 32]).public_key(Role::Root).fingerprint();
        known.check_owner(Some(owner)).unwrap();
        known.check_owner(Some(Digest::of("another"))).unwrap_err();
        let fresh = HeadKey { serial: 2, ..key() };
        assert!(known.standing(&fresh).starts_with("not revoked as of serial 2"));
        let later = HeadKey { serial: 3, ..key() };
        assert!(known.standing(&later).starts_with("revocation not checked"), "an older export says nothing");
    }

    #[test]
    fn a_certificate_that_the_root_key_did_not_sign_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        newer(directory.path(), [5; 32]).known().unwrap_err();
        std::fs::write(directory.path().join("today.tgx"), "milk\n").unwrap();
        let file = Some(directory.path().join("today.tgx"));
        KeyArgs { authority: file, revoked: Vec::new() }.known().unwrap_err();
    }

    #[test]
    fn a_head_signed_after_the_certificates_end_is_marked() {
        let late = HeadKey { signed_at: Some(Timestamp::from_milliseconds(1_001)), ..key() };
        let said = |key: &HeadKey| lines(key, &Known::default()).join("\n");
        assert!(said(&late).contains("signed after that end"), "{}", said(&late));
        assert!(!said(&key()).contains("signed after that end"));
        let mut document = json!({});
        add(&mut document, Some(&late));
        assert_eq!(document["signed_after_end"], true);
        assert!(said(&key()).contains("serial 1, ends 1970-01-01T00:00:01"), "{}", said(&key()));
    }
}
