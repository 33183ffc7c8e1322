//! The root key's side, which needs no data directory: it may run on a computer that has never seen a network.

use std::path::Path;

use anyhow::bail;
use tidegate_core::envelope::Envelope;
use tidegate_core::keys::Role;
use tidegate_core::wire::Authority;

use super::super::root_key;
use super::{OrderKey, Request, files, root_keys, unusable};

/// Signs the request in the file `request` with the root key and writes the certificate to the file `answer`.
///
/// # Errors
///
/// When a file cannot be read or written, or the request is for another root key.
pub fn sign(request: &Path, root_key: &Path, answer: &Path) -> anyhow::Result<OrderKey> {
    let asked: Request = files::read(request)?;
    let authority = certify(&asked, &root_key::read(root_key)?)?;
    files::write(answer, &authority.certificate)?;
    let certificate = asked.certificate;
    Ok(OrderKey {
        serial: certificate.serial,
        fingerprint: certificate.order_key.fingerprint(),
        issued_at: certificate.issued_at,
        not_after: certificate.not_after,
        is_current: true,
        is_revoked: false,
    })
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
    let authority = Authority { root, certificate: Envelope::seal(&request.certificate, &keys, Role::Root) };
    if authority.open().is_err() {
        bail!(unusable("the request asks for a certificate that no machine would take".into()));
    }
    Ok(authority)
}
