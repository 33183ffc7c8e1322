//! What an operator chooses when the control plane starts.

use std::net::SocketAddr;
use std::path::PathBuf;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The data directory that `admin owner` made.
    pub data: PathBuf,
    /// Where people, and runtimes unless they have a listener of their own, connect. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where runtimes connect; `None`: at `listen` too.
    pub runtime_listen: Option<SocketAddr>,
    /// The certificate and key of both listeners; `None`: plain HTTP, for a loopback address or behind a proxy
    /// that speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Bytes of the data directory's disk that are kept for results, cancels and what else is under way: with less
    /// free, new work is refused; 0: there is no such bound.
    pub reserve_bytes: u64,
    /// How [`serve`](crate::serve) writes the log. Ignored by [`Server::start`](crate::Server::start), whose caller
    /// has a log of its own.
    pub log_format: LogFormat,
}

impl ServeOptions {
    /// Plain HTTP on one listener, with the log as text.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        let reserve_bytes = Self::RESERVE_BYTES;
        let log_format = LogFormat::Text;
        Self { data: data.into(), listen, runtime_listen: None, tls: None, reserve_bytes, log_format }
    }

    /// The reserve unless something else is chosen: the results of some hundred busy machines, of which a check-in
    /// brings 8 MiB at the most.
    pub const RESERVE_BYTES: u64 = 64 << 20;
}

/// The files of a TLS certificate, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and the root.
    pub cert: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC 1.
    pub key: PathBuf,
}

/// How the log is written to standard error. What it holds is chosen by `TIDEGATE_LOG`, in the syntax of
/// `tracing-subscriber`'s `EnvFilter`; without it: `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
