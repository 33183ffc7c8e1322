//! Which name servers this machine asks (resolv.conf(5)).

use std::fs;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// What systemd-resolved asks itself, where `/etc/resolv.conf` names only the resolver on this machine.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
/// Port of DNS.
const PORT: u16 = 53;
/// Most servers read; the C library asks three.
const SERVERS_MAX: usize = 8;
/// Most search domains read.
const DOMAINS_MAX: usize = 16;

/// What the machine does with a name.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::probes) struct Resolver {
    /// In the order asked. Empty: the C library asks this machine itself.
    pub(in crate::probes) servers: Vec<IpAddr>,
    /// Whom the first of them asks, where it is systemd-resolved on this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::probes) upstream_servers: Vec<IpAddr>,
    /// Domains that are tried behind a short name.
    pub(in crate::probes) search_domains: Vec<String>,
}

impl Resolver {
    /// Where to send a question.
    pub(in crate::probes) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| SocketAddr::new(*server, PORT)).collect()
    }
}

/// Reads the machine's settings; what cannot be read stays empty.
pub(in crate::probes) fn resolver() -> Resolver {
    let mut resolver = read(&fs::read_to_string(RESOLV_CONF).unwrap_or_default());
    if resolver.servers.iter().any(IpAddr::is_loopback) {
        resolver.upstream_servers = read(&fs::read_to_string(BEHIND_RESOLVED).unwrap_or_default()).servers;
    }
    resolver
}

fn read(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                // A scope behind an address of version 6 names an interface.
                let address: Option<IpAddr> =
                    words.next().and_then(|word| word.split('%').next()?.parse().ok());
                resolver.servers.extend(address);
            }
            // The last of several lines counts.
            Some("search" | "domain") => {
                resolver.search_domains = words.take(DOMAINS_MAX).map(str::to_owned).collect();
            }
            Some(_) | None => {}
        }
    }
    resolver.servers.truncate(SERVERS_MAX);
    resolver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_domains_are_read_and_the_rest_is_not() {
        let text = "# nameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\n\
                    search old\nsearch plant example.com\noptions ndots:2\n";
        let resolver = read(text);
        assert_eq!(resolver.servers, [IpAddr::from([10, 0, 0, 1]), "fe80::1".parse().unwrap()]);
        assert_eq!(resolver.search_domains, ["plant", "example.com"]);
        assert_eq!(resolver.addresses()[0].to_string(), "10.0.0.1:53");
        assert_eq!(read(&"nameserver 10.0.0.1\n".repeat(99)).servers.len(), SERVERS_MAX);
    }
}
