//! The root key's side, which needs no data directory: it may run on a computer that has never seen a network.

use std::path::PathBuf;

use anyhow::bail;
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{Authority, PROTOCOL_VERSION};

use super::super::{place, root_key};
use super::{OrderKey, Request, check, files, unusable};
use crate::clock;

/// How far the clocks of the control plane and of the signing computer, which may be offline, may differ.
const SLACK: Milliseconds = Milliseconds::from_days(1);

/// What is signed, and what the signer knows of it from the control plane itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOptions {
    /// The request.
    pub request: PathBuf,
    /// The root key.
    pub root_key: PathBuf,
    /// Where the answer is written.
    pub answer: PathBuf,
    /// The fingerprint of the request, as the control plane showed it. Another request is not signed.
    pub fingerprint: Digest,
    /// The longest that orders may be obeyed.
    pub valid_for_max: Milliseconds,
    /// The serial, where it is not the one that follows the key in use.
    pub serial: Option<u64>,
}

/// Signs a request with the root key and writes the certificate to the file of the answer.
///
/// # Errors
///
/// When a file cannot be read or written, or the request is not the one that the control plane showed, is for another
/// root key, or asks for something that the signer did not name.
pub fn sign(options: &SignOptions) -> anyhow::Result<OrderKey> {
    place::check(&options.answer, None, "--answer")?;
    let asked: Request = files::read(&options.request)?;
    check_request(&asked, options, clock::now())?;
    let authority = certify(&asked, &root_key::read(&options.root_key)?)?;
    files::write(&options.answer, &authority.certificate)?;
    Ok(OrderKey { is_current: true, ..OrderKey::of(&asked.certificate) })
}

fn check_request(asked: &Request, options: &SignOptions, now: Timestamp) -> anyhow::Result<()> {
    let file = options.request.display();
    if asked.tidegate_order_key_request != files::VERSION || asked.certificate.v != PROTOCOL_VERSION {
        bail!(unusable(format!(
            "the request `{file}` was made by another version of tidegate than this one"
        )));
    }
    if asked.fingerprint() != options.fingerprint {
        bail!(Obstructed::new(
            Obstacle::OrderKeyUnusable,
            // Its own fingerprint is not shown: copied from here, it would prove nothing.
            format!(
                "the request `{file}` is not the one whose fingerprint was named: it may have been swapped"
            ),
            "name with --fingerprint what the control plane shows of its pending request, and bring that request again; \
             nothing was signed:\ntidegate admin order-key list --data DIR",
        ));
    }
    let certificate = &asked.certificate;
    if options.serial.unwrap_or(asked.in_use + 1) != certificate.serial {
        bail!(not_named(
            format!(
                "the request is for order key {}, and order key {} is in use",
                certificate.serial, asked.in_use
            ),
            &format!("--serial {}", certificate.serial),
        ));
    }
    check::dates(certificate, now, SLACK)?;
    let life = certificate.not_after.since(certificate.issued_at);
    let life_max = options.valid_for_max;
    if life > life_max || certificate.not_after.since(now).0 > life_max.0.saturating_add(SLACK.0) {
        let days = life.0.div_ceil(Milliseconds::from_days(1).0);
        bail!(not_named(
            format!("the request is for orders until {}", certificate.not_after),
            &format!("--valid-days {days}"),
        ));
    }
    Ok(())
}

/// What a request asks for beyond what is usual.
fn not_named(what: String, option: &str) -> Obstructed {
    let next = format!("if that is meant, repeat the command with {option}; nothing was signed");
    Obstructed::new(Obstacle::OrderKeyUnusable, what, next)
}

/// The certificate that was asked for, signed by the root key made from `seed`.
pub(super) fn certify(request: &Request, seed: &[u8; 32]) -> anyhow::Result<Authority> {
    let (keys, root) = root_keys(seed);
    if request.root != root {
        bail!(unusable(format!(
            "the request is for the root key {}, and this one is {}",
            request.root.fingerprint(),
            root.fingerprint()
        )));
    }
    check::serial(request.certificate.serial, request.in_use)?;
    check::revocations(&request.certificate)?;
    let authority = Authority { root, certificate: Envelope::seal(&request.certificate, &keys, Role::Root) };
    if authority.open().is_err() {
        bail!(unusable("the request asks for a certificate that no machine would take".into()));
    }
    Ok(authority)
}

/// The root key as a signer.
pub(super) fn root_keys(seed: &[u8; 32]) -> (KeyPair, PublicKey) {
    let keys = KeyPair::from_seed(Role::Root, seed);
    let public = keys.public_key(Role::Root);
    (keys, public)
}
