//! The machine's own addresses, by an `RTM_GETADDR` dump (rtnetlink(7)).

use std::net::IpAddr;

use rustix::net::netdevice::index_to_name;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::probes::system_info::Address;

/// Receive buffer in bytes; the kernel fills messages of at most 32 KiB.
const BUFFER_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 16;
const IFADDRMSG_BYTES: usize = 8;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// At most `limit` addresses of all interfaces, loopback left out.
pub(super) fn addresses(limit: usize) -> Vec<Address> {
    read(limit).unwrap_or_default()
}

fn read(limit: usize) -> rustix::io::Result<Vec<Address>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE
    )?;
    let mut request = [0; HEADER_BYTES + IFADDRMSG_BYTES];
    let length = request.len() as u32;
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETADDR.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    rustix::net::send(&socket, &request, SendFlags::empty())?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut found = Vec::new();
    loop {
        let (count, _) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        for (kind, body) in messages(&buffer[..count]) {
            match (kind, address(body)) {
                (NLMSG_DONE | NLMSG_ERROR, _) => return Ok(found),
                (RTM_NEWADDR, Some((index, address, prefix))) if !address.is_loopback() => {
                    let interface = index_to_name(&socket, index).unwrap_or_default();
                    found.push(Address { interface, address, prefix });
                }
                _ => {}
            }
        }
        if count == 0 || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// The messages of one datagram, as type and body.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let message = rest.get(..length)?;
        let kind = u16::from_ne_bytes([*message.get(4)?, *message.get(5)?]);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message.get(HEADER_BYTES..)?))
    })
}

/// Interface index, address and prefix length of one `ifaddrmsg`.
fn address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let (head, mut rest) = body.split_at_checked(IFADDRMSG_BYTES)?;
    let mut found = None;
    while let Some(length) = rest.first_chunk().map(|bytes| usize::from(u16::from_ne_bytes(*bytes))) {
        let Some([_, _, low, high, value @ ..]) = rest.get(..length) else { break };
        // On point-to-point links IFA_ADDRESS is the other end's; IFA_LOCAL is always one's own.
        match u16::from_ne_bytes([*low, *high]) {
            IFA_LOCAL => found = ip(value).or(found),
            IFA_ADDRESS => found = found.or(ip(value)),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((u32::from_ne_bytes(*head.last_chunk()?), found?, head[1]))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}
