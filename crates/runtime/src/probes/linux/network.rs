//! The machine's network as it is set up.

use super::{addresses, links, resolver, routes};
use crate::probes::network_config::{Network, Proxy};

/// Most interfaces told; machines with containers have many.
const INTERFACES_MAX: usize = 64;
/// Most addresses told.
const ADDRESSES_MAX: usize = 256;
/// Variables that name proxies, in the cases that programs read.
const PROXY_VARIABLES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// Reads everything; what cannot be read is empty.
pub(in crate::probes) fn network() -> Network {
    let mut interfaces = links::links(INTERFACES_MAX);
    for address in addresses::addresses(ADDRESSES_MAX) {
        if let Some(interface) = interfaces.iter_mut().find(|each| each.name == address.interface) {
            interface.addresses.push(format!("{}/{}", address.address, address.prefix));
        }
    }
    let proxies = PROXY_VARIABLES.iter().filter_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(Proxy { variable: (*name).to_owned(), value: without_password(&value) })
    });
    Network {
        interfaces,
        default_routes: routes::default_routes(),
        resolver: resolver(),
        proxies: proxies.collect(),
    }
}

/// Whatever stands before the host: user and password may hold any sign, an `@` included.
fn without_password(value: &str) -> String {
    let (scheme, rest) = value.split_at(value.find("://").map_or(0, |at| at + 3));
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}•••@{host}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_told_without_its_password() {
        assert_eq!(without_password("http://me:s@cret@proxy:3128"), "http://•••@proxy:3128");
        assert_eq!(without_password("me:secret@proxy"), "•••@proxy");
        assert_eq!(without_password("http://proxy:3128"), "http://proxy:3128");
        assert_eq!(without_password("localhost,.plant"), "localhost,.plant");
    }
}
