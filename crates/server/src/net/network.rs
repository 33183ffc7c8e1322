//! Whom an address stands for.

use std::net::{IpAddr, Ipv6Addr};

/// The network that one holder of an address has: one IPv4 address, or an IPv6 /64, the least that anybody is given
/// (RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    prefix(address, 64)
}

/// The networks that an address is in, from the smallest: an IPv4 address is in its own; an IPv6 one in its /64, its
/// /56 (what a household is given) and its /48 (what a site is given, which anybody can rent).
pub(crate) fn tiers(address: IpAddr) -> impl Iterator<Item = (u8, IpAddr)> {
    let lengths: &[u8] = if address.is_ipv6() { &[64, 56, 48] } else { &[32] };
    lengths.iter().map(move |length| (*length, prefix(address, *length)))
}

fn prefix(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - u32::from(length));
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_holder_are_one_network() {
        let [one, two, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        assert_eq!(network(one), network(two));
        assert_ne!(network(one), network(other));
        assert_eq!(tiers(one).nth(1), tiers(other).nth(1), "the same /56");
        let [four, five]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert_ne!(network(four), network(five));
        assert_eq!(tiers(four).count(), 1);
    }
}
