//! What the kernel knows of the network, by dumps of rtnetlink(7).

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Receive buffer in bytes; the kernel fills messages of at most 32 KiB.
const BUFFER_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;

/// Asks with a message of type `request`, whose body is `body_bytes` zeros, and hands the body of each answer of type
/// `wanted` to `take`, until that says false.
pub(super) fn dump(
    request: u16,
    body_bytes: usize,
    wanted: u16,
    mut take: impl FnMut(&[u8]) -> bool,
) -> rustix::io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE
    )?;
    let mut message = vec![0; HEADER_BYTES + body_bytes];
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&request.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let (count, _) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        if count == 0 {
            return Ok(());
        }
        for (kind, body) in messages(&buffer[..count]) {
            if kind == NLMSG_DONE || kind == NLMSG_ERROR || (kind == wanted && !take(body)) {
                return Ok(());
            }
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

/// The attributes behind the fixed part of a body, as type and value.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let [_, _, low, high, value @ ..] = rest.get(..length)? else { return None };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([*low, *high]), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(messages(&bytes).count() <= bytes.len());
            prop_assert!(attributes(&bytes).count() <= bytes.len());
        }
    }
}
