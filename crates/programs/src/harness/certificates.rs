//! A private CA in a directory of its own, and certificates of every kind from it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tidegate_core::day::UtcDay;
use tidegate_core::time::Timestamp;
use tidegate_server::TlsFiles;

/// A private CA.
pub struct Certificates {
    directory: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    ca_pem: String,
    issued: std::cell::Cell<usize>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From yesterday, for thirty days.
    Now,
    /// It ended in the year 2020.
    Past,
    /// It begins in the year 2090.
    Future,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificates").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Makes a CA called `name`; its certificate is the file `NAME-ca.pem` in `directory`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub fn new(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, name);
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let ca_pem = issuer.pem();
        let certificates =
            Self { directory: directory.to_owned(), issuer, ca_pem, issued: std::cell::Cell::new(0) };
        std::fs::write(directory.join(format!("{name}-ca.pem")), &certificates.ca_pem)?;
        Ok(certificates)
    }

    /// The CA's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The file with the CA's certificate.
    pub fn ca_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-ca.pem"))
    }

    /// Issues a certificate for `names`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub fn issue(&self, names: &[&str], validity: Validity) -> anyhow::Result<TlsFiles> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut leaf = CertificateParams::new(names)?;
        set_span(&mut leaf, validity)?;
        let key = KeyPair::generate()?;
        let leaf = leaf.signed_by(&key, &self.issuer)?;
        self.issued.set(self.issued.get() + 1);
        let file = |kind: &str| self.directory.join(format!("{kind}-{}.pem", self.issued.get()));
        let files = TlsFiles { cert: file("certificate"), key: file("key") };
        std::fs::write(&files.cert, leaf.pem())?;
        std::fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

fn set_span(leaf: &mut CertificateParams, validity: Validity) -> anyhow::Result<()> {
    (leaf.not_before, leaf.not_after) = match validity {
        Validity::Now => {
            let (yesterday, later) = (day(-1)?, day(30)?);
            (
                rcgen::date_time_ymd(yesterday.0, yesterday.1, yesterday.2),
                rcgen::date_time_ymd(later.0, later.1, later.2),
            )
        }
        Validity::Past => (rcgen::date_time_ymd(2019, 1, 1), rcgen::date_time_ymd(2020, 1, 1)),
        Validity::Future => (rcgen::date_time_ymd(2090, 1, 1), rcgen::date_time_ymd(2091, 1, 1)),
    };
    Ok(())
}

/// Year, month and day, so many days from today.
fn day(from_today: i64) -> anyhow::Result<(i32, u8, u8)> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let at_ms = i64::try_from(since.as_millis())? + from_today * 86_400_000;
    let text = UtcDay::of(Timestamp::from_milliseconds(at_ms)).to_string();
    let mut parts = text.split('-');
    let mut next = || parts.next().context("a day has three parts");
    Ok((next()?.parse()?, next()?.parse()?, next()?.parse()?))
}
