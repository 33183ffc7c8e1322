//! Where the control plane is, read from what a person typed.

use std::fmt;

use anyhow::{Context as _, bail};
use hyper::Uri;
use tidegate_core::obstacle::{Obstacle, Obstructed};

/// The address of a control plane: scheme, host and port, and a path that goes before every route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    /// Whether the path is TLS.
    pub(crate) is_tls: bool,
    /// The name or address, without brackets.
    pub(crate) host: String,
    /// The port, also where it was not written.
    pub(crate) port: u16,
    base: String,
}

impl ServerAddress {
    /// Reads `https://host[:port][/path]`, or the same with `http`.
    ///
    /// # Errors
    ///
    /// What of it does not read.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim().trim_end_matches('/');
        let wrong = |what: String| {
            Obstructed::new(
                Obstacle::InvalidUrl,
                what,
                "write it as https://tidegate.example or https://host:8443",
            )
        };
        let uri: Uri = text.parse().with_context(|| wrong(format!("`{text}` is not an address")))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(other) => bail!(wrong(format!("`{other}://` is not spoken"))),
            None => bail!(wrong(format!("`{text}` does not say https:// or http://"))),
        };
        let Some(host) = host(uri.host().unwrap_or_default()) else {
            bail!(wrong(format!(
                "`{text}` has something else than an IPv6 address, without a zone, between [ and ]"
            )))
        };
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        if host.is_empty() || authority.contains('@') || uri.query().is_some() {
            bail!(wrong(format!("`{text}` is more or less than scheme, host and port")));
        }
        let Some(port) = port(authority, if is_tls { 443 } else { 80 }) else {
            bail!(wrong(format!("`{text}` does not name a port between 1 and 65535")))
        };
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { is_tls, host, port, base })
    }

    /// Whether it is this very computer.
    pub(crate) fn is_here(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub(crate) fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        if bracketed {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URI of a route.
    ///
    /// # Errors
    ///
    /// Never for the routes of this program.
    pub(crate) fn uri(&self, route: &str) -> anyhow::Result<Uri> {
        Ok(format!("{self}{route}").parse()?)
    }
}

/// A host without the brackets around an IPv6 address; `None`: there is something else in them.
pub(super) fn host(host: &str) -> Option<String> {
    let Some(bracketed) = host.strip_prefix('[') else { return Some(host.to_owned()) };
    let address: std::net::Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
    Some(address.to_string())
}

/// The port that `authority` names, `usual` where it names none; `None`: what it names is no port. `Uri` itself takes
/// one that is too large for none at all.
pub(super) fn port(authority: &str, usual: u16) -> Option<u16> {
    let place = authority.rsplit(['@', ']']).next().unwrap_or_default();
    match place.rsplit_once(':') {
        None | Some((_, "")) => Some(usual),
        Some((_, port)) => port.parse().ok().filter(|port| *port != 0),
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let usual = if self.is_tls { 443 } else { 80 };
        let authority = self.authority();
        let shown =
            if self.port == usual { authority.trim_end_matches(&format!(":{usual}")) } else { &authority };
        write!(formatter, "{scheme}://{shown}{}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_the_same() {
        for (text, authority) in [
            ("https://tidegate.example", "tidegate.example:443"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("https://[fd00::5]:8443/behind", "[fd00::5]:8443"),
            ("https://[::1]", "[::1]:443"),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.authority().as_str()), (text, authority));
        }
        assert_eq!(ServerAddress::parse(" https://a.example/ ").unwrap().to_string(), "https://a.example");
        assert!(ServerAddress::parse("http://[::1]:80").unwrap().is_here());
        assert!(!ServerAddress::parse("http://10.0.0.1").unwrap().is_here());
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_an_example() {
        for text in [
            "",
            "tidegate.example",
            "ftp://a",
            "https://",
            "https://a b",
            "https://u:p@a",
            "https://a?q",
            "https://a:99999",
            "https://a:0x1",
            "https://[fe80::1%25eth0]",
            "https://[::1",
            "https://[]",
            "https://[a]",
            "https://a:0",
        ] {
            let error = ServerAddress::parse(text).expect_err(text);
            let told = error.downcast_ref::<Obstructed>().expect("it says what to do");
            assert!(told.next.contains("https://tidegate.example"), "{text}: {error:#}");
        }
    }
}
