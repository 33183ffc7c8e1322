//! TLS from PEM files, with ring: the provider is named here and never taken from the process.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tokio_rustls::TlsAcceptor;

use crate::options::TlsFiles;

/// TLS with a certificate that can be renewed while connections are served.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Current>,
    /// The files as they were last read, well or not.
    seen: Mutex<Stamps>,
}

struct Current {
    acceptor: TlsAcceptor,
    leaf: CertificateDer<'static>,
}

/// What tells a file from the one that was there before.
type Stamp = (SystemTime, u64, u64);
type Stamps = [Option<Stamp>; 2];

impl Tls {
    /// Reads the files and speaks TLS 1.2 and 1.3, offering HTTP/2 first.
    ///
    /// # Errors
    ///
    /// When a file does not parse, or the key is not the certificate's.
    pub(crate) fn open(files: &TlsFiles) -> anyhow::Result<Self> {
        let seen = stamps(files);
        let current = read(files).map_err(|error| {
            let (cert, key) = (files.cert.display(), files.key.display());
            error.context(Obstructed::new(
                Obstacle::TlsFilesUnusable,
                format!("TLS cannot be spoken with the certificate `{cert}` and the key `{key}`"),
                "name two PEM files that this user may read: with --tls-cert the certificate, then those between it \
                 and the root; with --tls-key the private key of that certificate",
            ))
        })?;
        Ok(Self { files: files.clone(), current: RwLock::new(current), seen: Mutex::new(seen) })
    }

    /// What the next connection is served with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Whether the certificate is for this name.
    pub(crate) fn certifies(&self, name: &str) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(name) = ServerName::try_from(name) else { return false };
        ParsedCertificate::try_from(&current.leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok())
    }

    /// Reads the files again where they changed. What cannot be used is said once, and the certificate before stays:
    /// between a new certificate and its new key the two do not fit, and the next look finds both.
    pub(crate) fn renew(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = stamps(&self.files);
        if *seen == before {
            return;
        }
        let read = read(&self.files);
        if stamps(&self.files) != before {
            // They change right now; the next look reads them whole.
            return;
        }
        *seen = before;
        let (cert, key) = (self.files.cert.display(), self.files.key.display());
        match read {
            Ok(current) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
                tracing::info!(%cert, %key, "the certificate was renewed; new connections use it");
            }
            Err(error) => tracing::error!(
                %cert,
                %key,
                error = format!("{error:#}"),
                "the changed certificate or key cannot be used and the one before stays: put a pair that fits in place"
            ),
        }
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Current")
    }
}

fn read(files: &TlsFiles) -> anyhow::Result<Current> {
    let chain = certificates(&files.cert)?;
    let leaf = chain.first().cloned().context("there is no certificate")?;
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
    Ok(Current { acceptor: TlsAcceptor::from(Arc::new(config)), leaf })
}

fn stamps(files: &TlsFiles) -> Stamps {
    [&files.cert, &files.key].map(|file| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))
    })
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let chain = read().with_context(|| format!("failed to read certificates from `{}`", file.display()))?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in `{}`", file.display());
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(files: &TlsFiles, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        fs::write(&files.cert, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_one_that_does_not_fit_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
        let files = TlsFiles { cert, key };
        write(&files, "one.example");
        let tls = Tls::open(&files).unwrap();
        tls.renew();
        assert!(
            tls.certifies("one.example") && !tls.certifies("two.example") && !tls.certifies("not a name")
        );

        let key = fs::read(&files.key).unwrap();
        write(&files, "second.example");
        let new_key = fs::read(&files.key).unwrap();
        fs::write(&files.key, key).unwrap();
        tls.renew();
        assert!(tls.certifies("one.example"), "the new certificate with the old key");
        fs::write(&files.key, new_key).unwrap();
        tls.renew();
        assert!(tls.certifies("second.example") && !tls.certifies("one.example"));

        fs::write(&files.cert, "garbage").unwrap();
        tls.renew();
        fs::remove_file(&files.cert).unwrap();
        tls.renew();
        assert!(tls.certifies("second.example"), "what cannot be used changes nothing");
        write(&files, "third.example");
        tls.renew();
        assert!(tls.certifies("third.example"));
    }
}
