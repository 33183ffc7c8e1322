//! Whether the machine trusts a server, told in full: the chain is kept and judged, and a wrong one ends the handshake
//! only where the question says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use serde::Serialize;
use tidegate_core::time::Timestamp;

use super::certificate::{self, Certificate};
use crate::clock;

const DAY_MS: i64 = 86_400_000;
/// How many names a reason lists.
const NAMES_SHOWN: usize = 3;

/// What is known of a server's certificate.
#[derive(Clone, Debug, Serialize)]
pub(in crate::probes) struct CertificateFacts {
    pub(in crate::probes) subject: String,
    pub(in crate::probes) issuer: String,
    /// The names and addresses it is for.
    pub(in crate::probes) names: Vec<String>,
    pub(in crate::probes) not_before: Timestamp,
    pub(in crate::probes) not_after: Timestamp,
    /// Whole days until `not_after` by the machine's clock; negative when it is over.
    pub(in crate::probes) days_left: i64,
    pub(in crate::probes) sha256: String,
    /// How many certificates the server sent.
    pub(in crate::probes) chain_length: usize,
    pub(in crate::probes) trusted: bool,
    /// Why not; empty where it is.
    pub(in crate::probes) reasons: Vec<String>,
}

/// Keeps what a server shows.
#[derive(Debug)]
pub(in crate::probes) struct Witness {
    /// `None`: the machine has no roots, and trusts nobody.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    /// Whether a handshake goes on with a server that is not trusted.
    is_lenient: bool,
    shown: Mutex<Option<Shown>>,
}

#[derive(Debug)]
struct Shown {
    chain: Vec<Vec<u8>>,
    verdict: Result<(), Error>,
    has_name: bool,
}

/// The roots that the machine's other programs trust.
pub(in crate::probes) fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl Witness {
    /// A witness for one connection.
    pub(in crate::probes) fn new(roots: RootCertStore, is_lenient: bool) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        Self { inner: builder.build().ok(), provider, is_lenient, shown: Mutex::default() }
    }

    /// What TLS is set up with; HTTP/1.1 is the only protocol offered.
    pub(in crate::probes) fn config(self: &Arc<Self>) -> Result<ClientConfig, Error> {
        let versions = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?;
        let verifier: Arc<dyn ServerCertVerifier> = self.clone();
        let mut config =
            versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// What was seen of the server called `host`; `None`: it showed no certificate, or one that does not read.
    pub(in crate::probes) fn facts(&self, host: &str) -> Option<CertificateFacts> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.as_ref()?;
        let leaf = shown.chain.first()?;
        let certificate = certificate::read(leaf)?;
        let now = clock::wall();
        let reasons = reasons(host, &certificate, shown, now);
        let left_ms = certificate.not_after.milliseconds() - now.milliseconds();
        Some(CertificateFacts {
            sha256: certificate::fingerprint(leaf),
            chain_length: shown.chain.len(),
            days_left: left_ms.div_euclid(DAY_MS),
            trusted: shown.verdict.is_ok(),
            reasons,
            subject: certificate.subject,
            issuer: certificate.issuer,
            names: certificate.names,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        })
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
    ) -> Result<(), Error> {
        let Some(inner) = &self.inner else {
            return Err(Error::General(
                "this machine has no certificates of authorities to trust".to_owned(),
            ));
        };
        // The machine's own clock: what its other programs go by.
        let now_ms = u64::try_from(clock::wall().milliseconds()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
        inner.verify_server_cert(leaf, chain, name, ocsp, now).map(|_| ())
    }
}

/// Everything that is wrong: the dates and the name are looked at by themselves, because a verdict names one thing.
fn reasons(host: &str, certificate: &Certificate, shown: &Shown, now: Timestamp) -> Vec<String> {
    let Err(error) = &shown.verdict else { return Vec::new() };
    let mut reasons = Vec::new();
    if now > certificate.not_after {
        reasons.push(format!("it expired on {}", date(certificate.not_after)));
    }
    if now < certificate.not_before {
        reasons.push(format!("it is not valid before {}", date(certificate.not_before)));
    }
    if !shown.has_name {
        reasons.push(match listed(&certificate.names) {
            names if names.is_empty() => format!("it is not for {host}, and for no other name"),
            names => format!("it is not for {host} but for {names}"),
        });
    }
    if let Some(reason) = of_the_chain(certificate, error) {
        reasons.push(reason);
    }
    if reasons.is_empty() {
        reasons.push(error.to_string());
    }
    reasons
}

/// What is wrong with who signed it; `None`: nothing, or what is looked at by itself.
fn of_the_chain(certificate: &Certificate, error: &Error) -> Option<String> {
    use CertificateError as Wrong;
    match error {
        Error::InvalidCertificate(
            Wrong::Expired
            | Wrong::ExpiredContext { .. }
            | Wrong::NotValidYet
            | Wrong::NotValidYetContext { .. }
            | Wrong::NotValidForName
            | Wrong::NotValidForNameContext { .. },
        ) => None,
        Error::InvalidCertificate(_) if certificate.is_self_issued => Some("it is self-signed".to_owned()),
        Error::InvalidCertificate(Wrong::UnknownIssuer) => {
            Some(format!("nobody this machine trusts signed it (issuer {})", certificate.issuer))
        }
        Error::InvalidCertificate(Wrong::Revoked) => Some("it was revoked".to_owned()),
        Error::InvalidCertificate(Wrong::BadSignature) => Some("its signature is wrong".to_owned()),
        Error::General(words) => Some(words.clone()),
        other => Some(other.to_string()),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `2026-11-23`.
pub(in crate::probes) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge(leaf, intermediates, name, ocsp);
        let parsed = ParsedCertificate::try_from(leaf);
        let has_name = parsed.is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok());
        let chain = std::iter::once(leaf).chain(intermediates).map(|each| each.to_vec()).collect();
        let shown = Shown { chain, verdict: verdict.clone(), has_name };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        match verdict {
            Err(error) if !self.is_lenient => Err(error),
            Ok(()) | Err(_) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
