//! The machine's own addresses, by an `RTM_GETADDR` dump (rtnetlink(7)).

use std::net::IpAddr;

use rustix::net::netdevice::index_to_name;
use rustix::net::{AddressFamily, SocketType};

use super::netlink::{attributes, dump};
use crate::probes::system_info::Address;

const IFADDRMSG_BYTES: usize = 8;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// At most `limit` addresses of all interfaces, loopback left out.
pub(super) fn addresses(limit: usize) -> Vec<Address> {
    read(limit).unwrap_or_default()
}

fn read(limit: usize) -> rustix::io::Result<Vec<Address>> {
    // Any socket can be asked what an interface is called.
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    let mut found = Vec::new();
    dump(RTM_GETADDR, IFADDRMSG_BYTES, RTM_NEWADDR, |body| {
        if let Some((index, address, prefix)) = address(body)
            && !address.is_loopback()
        {
            let interface = index_to_name(&socket, index).unwrap_or_default();
            found.push(Address { interface, address, prefix });
        }
        found.len() < limit
    })?;
    Ok(found)
}

/// Interface index, address and prefix length of one `ifaddrmsg`.
fn address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let (head, rest) = body.split_at_checked(IFADDRMSG_BYTES)?;
    let mut found = None;
    for (kind, value) in attributes(rest) {
        // On point-to-point links IFA_ADDRESS is the other end's; IFA_LOCAL is always one's own.
        match kind {
            IFA_LOCAL => found = ip(value).or(found),
            IFA_ADDRESS => found = found.or(ip(value)),
            _ => {}
        }
    }
    Some((u32::from_ne_bytes(*head.last_chunk()?), found?, head[1]))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}
