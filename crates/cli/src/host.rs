//! What this program asks of the control plane's own crate and of the verifier: everything that is not a
//! request to an API. One function each, so that the commands do not know who answers.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tidegate_core::api::TokenLife;
use tidegate_core::digest::Digest;
use tidegate_core::verify::{AuditReport, AuditVerifier, Report, Verifier};
pub(crate) use tidegate_server::admin::{BackupContents, Keys, Protection, RestoreOptions, Restored};
pub(crate) use tidegate_server::{ProxyNetwork, PublicUrl};

/// What `serve` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServeOptions {
    /// The data directory.
    pub data: PathBuf,
    /// Where people and, without `runtime_listen`, runtimes are listened to.
    pub listen: SocketAddr,
    /// Where runtimes alone are listened to.
    pub runtime_listen: Option<SocketAddr>,
    /// Certificate chain and private key as PEM files; `None`: plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where people reach it; `None`: where it listens.
    pub public_url: Option<PublicUrl>,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// Whether they begin connections with a PROXY header.
    pub proxy_protocol: bool,
    /// Bytes of the disk that are kept from new work.
    pub reserve_bytes: u64,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What `admin owner` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerOptions {
    /// The data directory; made where it does not exist.
    pub data: PathBuf,
    /// The owner's e-mail address.
    pub email: String,
    /// Where the root key is written or, if the file exists, read; `None`:
    /// `tidegate-root-key.pem` in the working directory.
    pub root_key: Option<PathBuf>,
    /// Where people will reach the control plane, for the sign-in link.
    pub url: String,
}

/// What `admin owner` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The one-time sign-in link.
    pub sign_in_link: String,
    /// Where the root key is.
    pub root_key: PathBuf,
    /// The root key's fingerprint.
    pub root_fingerprint: Digest,
}

/// Runs the control plane until it is asked to stop.
///
/// # Errors
///
/// What kept it from starting or made it end.
pub(crate) async fn serve(options: ServeOptions) -> Result<()> {
    let tls = options.tls.map(|(cert, key)| tidegate_server::TlsFiles { cert, key });
    let log_format = match options.log_format {
        LogFormat::Text => tidegate_server::LogFormat::Text,
        LogFormat::Json => tidegate_server::LogFormat::Json,
    };
    let options = tidegate_server::ServeOptions {
        data: options.data,
        listen: options.listen,
        runtime_listen: options.runtime_listen,
        tls,
        public_url: options.public_url,
        trusted_proxies: options.trusted_proxies,
        proxy_protocol: options.proxy_protocol,
        reserve_bytes: options.reserve_bytes,
        log_format,
    };
    tidegate_server::run(options).await
}

/// Makes the owner.
///
/// # Errors
///
/// Where there is one already, or the data directory or root key cannot be written.
pub(crate) fn create_owner(options: &OwnerOptions) -> Result<Owner> {
    let root_key = options.root_key.clone().unwrap_or_else(|| PathBuf::from("tidegate-root-key.pem"));
    let made = tidegate_server::admin::create_owner(&tidegate_server::admin::OwnerOptions {
        data: options.data.clone(),
        email: options.email.clone(),
        root_key,
        url_hint: Some(options.url.clone()),
    })?;
    let tidegate_server::admin::Owner { sign_in_link, root_key, root_fingerprint } = made;
    Ok(Owner { sign_in_link, root_key, root_fingerprint })
}

/// Makes an API token of the person with the address `email`.
///
/// # Errors
///
/// Where there is no such person, or the data directory cannot be written.
pub(crate) fn create_token(data: &Path, email: &str, life: TokenLife) -> Result<String> {
    tidegate_server::admin::create_token(data, email, life)
}

/// Makes a sign-in link of the person with the address `email`, who reaches the control plane at `url`.
///
/// # Errors
///
/// Where there is no such person, or the data directory cannot be written.
pub(crate) fn create_sign_in_link(data: &Path, email: &str, url: &str) -> Result<String> {
    tidegate_server::admin::create_sign_in_link(data, email, url)
}

/// Writes a consistent copy of the data directory to `out`, also while `serve` runs, and answers what the file holds.
///
/// # Errors
///
/// Where either cannot be read or written, or a recipient is none.
pub(crate) fn backup(data: &Path, out: &Path, protection: &Protection) -> Result<BackupContents> {
    tidegate_server::admin::backup(data, out, protection)
}

/// Restores the data directory from a backup and closes every order log (R9). A database that was there is kept
/// beside it: the answer says where.
///
/// # Errors
///
/// Where either cannot be read or written, the directory is in use, or the backup cannot be decrypted or has no keys.
pub(crate) fn restore(data: &Path, options: &RestoreOptions) -> Result<Restored> {
    tidegate_server::admin::restore(data, options)
}

/// Verifies an export of the audit log with nothing but the file, as [`verify`] does.
///
/// # Errors
///
/// Where the file cannot be read; what is wrong in it is in the report.
pub(crate) fn verify_audit(
    mut export: impl Read,
    root: Option<Digest>,
    revoked: Vec<u64>,
) -> io::Result<AuditReport> {
    let mut verifier = AuditVerifier::new(root).with_revoked(revoked);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match export.read(&mut piece) {
            Ok(0) => return Ok(verifier.finish()),
            Ok(count) => verifier.feed(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Verifies an export with nothing but the file, and where they are given the fingerprint of the owner's root
/// key and the serials of order keys that were revoked.
///
/// # Errors
///
/// Where the file cannot be read; what is wrong in it is in the report.
pub(crate) fn verify(mut export: impl Read, root: Option<Digest>, revoked: Vec<u64>) -> io::Result<Report> {
    let mut verifier = Verifier::new(root).with_revoked(revoked);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match export.read(&mut piece) {
            Ok(0) => return Ok(verifier.finish()),
            Ok(count) => verifier.feed(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
