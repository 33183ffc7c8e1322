//! Whom a request is from when proxies stand in front: the last address that no trusted proxy vouches for itself.
//!
//! A header proves nothing; only that a trusted proxy passed it on. So it counts when the connection comes from one, and
//! is read from its end, where the nearest proxy wrote. Everything to the left of the first address that is no trusted
//! proxy may be invented.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies in a row that are followed.
const HOPS_MAX: usize = 32;

/// An address or a network whose proxies are believed, such as `10.0.0.0/8` or `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an address such as `127.0.0.1`, or a network such as `10.0.0.0/8`")]
pub struct InvalidProxyNetwork;

impl FromStr for ProxyNetwork {
    type Err = InvalidProxyNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidProxyNetwork> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(|_| InvalidProxyNetwork)
    }
}

/// An unknown sender: all of them share one limit.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(pub(crate) Vec<ProxyNetwork>);

impl Proxies {
    /// Whether a proxy at `address` is believed.
    pub(super) fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// Whom a request with these headers is from, whose connection comes from `peer`.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trust(peer) {
            return peer;
        }
        let plain = headers.contains_key(X_FORWARDED_FOR).then(|| self.last(peer, &plain_hops(headers)));
        let standard = headers.contains_key(FORWARDED).then(|| self.last(peer, &standard_hops(headers)));
        match (plain, standard) {
            (Some(one), Some(other)) if one == other => one,
            // The proxy writes one of them and passes the other on as the sender made it up: neither is believed. Nor is it
            // the proxy itself that asks, which may be this computer and not be limited.
            (Some(_), Some(_)) => UNKNOWN,
            (None, None) => peer,
            (Some(address), None) | (None, Some(address)) => address,
        }
    }

    /// The last of `hops` that is no trusted proxy. A hop that does not name an address ends the search: who stands
    /// behind it is unknown.
    fn last(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut last = if peer.is_loopback() { UNKNOWN } else { peer };
        for hop in hops.iter().rev().take(HOPS_MAX) {
            match hop {
                Some(address) if self.trust(*address) => last = *address,
                Some(address) => return *address,
                None => return last,
            }
        }
        last
    }
}

fn plain_hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(X_FORWARDED_FOR).iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    texts.flat_map(|text| text.split(',')).map(|hop| address(hop.trim())).collect()
}

/// The `for` of each element (RFC 7239, section 4).
fn standard_hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FORWARDED).iter();
    let texts = values.map(|value| value.to_str().unwrap_or_default());
    texts
        .flat_map(|text| split(text, ','))
        .map(|element| {
            let mut pairs = split(element, ';').into_iter().filter_map(|pair| pair.trim().split_once('='));
            let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
            address(node.trim().trim_matches('"'))
        })
        .collect()
}

/// Splits at `at` outside of quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut is_quoted = false;
    let outside = |letter: char| {
        is_quoted ^= letter == '"';
        letter == at && !is_quoted
    };
    text.split(outside).collect()
}

/// An address with a port or without; IPv6 in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"];
        let proxies = Proxies(trusted.map(|text| text.parse().unwrap()).to_vec());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_whom_a_request_is_from() {
        let says = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client("10.0.0.1", &says), "192.0.2.1");
        assert_eq!(client("127.0.0.1", &says), "192.0.2.1");
        assert_eq!(client("2001:db8:ffff::1", &says), "192.0.2.1");
        assert_eq!(client("192.0.2.9", &says), "192.0.2.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_sender_wrote_before_the_proxy_did_is_not_believed() {
        for value in [
            "1.1.1.1, 192.0.2.1",
            "1.1.1.1,192.0.2.1, 10.0.0.7",
            "garbage, \\xff, 192.0.2.1",
            "192.0.2.1:4711",
        ] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", value)]), "192.0.2.1", "{value}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client("10.0.0.1", &lines), "192.0.2.1", "the last line counts");
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes_and_ports() {
        for value in [
            "for=192.0.2.1",
            "For=\"192.0.2.1:4711\";proto=https;by=10.0.0.1",
            "for=1.1.1.1, for=192.0.2.1",
            "by=\"a,for=1.1.1.1;b\"; for=192.0.2.1, for=10.0.0.9",
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", value)]), "192.0.2.1", "{value}");
        }
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=\"[2001:db8::7]:4711\"")]), "2001:db8::7");
    }

    #[test]
    fn garbage_leads_back_to_the_proxy_itself() {
        for value in
            ["", "unknown", "_hidden", "192.0.2.1, unknown", "999.1.1.1", "1.1.1", "[::1", "10.0.0.1:x"]
        {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", value)]), "10.0.0.1", "{value}");
        }
        for value in
            ["for", "for=", "for=_x", "proto=https", "for=\"192.0.2.1", ";;;,,,", "for=192.0.2.1, by=x"]
        {
            let read = client("10.0.0.1", &[("forwarded", value)]);
            assert!(read == "10.0.0.1" || value == "for=\"192.0.2.1", "{value}: {read}");
        }
        let all_trusted = ["10.0.0.9"; 40].join(",");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &all_trusted)]), "10.0.0.9");
    }

    #[test]
    fn two_headers_that_differ_are_both_disbelieved() {
        let both = |one, other| client("10.0.0.1", &[("x-forwarded-for", one), ("forwarded", other)]);
        assert_eq!(both("192.0.2.1", "for=1.1.1.1"), "0.0.0.0");
        let local = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(client("127.0.0.1", &local), "0.0.0.0", "nobody becomes this computer by a header");
        assert_eq!(both("192.0.2.1", "for=192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        assert_eq!("10.1.2.3/8".parse::<ProxyNetwork>(), "10.0.0.0/8".parse());
        for text in ["", "10.0.0.0/33", "proxy.example", "10.0.0.0/", "::/129"] {
            assert!(text.parse::<ProxyNetwork>().is_err(), "{text}");
        }
    }
}
