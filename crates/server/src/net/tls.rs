//! TLS from PEM files, with ring: the provider is named here and never taken from the process.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tokio_rustls::TlsAcceptor;

use crate::options::TlsFiles;

/// Reads the files and speaks TLS 1.2 and 1.3, offering HTTP/2 first.
///
/// # Errors
///
/// When a file does not read, or the key is not the certificate's.
pub(crate) fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    read(files).map_err(|error| {
        let (cert, key) = (files.cert.display(), files.key.display());
        error.context(Obstructed::new(
            Obstacle::TlsFilesUnusable,
            format!("TLS cannot be spoken with the certificate `{cert}` and the key `{key}`"),
            "name two PEM files that this user may read: with --tls-cert the certificate, then those between it and the \
             root; with --tls-key the private key of that certificate",
        ))
    })
}

fn read(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("failed to read a private key from `{}`", files.key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("failed to set up TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("failed to use the certificate `{}` with its key", files.cert.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A runtime that comes back over a metered line resumes instead of being sent the chain again.
    config.ticketer = ring::Ticketer::new().context("failed to set up TLS tickets")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let chain = read().with_context(|| format!("failed to read certificates from `{}`", file.display()))?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in `{}`", file.display());
    Ok(chain)
}
