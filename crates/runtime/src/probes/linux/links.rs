//! The machine's interfaces, by an `RTM_GETLINK` dump (rtnetlink(7)): what the kernel of these namespaces has, which
//! `/sys` may not be of.

use std::fmt::Write as _;

use super::netlink::{attributes, dump};
use crate::probes::network_config::{Interface, LinkState};

const IFINFOMSG_BYTES: usize = 16;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
/// `IFF_LOWER_UP`: a carrier is there.
const IFF_LOWER_UP: u32 = 0x1_0000;

/// At most `limit` interfaces, in the kernel's order; their addresses are not filled in.
pub(super) fn links(limit: usize) -> Vec<Interface> {
    let mut found = Vec::new();
    let _ = dump(RTM_GETLINK, IFINFOMSG_BYTES, RTM_NEWLINK, |body| {
        found.extend(link(body));
        found.len() < limit
    });
    found
}

fn link(body: &[u8]) -> Option<Interface> {
    let (head, rest) = body.split_at_checked(IFINFOMSG_BYTES)?;
    let flags = u32::from_ne_bytes(head.get(8..12)?.try_into().ok()?);
    let mut interface = Interface {
        name: String::new(),
        state: match (flags & IFF_UP != 0, flags & IFF_LOWER_UP != 0) {
            (false, _) => LinkState::Off,
            (true, false) => LinkState::NoLink,
            (true, true) => LinkState::Up,
        },
        is_loopback: flags & IFF_LOOPBACK != 0,
        mac: None,
        mtu_bytes: 0,
        addresses: Vec::new(),
    };
    for (kind, value) in attributes(rest) {
        match kind {
            IFLA_IFNAME => {
                let name = value.strip_suffix(b"\0").unwrap_or(value);
                interface.name = String::from_utf8_lossy(name).into_owned();
            }
            IFLA_MTU => {
                interface.mtu_bytes = value.try_into().map(u32::from_ne_bytes).unwrap_or_default();
            }
            IFLA_ADDRESS if !interface.is_loopback => interface.mac = mac(value),
            _ => {}
        }
    }
    Some(interface)
}

/// `00:1b:21:0a:0b:0c`. Tunnels have other things for addresses.
fn mac(value: &[u8]) -> Option<String> {
    let mut text = String::new();
    for byte in value.iter().take(8) {
        let _ = write!(text, "{}{byte:02x}", if text.is_empty() { "" } else { ":" });
    }
    Some(text).filter(|_| value.len() == 6)
}
