//! What an operator chooses when the control plane starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate_web::PublicUrl;

use crate::net::ProxyNetwork;

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
    /// Where people reach the control plane, behind a proxy or under a name: links and commands lead there, and the
    /// console answers nowhere else. `None`: the listener's addresses, `localhost`, and the names in the certificate.
    pub public_url: Option<PublicUrl>,
    /// Proxies that may name the sender of a request.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// Whether each connection of theirs begins with a PROXY header.
    pub proxy_protocol: bool,
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
        Self {
            data: data.into(),
            listen,
            runtime_listen: None,
            tls: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            reserve_bytes,
            log_format,
        }
    }

    /// Addresses that others can reach at which what people and machines send can be read on the way.
    pub(crate) fn open_to_all(&self) -> Vec<SocketAddr> {
        let is_protected = self.tls.is_some() || self.public_url.as_ref().is_some_and(PublicUrl::is_https);
        let addresses = [Some(self.listen), self.runtime_listen].into_iter().flatten();
        addresses.filter(|address| !is_protected && !address.ip().is_loopback()).collect()
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
