//! Every packet of this network, as the wire has it: with the headers of IP and TCP, without those of Ethernet.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt};

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes from the machine.
    Request,
    /// Bytes to the machine.
    Answer,
    /// Nothing but an acknowledgement.
    Acknowledgement,
    /// Whether the other end is still there, or the answer to that.
    Probe,
    /// A connection's beginning or end.
    Connection,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) at: Instant,
    pub(super) kind: Kind,
    /// With the headers of IP and TCP.
    pub(super) bytes: u64,
    /// Without them.
    pub(super) payload_bytes: u64,
}

impl Packet {
    /// Whether it carries anything.
    pub(super) fn has_payload(&self) -> bool {
        matches!(self.kind, Kind::Request | Kind::Answer)
    }
}

/// Sees every packet of the network it was made in.
#[derive(Debug)]
pub(super) struct Capture {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Debug, Default)]
struct Seen {
    by_machine: HashMap<Ipv4Addr, Track>,
    /// What is not IPv4: the search for neighbours.
    apart_bytes: u64,
}

/// What was seen of one machine.
#[derive(Debug, Default)]
struct Track {
    packets: Vec<Packet>,
    /// For each port of the machine: what it sends next.
    next: HashMap<u16, u32>,
    /// Whether the last empty packet from the machine was a probe.
    is_probed: bool,
}

impl Capture {
    /// Watches the packets from and to `machines` from here on.
    pub(super) fn start(machines: &[Ipv4Addr]) -> anyhow::Result<Self> {
        // With `DGRAM` the kernel takes Ethernet's header off (packet(7)).
        let socket =
            socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(eth::ALL))
                .context("packets can be watched by root only")?;
        let patience = Some(Duration::from_millis(200));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience)?;
        let tracks = machines.iter().map(|machine| (*machine, Track::default())).collect();
        let seen = Arc::new(Mutex::new(Seen { by_machine: tracks, apart_bytes: 0 }));
        let stop = Arc::new(AtomicBool::new(false));
        let (writing, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut buffer = vec![0_u8; 128 * 1024];
            while !stopped.load(Ordering::Relaxed) {
                match recv(&socket, &mut buffer[..], RecvFlags::empty()) {
                    Ok((_, length)) => {
                        let mut seen = writing.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.take(&buffer[..length], Instant::now());
                    }
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        });
        Ok(Self { seen, stop, thread: Some(thread) })
    }

    /// The packets of `machine` from number `from` on.
    pub(super) fn of(&self, machine: Ipv4Addr, from: usize) -> Vec<Packet> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let packets = seen.by_machine.get(&machine).map(|track| track.packets.as_slice());
        packets.and_then(|packets| packets.get(from..)).unwrap_or_default().to_vec()
    }

    /// How many packets of `machine` were seen.
    pub(super) fn count(&self, machine: Ipv4Addr) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by_machine.get(&machine).map_or(0, |track| track.packets.len())
    }

    /// Bytes of everything that was seen, and of what was not IPv4 among them.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let packets = seen.by_machine.values().flat_map(|track| &track.packets);
        (packets.map(|packet| packet.bytes).sum::<u64>() + seen.apart_bytes, seen.apart_bytes)
    }

    /// Ends it.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it is ended once")?;
        thread.join().map_err(|_| anyhow::anyhow!("whoever watched the packets panicked"))?
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    fn take(&mut self, packet: &[u8], at: Instant) {
        match read(packet) {
            Some(segment) => {
                let (machine, is_up) = match self.by_machine.contains_key(&segment.from) {
                    true => (segment.from, true),
                    false => (segment.to, false),
                };
                if let Some(track) = self.by_machine.get_mut(&machine) {
                    track.take(&segment, is_up, at);
                }
            }
            // Loopback carries nothing but IPv4 here.
            None => self.apart_bytes += packet.len() as u64,
        }
    }
}

impl Track {
    fn take(&mut self, segment: &Segment, is_up: bool, at: Instant) {
        let kind = if segment.is_connection {
            Kind::Connection
        } else if segment.payload_bytes > 0 {
            if is_up { Kind::Request } else { Kind::Answer }
        } else if is_up {
            // A probe repeats the byte before the next, and carries none (RFC 9293, section 3.8.4).
            let next = self.next.get(&segment.from_port);
            self.is_probed = next.is_some_and(|next| segment.number.wrapping_add(1) == *next);
            if self.is_probed { Kind::Probe } else { Kind::Acknowledgement }
        } else if std::mem::take(&mut self.is_probed) {
            Kind::Probe
        } else {
            Kind::Acknowledgement
        };
        if is_up && kind != Kind::Probe {
            let length = u32::try_from(segment.payload_bytes).unwrap_or(0) + u32::from(segment.is_syn);
            self.next.insert(segment.from_port, segment.number.wrapping_add(length));
        }
        let Segment { bytes, payload_bytes, .. } = *segment;
        self.packets.push(Packet { at, kind, bytes, payload_bytes });
    }
}

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    from: Ipv4Addr,
    from_port: u16,
    to: Ipv4Addr,
    number: u32,
    bytes: u64,
    payload_bytes: u64,
    is_syn: bool,
    is_connection: bool,
}

/// Reads the headers of IPv4 (RFC 791) and TCP (RFC 9293); `None`: it is something else.
fn read(packet: &[u8]) -> Option<Segment> {
    const TCP: u8 = 6;
    const FIN_SYN_RST: u8 = 0b0000_0111;
    const SYN: u8 = 0b0000_0010;
    let first = *packet.first()?;
    if first >> 4 != 4 || *packet.get(9)? != TCP {
        return None;
    }
    let ip_bytes = usize::from(first & 0x0f) * 4;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let segment = packet.get(ip_bytes..)?;
    let tcp_bytes = usize::from(segment.get(12)? >> 4) * 4;
    let flags = *segment.get(13)?;
    Some(Segment {
        from: address(12)?,
        to: address(16)?,
        from_port: u16::from_be_bytes(segment.get(..2)?.try_into().ok()?),
        number: u32::from_be_bytes(segment.get(4..8)?.try_into().ok()?),
        bytes: packet.len() as u64,
        payload_bytes: packet.len().checked_sub(ip_bytes + tcp_bytes)? as u64,
        is_syn: flags & SYN != 0,
        is_connection: flags & FIN_SYN_RST != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
    const PLANE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

    /// A packet with TCP's timestamps, as Linux sends it.
    fn packet(is_up: bool, number: u32, payload_bytes: usize) -> Vec<u8> {
        let (from, to) = if is_up { (MACHINE, PLANE) } else { (PLANE, MACHINE) };
        let mut packet = vec![0_u8; 20 + 32 + payload_bytes];
        packet[0] = 0x45;
        packet[9] = 6;
        packet[12..16].copy_from_slice(&from.octets());
        packet[16..20].copy_from_slice(&to.octets());
        packet[24..28].copy_from_slice(&number.to_be_bytes());
        packet[32] = 8 << 4;
        packet[33] = 0b0001_0000;
        packet
    }

    #[test]
    fn a_probe_is_told_from_an_acknowledgement_and_its_answer_too() {
        let mut seen = Seen::default();
        seen.by_machine.insert(MACHINE, Track::default());
        let exchange = [
            (packet(true, 1_000, 137), Kind::Request),
            (packet(false, 5, 0), Kind::Acknowledgement),
            (packet(true, 1_136, 0), Kind::Probe),
            (packet(false, 5, 0), Kind::Probe),
            (packet(true, 1_136, 0), Kind::Probe),
            (packet(false, 5, 0), Kind::Probe),
            (packet(false, 5, 36), Kind::Answer),
            (packet(true, 1_137, 0), Kind::Acknowledgement),
            (packet(true, 1_137, 137), Kind::Request),
        ];
        for (packet, _) in &exchange {
            seen.take(packet, Instant::now());
        }
        let packets = &seen.by_machine[&MACHINE].packets;
        for (seen, (packet, kind)) in packets.iter().zip(&exchange) {
            assert_eq!((seen.kind, seen.bytes), (*kind, packet.len() as u64));
        }
        assert_eq!(packets.len(), exchange.len());
    }

    #[test]
    fn what_is_not_tcp_is_counted_apart() {
        let mut seen = Seen::default();
        for strange in [&[][..], &[0, 1], &[0x60; 40], &[0x45; 30]] {
            seen.take(strange, Instant::now());
        }
        assert_eq!(seen.apart_bytes, 72);
    }
}
