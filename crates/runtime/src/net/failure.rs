//! Every way in which the path can fail, in words a technician can act on.

use std::io;
use std::net::SocketAddr;

use tidegate_core::obstacle::Obstacle;

/// Why there is no path. The text says what happened; [`obstacle`](Self::obstacle) is for programs and `docs/errors.md`;
/// [`remedy`](Self::remedy) says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetError {
    /// The name has no address here.
    #[error("the name `{host}` could not be resolved: {cause}")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// Nobody took the connection.
    #[error("no connection to {place}: {cause}")]
    Connect {
        /// Host and port, and the addresses tried.
        place: String,
        /// What the system said of the last one.
        cause: io::Error,
    },
    /// Nobody answered.
    #[error("no connection to {place}: nobody answered within {seconds} s")]
    ConnectTimeout {
        /// Host and port.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The proxy itself cannot be reached.
    #[error("the proxy {proxy}, named by {setting}, cannot be reached: {cause}")]
    ProxyUnreachable {
        /// Its address, without a password.
        proxy: String,
        /// The variable that names it.
        setting: String,
        /// Why.
        cause: Box<NetError>,
    },
    /// The setting does not read.
    #[error("the proxy setting {setting} does not read: {problem}")]
    ProxySetting {
        /// The variable.
        setting: String,
        /// What is wrong.
        problem: String,
    },
    /// The proxy wants to know who asks.
    #[error("the proxy {proxy} wants authentication ({wants}){tried}")]
    ProxyAuthentication {
        /// Its address, without a password.
        proxy: String,
        /// The schemes it offers: `Basic`, `NTLM`, …
        wants: String,
        /// Whether a name and password were sent already.
        tried: &'static str,
        /// Whether Basic is among what it offers.
        takes_basic: bool,
    },
    /// The proxy will not, or cannot, connect.
    #[error("the proxy {proxy} did not connect to {target}: it answered `{answer}`")]
    ProxyRefused {
        /// Its address, without a password.
        proxy: String,
        /// Host and port asked for.
        target: String,
        /// Its status line.
        answer: String,
    },
    /// What listens there does not speak as a proxy does.
    #[error("what listens at {proxy} is not an HTTP proxy: {problem}")]
    ProxyStrange {
        /// Its address, without a password.
        proxy: String,
        /// What was wrong.
        problem: String,
    },
    /// Nobody this machine trusts signed the certificate.
    #[error("the certificate of {host} is not trusted: {problem}")]
    CertificateUntrusted {
        /// The name asked for.
        host: String,
        /// What the verifier said.
        problem: String,
    },
    /// The certificate is for somebody else.
    #[error("the certificate that answered is not for `{host}`{names}")]
    CertificateName {
        /// The name asked for.
        host: String,
        /// `, it is for …`.
        names: String,
    },
    /// It is over, by trusted time.
    #[error("the certificate of {host} expired{when}")]
    CertificateExpired {
        /// The name asked for.
        host: String,
        /// ` on …`.
        when: String,
    },
    /// It has not begun, by trusted time.
    #[error("the certificate of {host} is not valid yet{when}")]
    CertificateNotYetValid {
        /// The name asked for.
        host: String,
        /// ` until …`.
        when: String,
    },
    /// TLS failed in another way.
    #[error("no TLS with {host}: {problem}")]
    Tls {
        /// The name asked for.
        host: String,
        /// What failed.
        problem: String,
    },
    /// Nothing on this machine says whom to trust.
    #[error("this machine has no trusted certificates: {0}")]
    NoRoots(String),
    /// The connection broke.
    #[error("the connection was cut: {0}")]
    Cut(String),
    /// Nothing came, although the connection stood.
    #[error("no answer within {seconds} s")]
    NoAnswer {
        /// How long was waited.
        seconds: u64,
    },
}

impl NetError {
    /// What it is, by its stable code.
    pub(crate) fn obstacle(&self) -> Obstacle {
        match self {
            Self::Name { .. } => Obstacle::NameNotResolved,
            Self::Connect { .. } => Obstacle::ConnectionRefused,
            Self::ConnectTimeout { .. } => Obstacle::ConnectionTimeout,
            Self::ProxyUnreachable { .. } => Obstacle::ProxyUnreachable,
            Self::ProxySetting { .. } => Obstacle::ProxySetting,
            Self::ProxyAuthentication { .. } => Obstacle::ProxyAuthentication,
            Self::ProxyRefused { .. } => Obstacle::ProxyRefused,
            Self::ProxyStrange { .. } => Obstacle::ProxyStrange,
            Self::CertificateUntrusted { .. } => Obstacle::CertificateUntrusted,
            Self::CertificateName { .. } => Obstacle::CertificateName,
            Self::CertificateExpired { .. } => Obstacle::CertificateExpired,
            Self::CertificateNotYetValid { .. } => Obstacle::CertificateNotYetValid,
            Self::Tls { .. } => Obstacle::TlsFailed,
            Self::NoRoots(_) => Obstacle::NoTrustedCertificates,
            Self::Cut(_) => Obstacle::ConnectionCut,
            Self::NoAnswer { .. } => Obstacle::NoAnswer,
        }
    }

    /// What a person can do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "check the address for a typing error, and this machine's DNS server; behind a proxy set HTTPS_PROXY: then the \
                 proxy resolves the name"
            }
            Self::Connect { .. } => {
                "check the port, and that the control plane is running; a firewall may refuse on its behalf"
            }
            Self::ConnectTimeout { .. } => {
                "a firewall swallows the attempt, or there is no route: check the gateway, the VPN, or set HTTPS_PROXY if \
                 this network has a proxy"
            }
            Self::ProxyUnreachable { .. } => {
                "check HTTPS_PROXY, or name the control plane in NO_PROXY if no proxy is needed"
            }
            Self::ProxySetting { .. } => "write HTTPS_PROXY as http://name:password@proxy.example:3128",
            Self::ProxyAuthentication { takes_basic: true, .. } => {
                "set HTTPS_PROXY=http://name:password@… with a name and password that the proxy knows"
            }
            Self::ProxyAuthentication { takes_basic: false, .. } => {
                "only Basic is spoken: ask for an exception for this machine or this address, or for a proxy account with \
                 Basic"
            }
            Self::ProxyRefused { .. } => {
                "ask who runs the proxy to allow CONNECT to this host and port for this machine"
            }
            Self::ProxyStrange { .. } => {
                "check host and port in HTTPS_PROXY: an HTTP proxy must listen there"
            }
            Self::CertificateUntrusted { .. } => {
                "if the control plane, or a proxy that inspects TLS, has a private CA, give its certificate with `enrol --ca \
                 FILE`"
            }
            Self::CertificateName { .. } => {
                "use a name that the certificate has, or give the control plane a certificate for this one"
            }
            Self::CertificateExpired { .. } => "renew the control plane's certificate",
            Self::CertificateNotYetValid { .. } => {
                "check the clock of whoever issued the control plane's certificate"
            }
            Self::Tls { .. } => "check that TLS is spoken at this port, and nothing in between changes it",
            Self::NoRoots(_) => {
                "install the package `ca-certificates`, or give a private CA with `enrol --ca FILE`"
            }
            Self::Cut(_) => {
                "nothing, if it is rare: it is tried again; often means a proxy or firewall cuts connections"
            }
            Self::NoAnswer { .. } => {
                "nothing, if it is rare: it is tried again; else the path swallows what is sent"
            }
        }
    }

    /// For the end of a connection to `place`.
    pub(crate) fn connect(host: &str, addresses: &[SocketAddr], cause: io::Error) -> Self {
        let tried: Vec<_> = addresses.iter().take(4).map(ToString::to_string).collect();
        let port = addresses.first().map_or(0, SocketAddr::port);
        let is_address = tried.first().is_some_and(|first| first.contains(host));
        let place =
            if is_address { tried.join(", ") } else { format!("{host}:{port} ({})", tried.join(", ")) };
        Self::Connect { place, cause }
    }
}
