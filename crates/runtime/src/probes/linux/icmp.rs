//! ICMP echo: by the unprivileged datagram socket (icmp(7), `net.ipv4.ping_group_range`) where that is allowed,
//! else by a raw socket, which needs `CAP_NET_RAW`.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

const ECHO_HEADER_BYTES: usize = 8;
/// Random bytes that make a reply ours; an echo carries at least these.
const TOKEN_BYTES: usize = 8;
/// Largest packet read: longer ones are not replies to what is sent here.
const PACKET_BYTES_MAX: usize = 2048;

/// A socket that sends echo requests to one address.
#[derive(Debug)]
pub(in crate::probes) struct Icmp {
    /// Connected, and of a kind that sends and receives like UDP.
    socket: UdpSocket,
    is_v4: bool,
    identifier: u16,
    token: [u8; TOKEN_BYTES],
}

/// Why there is no such socket.
#[derive(Debug, thiserror::Error)]
pub(in crate::probes) enum IcmpError {
    /// Neither kind of socket is allowed.
    #[error("ping needs CAP_NET_RAW, or a group of the runtime within net.ipv4.ping_group_range")]
    NotPermitted,
    /// No way to the address: no route, or its family is off.
    #[error("{0}")]
    NoRoute(io::Error),
    /// The operating system refused otherwise.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl Icmp {
    /// Opens a socket towards `target`; its port is ignored, a scope is kept.
    pub(in crate::probes) fn open(target: SocketAddr) -> Result<Self, IcmpError> {
        let is_v4 = target.is_ipv4();
        let datagram = open(is_v4, SocketType::DGRAM);
        let socket = datagram.or_else(|_| open(is_v4, SocketType::RAW)).map_err(|error| match error {
            Errno::PERM | Errno::ACCESS => IcmpError::NotPermitted,
            Errno::AFNOSUPPORT => IcmpError::NoRoute(error.into()),
            error => IcmpError::System(error.into()),
        })?;
        rustix::net::connect(&socket, &target).map_err(|error| IcmpError::NoRoute(error.into()))?;
        let mut random = [0; TOKEN_BYTES + 2];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let [low, high, token @ ..] = random;
        let identifier = u16::from_be_bytes([low, high]);
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, is_v4, identifier, token })
    }

    /// Sends one echo request with `size` bytes of content (at least 8) and waits for its reply; `None`: none
    /// came within `patience`.
    ///
    /// # Errors
    ///
    /// What a router or this machine says instead of a reply: host unreachable, message too long.
    pub(in crate::probes) async fn echo(
        &self,
        sequence: u16,
        size: usize,
        patience: Duration,
    ) -> io::Result<Option<Duration>> {
        let sent = Instant::now();
        self.socket.send(&self.request(sequence, size)).await?;
        let reply = timeout_at((sent + patience).into(), self.reply(sequence)).await;
        reply.ok().transpose().map(|reply| reply.map(|()| sent.elapsed()))
    }

    fn request(&self, sequence: u16, size: usize) -> Vec<u8> {
        let kind = if self.is_v4 { 8 } else { 128 };
        let mut packet = vec![kind, 0, 0, 0];
        packet.extend(self.identifier.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend(self.token);
        packet.extend((TOKEN_BYTES..size).map(|at| at as u8));
        if self.is_v4 {
            // The kernel fills in that of version 6, which covers addresses.
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    async fn reply(&self, sequence: u16) -> io::Result<()> {
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            let count = self.socket.recv(&mut packet).await?;
            if self.is_reply(&packet[..count], sequence) {
                return Ok(());
            }
        }
    }

    /// Whether the packet answers that request. A raw socket of version 4 hands over the IP header too. The
    /// identifier is not compared: a datagram socket has one of the kernel's choice, and filters by it.
    fn is_reply(&self, packet: &[u8], sequence: u16) -> bool {
        let header = match packet.first() {
            Some(first) if self.is_v4 && first >> 4 == 4 => usize::from(first & 0x0F) * 4,
            Some(_) | None => 0,
        };
        let kind = if self.is_v4 { 0 } else { 129 };
        let Some(message) = packet.get(header..) else { return false };
        message.first() == Some(&kind)
            && message.get(6..ECHO_HEADER_BYTES) == Some(&sequence.to_be_bytes())
            && message.get(ECHO_HEADER_BYTES..).is_some_and(|content| content.starts_with(&self.token))
    }
}

fn open(is_v4: bool, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    let (family, protocol) =
        if is_v4 { (AddressFamily::INET, ipproto::ICMP) } else { (AddressFamily::INET6, ipproto::ICMPV6) };
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words =
        packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
