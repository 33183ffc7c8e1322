//! Whom to believe: the machine's roots and a private CA beside them, and when a certificate's dates are judged.
//!
//! A machine in 1970 must still connect to learn the time (design, section 7). Until the control plane's signed time
//! is known in this start of the machine, a certificate whose dates alone are wrong is let through and the connection
//! is good for asking the time and nothing else. From then on dates are judged by that time, whatever the machine's
//! clock shows.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tidegate_core::time::Timestamp;

use super::NetError;
use crate::clock;

/// Dates of a chain are looked for in so many steps: each certificate has two.
const DATE_STEPS_MAX: usize = 8;

/// The time that certificates are judged by.
#[derive(Debug, Default)]
pub(crate) struct TlsClock(Mutex<Option<Confirmed>>);

#[derive(Clone, Copy, Debug)]
struct Confirmed {
    time: Timestamp,
    monotonic_ms: u64,
}

impl TlsClock {
    /// Takes in that it is `time` now, by the control plane's signature.
    pub(crate) fn confirm(&self, time: Timestamp) {
        let confirmed = Confirmed { time, monotonic_ms: clock::monotonic_ms() };
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(confirmed);
    }

    fn confirmed(&self) -> Option<Timestamp> {
        let confirmed = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        confirmed.map(|Confirmed { time, monotonic_ms }| {
            let since = clock::monotonic_ms().saturating_sub(monotonic_ms);
            time.shifted_by_ms(i64::try_from(since).unwrap_or(i64::MAX))
        })
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = self.confirmed().unwrap_or_else(clock::wall);
        let since_epoch = u64::try_from(now.milliseconds()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(since_epoch)))
    }
}

/// Whom this machine believes, and by what time.
pub(crate) struct Trust {
    strict: Arc<ClientConfig>,
    lenient: Arc<ClientConfig>,
    verifier: Arc<DateTolerant>,
    clock: Arc<TlsClock>,
}

/// How one connection is judged.
pub(crate) struct Judgement {
    /// What TLS is set up with.
    pub(crate) config: Arc<ClientConfig>,
    verifier: Option<Arc<DateTolerant>>,
}

impl Judgement {
    /// Whether the certificate's dates do not fit the clock: then the connection serves to ask the time.
    pub(crate) fn is_time_only(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| verifier.were_dates_wrong.load(Ordering::SeqCst))
    }

    /// Whether it was the machine's own clock that the dates were held against.
    pub(crate) fn is_by_clock(&self) -> bool {
        self.verifier.is_some()
    }
}

impl Trust {
    /// Trusts the machine's roots, and `ca_pem` beside them.
    ///
    /// # Errors
    ///
    /// When the PEM does not read, or nothing at all is trusted.
    pub(crate) fn new(ca_pem: Option<&str>, clock: Arc<TlsClock>) -> Result<Self, NetError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(ca_pem)?);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| NetError::NoRoots(error.to_string()))?;
        let verifier =
            Arc::new(DateTolerant { inner: Arc::clone(&webpki), were_dates_wrong: AtomicBool::new(false) });
        let config = |verifier: Arc<dyn ServerCertVerifier>| {
            let details: Arc<dyn TimeProvider> = clock.clone();
            let versions = ClientConfig::builder_with_details(Arc::clone(&provider), details)
                .with_safe_default_protocol_versions()
                .map_err(|error| NetError::NoRoots(error.to_string()))?;
            let mut config =
                versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok::<_, NetError>(config)
        };
        let strict = config(webpki)?;
        let mut lenient = config(verifier.clone())?;
        // A resumed session is not verified again: what was let through once must not come back so.
        lenient.resumption = Resumption::disabled();
        Ok(Self { strict: Arc::new(strict), lenient: Arc::new(lenient), verifier, clock })
    }

    /// How the next connection is judged.
    pub(crate) fn judge(&self) -> Judgement {
        if self.clock.confirmed().is_some() {
            return Judgement { config: Arc::clone(&self.strict), verifier: None };
        }
        self.verifier.were_dates_wrong.store(false, Ordering::SeqCst);
        Judgement { config: Arc::clone(&self.lenient), verifier: Some(Arc::clone(&self.verifier)) }
    }
}

fn roots(ca_pem: Option<&str>) -> Result<RootCertStore, NetError> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(pem) = ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let unreadable =
                |problem: String| NetError::NoRoots(format!("the private CA does not read: {problem}"));
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
    }
    if roots.is_empty() {
        let problem = native.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        return Err(NetError::NoRoots(problem));
    }
    Ok(roots)
}

/// Says what a failed handshake with `host` means.
pub(crate) fn handshake_error(host: &str, error: &std::io::Error) -> NetError {
    let host = host.to_owned();
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return NetError::Tls { host, problem: error.to_string() };
    };
    let rustls::Error::InvalidCertificate(problem) = error else {
        return NetError::Tls { host, problem: error.to_string() };
    };
    match problem {
        CertificateError::Expired => NetError::CertificateExpired { host, when: String::new() },
        CertificateError::ExpiredContext { not_after, .. } => {
            NetError::CertificateExpired { host, when: format!(" on {}", date(*not_after)) }
        }
        CertificateError::NotValidYet => NetError::CertificateNotYetValid { host, when: String::new() },
        CertificateError::NotValidYetContext { not_before, .. } => {
            NetError::CertificateNotYetValid { host, when: format!(" until {}", date(*not_before)) }
        }
        CertificateError::NotValidForName => NetError::CertificateName { host, names: String::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let presented: Vec<_> =
                presented.iter().take(4).map(|name| name.chars().take(100).collect()).collect();
            let names = if presented.is_empty() {
                String::new()
            } else {
                format!("; it is for {}", names(&presented))
            };
            NetError::CertificateName { host, names }
        }
        CertificateError::UnknownIssuer => {
            let problem = "nobody this machine trusts signed it (unknown issuer)".to_owned();
            NetError::CertificateUntrusted { host, problem }
        }
        CertificateError::BadSignature => {
            let problem =
                "another key signed it than that of the CA it names (was the CA made anew?)".to_owned();
            NetError::CertificateUntrusted { host, problem }
        }
        other => NetError::CertificateUntrusted { host, problem: other.to_string() },
    }
}

fn names(presented: &[String]) -> String {
    let clean = |name: &String| {
        let inner = name.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")")).unwrap_or(name);
        format!("`{}`", inner.escape_debug())
    };
    presented.iter().map(clean).collect::<Vec<_>>().join(", ")
}

fn date(at: UnixTime) -> String {
    let ms = i64::try_from(at.as_secs()).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000);
    let text = Timestamp::from_milliseconds(ms).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// Verifies as usual, and where only dates stand against a chain, at a date that fits it.
struct DateTolerant {
    inner: Arc<WebPkiServerVerifier>,
    were_dates_wrong: AtomicBool,
}

impl fmt::Debug for DateTolerant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DateTolerant").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for DateTolerant {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut at = now;
        for _ in 0..DATE_STEPS_MAX {
            let verdict = self.inner.verify_server_cert(leaf, intermediates, name, ocsp, at);
            let fitting = match &verdict {
                Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) => *not_after,
                Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) => *not_before,
                Ok(_) | Err(_) => return verdict,
            };
            self.were_dates_wrong.store(true, Ordering::SeqCst);
            at = fitting;
        }
        Err(CertificateError::Expired.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
