//! Where a check may connect: patterns of hosts, networks and ports, and the addresses that hand out a cloud machine's
//! credentials.
//!
//! A pattern is text in a [`Policy`](crate::wire::Policy): `10.20.0.0/16`, `10.20.0.5:502`, `plc7.plant:502`,
//! `[fd00::]/8:80`. A check is judged by the address that it connects to, after the name was resolved.

mod metadata;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

pub use metadata::{is_metadata, is_metadata_name};

/// Longest host name in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Longest label of a host name in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// One pattern of places that a check may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    place: Place,
    /// `None`: every port, and ICMP, which has none.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In lower case, without a final dot.
    Name(String),
    /// Bits after the prefix are zero; never IPv4 written as IPv6.
    Network { address: IpAddr, prefix: u8 },
}

/// Why a text is not a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// The host is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    Host,
    /// A name that a resolver reads as an address, such as `0xA9FEA9FE` or `10.1`.
    #[error("the address is not written in full, such as 10.20.0.5")]
    OddAddress,
    /// The prefix length is none, or stands behind a name.
    #[error("the prefix length is not one of this address")]
    Prefix,
    /// The port is not from 1 to 65535.
    #[error("the port is not from 1 to 65535")]
    Port,
}

impl Destination {
    /// Whether a connection to `address` is covered; `host` is the name that was asked for, or the address as text.
    pub fn covers(&self, host: &str, address: IpAddr, port: Option<u16>) -> bool {
        let is_place = match &self.place {
            Place::Name(name) => *name == plain_name(host),
            Place::Network { address: network, prefix } => {
                contains(*network, *prefix, address.to_canonical())
            }
        };
        is_place && self.covers_port(port)
    }

    /// Whether a connection that a proxy makes to the name `host` is covered.
    pub fn covers_name(&self, host: &str, port: Option<u16>) -> bool {
        matches!(&self.place, Place::Name(name) if *name == plain_name(host)) && self.covers_port(port)
    }

    /// Whether it is this one address, which is how a metadata service is allowed.
    pub fn is_exactly(&self, address: IpAddr, port: Option<u16>) -> bool {
        self.single() == Some(address.to_canonical()) && self.covers_port(port)
    }

    /// Whether it names a metadata service and nothing else.
    pub fn is_metadata(&self) -> bool {
        self.single().is_some_and(is_metadata)
    }

    /// What both cover; `None`: nothing. A name and a network share nothing, because which addresses a name has is
    /// not known here.
    pub fn shared_with(&self, other: &Self) -> Option<Self> {
        let port = match (self.port, other.port) {
            (Some(one), Some(two)) if one != two => return None,
            (Some(port), _) | (None, Some(port)) => Some(port),
            (None, None) => None,
        };
        // A larger network never opens a metadata service.
        if self.is_metadata() != other.is_metadata() {
            return None;
        }
        let place = match (&self.place, &other.place) {
            (Place::Name(one), Place::Name(two)) if one == two => self.place.clone(),
            (
                Place::Network { address: one, prefix: short },
                Place::Network { address: two, prefix: long },
            ) => {
                let is_other_inner = short <= long;
                let (network, prefix, address) =
                    if is_other_inner { (*one, *short, *two) } else { (*two, *long, *one) };
                if !contains(network, prefix, address) {
                    return None;
                }
                if is_other_inner { other.place.clone() } else { self.place.clone() }
            }
            (Place::Name(_), Place::Name(_) | Place::Network { .. })
            | (Place::Network { .. }, Place::Name(_)) => return None,
        };
        Some(Self { place, port })
    }

    fn covers_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }

    fn single(&self) -> Option<IpAddr> {
        match self.place {
            Place::Network { address, prefix } if prefix == bits(address) => Some(address),
            Place::Network { .. } | Place::Name(_) => None,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    network.is_ipv4() == address.is_ipv4() && masked(address, prefix) == network
}

/// `address` with the bits after the prefix set to zero.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

fn plain_name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Whether a resolver may read the text as an address (inet_aton(3)): its last label is a number.
fn is_odd_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x");
    !last.is_empty()
        && (last.bytes().all(|byte| byte.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= LABEL_BYTES_MAX && label.bytes().all(is_fit)
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(text) => {
                let (host, rest) = text.split_once(']').ok_or(InvalidDestination::Host)?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(InvalidDestination::Host);
                }
                (host, rest)
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (text, ""),
            None => text.split_at(text.find(['/', ':']).unwrap_or(text.len())),
        };
        // `fd00::/8` without brackets.
        let (host, rest) = match text.split_once('/') {
            Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => {
                (address, text.get(address.len()..).unwrap_or_default())
            }
            Some(_) | None => (host, rest),
        };
        let (prefix, port) = match (rest.strip_prefix('/'), rest.strip_prefix(':')) {
            (Some(rest), _) => match rest.split_once(':') {
                Some((prefix, port)) => (Some(prefix), Some(port)),
                None => (Some(rest), None),
            },
            (None, Some(port)) => (None, Some(port)),
            (None, None) if rest.is_empty() => (None, None),
            (None, None) => return Err(InvalidDestination::Host),
        };
        let port = port.map(port_of).transpose()?;
        Ok(Self { place: place(host, prefix)?, port })
    }
}

fn port_of(text: &str) -> Result<u16, InvalidDestination> {
    let port = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    port.filter(|port| *port > 0).ok_or(InvalidDestination::Port)
}

fn place(host: &str, prefix: Option<&str>) -> Result<Place, InvalidDestination> {
    let Ok(address) = host.parse::<IpAddr>() else {
        let name = plain_name(host);
        return match prefix {
            Some(_) => Err(InvalidDestination::Prefix),
            None if is_odd_address(&name) => Err(InvalidDestination::OddAddress),
            None if is_name(&name) => Ok(Place::Name(name)),
            None => Err(InvalidDestination::Host),
        };
    };
    let longest = bits(address);
    let prefix = match prefix {
        None => longest,
        Some(text) => {
            text.parse().ok().filter(|prefix| *prefix <= longest).ok_or(InvalidDestination::Prefix)?
        }
    };
    let (address, prefix) = match address.to_canonical() {
        inner @ IpAddr::V4(_) if address.is_ipv6() && prefix >= 96 => (inner, prefix - 96),
        _ => (address, prefix),
    };
    Ok(Place::Network { address: masked(address, prefix), prefix })
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(name) => write!(formatter, "{name}")?,
            Place::Network { address: IpAddr::V6(address), prefix } if *prefix < 128 => {
                write!(formatter, "[{address}]/{prefix}")?;
            }
            Place::Network { address: IpAddr::V6(address), .. } => write!(formatter, "[{address}]")?,
            Place::Network { address, prefix } if *prefix < 32 => write!(formatter, "{address}/{prefix}")?,
            Place::Network { address, .. } => write!(formatter, "{address}")?,
        }
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Destination {
        text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_reads_and_is_written_the_same_way() {
        for (text, written) in [
            ("10.20.0.0/16", "10.20.0.0/16"),
            ("10.20.0.0/16:44818", "10.20.0.0/16:44818"),
            ("10.20.3.4/16", "10.20.0.0/16"),
            ("10.20.0.5:502", "10.20.0.5:502"),
            ("PLC7.Plant.:502", "plc7.plant:502"),
            ("[fd00::]/8:80", "[fd00::]/8:80"),
            ("fd00::/8", "[fd00::]/8"),
            ("fd00::1", "[fd00::1]"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(read(text).to_string(), written);
            assert_eq!(read(written), read(text));
        }
    }

    #[test]
    fn a_text_that_could_mean_something_else_is_refused() {
        use InvalidDestination::{Host, OddAddress, Port, Prefix};
        for (text, error) in [
            ("", Host),
            ("a b", Host),
            ("http://plc7", Port),
            ("plc7:0", Port),
            ("plc7:+80", Port),
            ("plc7:99999", Port),
            ("plc7/8", Prefix),
            ("10.0.0.0/33", Prefix),
            ("fd00::/129", Prefix),
            ("0xA9FEA9FE", OddAddress),
            ("2852039166", OddAddress),
            ("169.254.43518", OddAddress),
            ("10.1", OddAddress),
            ("[plc7]", Host),
            ("[fd00::1", Host),
            ("[fd00::1]x", Host),
        ] {
            assert_eq!(text.parse::<Destination>(), Err(error), "`{text}`");
        }
    }

    #[test]
    fn a_pattern_covers_its_network_its_name_and_its_port() {
        let covers =
            |pattern: &str, host: &str, at: &str, port| read(pattern).covers(host, address(at), port);
        assert!(covers("10.20.0.0/16:502", "x", "10.20.9.9", Some(502)));
        assert!(covers("10.20.0.0/16:502", "x", "::ffff:10.20.9.9", Some(502)));
        assert!(!covers("10.20.0.0/16:502", "x", "10.20.9.9", Some(80)));
        assert!(!covers("10.20.0.0/16:502", "x", "10.20.9.9", None), "ICMP has no port");
        assert!(!covers("10.20.0.0/16", "x", "10.21.0.1", None));
        assert!(covers("plc7.plant", "PLC7.plant.", "192.0.2.1", None));
        assert!(!covers("plc7.plant", "plc8.plant", "192.0.2.1", None));
        assert!(!covers("10.0.0.0/8", "x", "fd00::1", None) && covers("[fd00::]/8", "x", "fd12::1", None));
    }

    fn any_destination() -> impl Strategy<Value = Destination> {
        let port = prop_oneof![Just(None), Just(Some(80)), Just(Some(502))];
        let name = prop_oneof![Just("plc7"), Just("plc8")].prop_map(|name| Place::Name(name.to_owned()));
        let network = (0_u32..4, 24_u8..=32, any::<bool>()).prop_map(|(low, prefix, is_metadata)| {
            let high = if is_metadata { 0xA9FE_A9FC } else { 0x0A00_0000 };
            let address = masked(IpAddr::V4(Ipv4Addr::from_bits(high + low)), prefix);
            Place::Network { address, prefix }
        });
        (prop_oneof![name, network], port).prop_map(|(place, port)| Destination { place, port })
    }

    proptest! {
        #[test]
        fn what_two_share_is_covered_by_both(
            one in any_destination(), two in any_destination(), host in "plc[78]", low in 0_u32..4, port in prop_oneof![Just(None), Just(Some(80))]
        ) {
            let shared = one.shared_with(&two);
            prop_assert_eq!(&shared, &two.shared_with(&one));
            let at = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + low));
            let covered = shared.is_some_and(|shared| shared.covers(&host, at, port));
            prop_assert!(!covered || (one.covers(&host, at, port) && two.covers(&host, at, port)));
        }

        #[test]
        fn any_text_is_read_or_refused_and_reads_back(text in "[0-9a-fx:./\\[\\]]{0,24}|.{0,12}") {
            if let Ok(read) = text.parse::<Destination>() {
                prop_assert_eq!(read.to_string().parse::<Destination>(), Ok(read));
            }
        }
    }
}
