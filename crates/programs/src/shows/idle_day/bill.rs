//! What packets cost, by kind, and what a day of them costs.

use std::fmt;

use super::packets::{Kind, Packet};

/// A link's packets are of this size at most; a larger one that is seen here leaves as several.
const PACKET_BYTES_MAX: u64 = 1_500;
const DAY_S: f64 = 86_400.0;

/// Bytes by kind, headers of IP and TCP included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bill {
    pub(super) packets: usize,
    pub(super) requests: f64,
    pub(super) answers: f64,
    pub(super) acknowledgements: f64,
    pub(super) probes: f64,
    pub(super) connections: f64,
}

impl Bill {
    /// What `packets` cost.
    pub(super) fn of(packets: &[Packet]) -> Self {
        let mut bill = Self { packets: packets.len(), ..Self::default() };
        for packet in packets {
            let place = match packet.kind {
                Kind::Request => &mut bill.requests,
                Kind::Answer => &mut bill.answers,
                Kind::Acknowledgement => &mut bill.acknowledgements,
                Kind::Probe => &mut bill.probes,
                Kind::Connection => &mut bill.connections,
            };
            *place += on_the_wire(packet) as f64;
        }
        bill
    }

    /// A share of it.
    pub(super) fn per(self, count: usize) -> Self {
        let share = |bytes: f64| bytes / count.max(1) as f64;
        Self {
            packets: self.packets,
            requests: share(self.requests),
            answers: share(self.answers),
            acknowledgements: share(self.acknowledgements),
            probes: share(self.probes),
            connections: share(self.connections),
        }
    }

    /// The same with so many bytes more in its requests.
    pub(super) fn with_more_to_ask(self, bytes: f64) -> Self {
        Self { requests: self.requests + bytes, ..self }
    }

    /// All of it in bytes.
    pub(super) fn bytes(&self) -> f64 {
        self.requests + self.answers + self.acknowledgements + self.probes + self.connections
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.0} request + {:.0} answer + {:.0} acknowledgement + {:.0} probes = {:.0} B",
            self.requests,
            self.answers,
            self.acknowledgements,
            self.probes,
            self.bytes()
        )
    }
}

/// With the headers that each of its packets on a link has.
fn on_the_wire(packet: &Packet) -> u64 {
    let headers = packet.bytes - packet.payload_bytes;
    let room = PACKET_BYTES_MAX - headers.min(PACKET_BYTES_MAX - 1);
    packet.payload_bytes + headers * packet.payload_bytes.div_ceil(room).max(1)
}

/// A day: so many syncs at so much each, and what comes once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    pub(super) every_s: f64,
    pub(super) sync: Bill,
    pub(super) once_bytes: f64,
}

impl Day {
    pub(super) fn syncs(&self) -> f64 {
        DAY_S / self.every_s
    }

    pub(super) fn bytes(&self) -> f64 {
        self.syncs() * self.sync.bytes() + self.once_bytes
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "86,400 s / {:.0} s × {:.1} B + {:.0} B = {:.1} KB",
            self.every_s,
            self.sync.bytes(),
            self.once_bytes,
            self.bytes() / 1_000.0
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_packet_that_is_cut_up_pays_for_each_header() {
        let packet = |payload_bytes| Packet {
            at: Instant::now(),
            kind: Kind::Answer,
            bytes: payload_bytes + 52,
            payload_bytes,
        };
        for (payload, wire) in [(0, 52), (1, 53), (1_448, 1_500), (1_449, 1_553), (3_118, 3_274)] {
            assert_eq!(on_the_wire(&packet(payload)), wire, "{payload}");
        }
    }
}
