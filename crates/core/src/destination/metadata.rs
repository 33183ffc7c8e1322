//! The metadata services of clouds: they answer any program with the machine's credentials.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{is_odd_address, plain_name};

/// Addresses of the metadata services of clouds, which answer any program with the machine's credentials: AWS, Google,
/// Azure and most others, then the forms that only one of them uses.
const METADATA: [IpAddr; 13] = [
    v4(169, 254, 169, 254),
    v4(169, 254, 170, 2),
    v4(169, 254, 170, 23),
    v4(169, 254, 42, 42),
    v4(169, 254, 0, 23),
    v4(100, 100, 100, 200),
    v4(168, 63, 129, 16),
    v4(192, 0, 0, 192),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
];
/// Their names, for where only a proxy resolves a name.
const METADATA_NAMES: [&str; 6] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(segments: [u16; 8]) -> IpAddr {
    let [a, b, c, d, e, f, g, h] = segments;
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

/// Whether a metadata service answers at `address`, also where the address of version 4 is written inside one of
/// version 6 (mapped, compatible, translated, NAT64, 6to4, ISATAP, Teredo).
pub fn is_metadata(address: IpAddr) -> bool {
    let address = address.to_canonical();
    METADATA.contains(&address) || embedded(address).any(|inner| METADATA.contains(&inner))
}

/// Whether the name is one of a metadata service, or a number that a resolver reads as an address.
pub fn is_metadata_name(host: &str) -> bool {
    let name = plain_name(host);
    METADATA_NAMES.contains(&name.as_str()) || is_odd_address(&name)
}

/// The addresses of version 4 that a gateway or a tunnel may take out of one of version 6 (RFC 4291, 3056, 4380, 5214,
/// 6052, 7915, 8215).
fn embedded(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let segments = match address {
        IpAddr::V6(address) => address.segments(),
        IpAddr::V4(_) => [0; 8],
    };
    let bytes = segments.map(u16::to_be_bytes);
    let byte = |place: usize| bytes[place / 2][place % 2];
    // RFC 6052, section 2.2: behind a prefix of 48, 56 or 64 bits the byte at place 8 is left out.
    let nat64 = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
    let last = [12, 13, 14, 15];
    let (places, is_inverted): (&[[usize; 4]], bool) = match segments {
        [0x64, 0xff9b, ..] => (&nat64, false),
        [0x2002, ..] => (&[[2, 3, 4, 5]], false),
        [0x2001, 0, ..] => (&[last], true),
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] | [.., 0 | 0x200, 0x5efe, _, _] => (&[last], false),
        _ => (&[], false),
    };
    let mask = if is_inverted { 0xff } else { 0 };
    let inner = places.iter().map(|places| places.map(|place| byte(place) ^ mask));
    inner.map(|[a, b, c, d]| v4(a, b, c, d)).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_metadata_service_is_known_in_every_notation() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:7:a9:fea9:fe00:0",
            "64:ff9b:1::a9fe:a9fe",
            "fe80::5efe:169.254.169.254",
            "2001:db8::200:5efe:a9fe:a9fe",
            "2001:0:cb00:7101:0:0:5601:5601",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fe80::a9fe:a9fe",
        ] {
            assert!(is_metadata(address(text)), "{text}");
        }
        for text in ["169.254.1.1", "127.0.0.1", "::1", "fe80::1", "10.0.0.1", "::"] {
            assert!(!is_metadata(address(text)), "{text}");
        }
        for name in ["metadata.google.internal.", "METADATA", "0xa9fea9fe", "2852039166"] {
            assert!(is_metadata_name(name), "{name}");
        }
        assert!(!is_metadata_name("plc7.plant"));
    }
}
