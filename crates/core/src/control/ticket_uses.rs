//! Each idle sync counts once (R5).
//!
//! An idle sync is not signed, and nothing is stored for it. So the host remembers in memory how often each ticket was
//! used: a recorded idle sync that is sent again repeats a count and is refused. After a restart of the host every
//! ticket is unknown, and the endpoint's next sync is a signed one.

use data_encoding::BASE64URL_NOPAD;

/// Tickets remembered for each endpoint. One is in use; the others belong to copies of the machine, which share its id
/// until a person decides between them.
const TICKETS_MAX: usize = 4;

/// The newest tickets of one endpoint and the highest count that came with each; 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketUses([Option<Use>; TICKETS_MAX]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    /// The last bytes of the ticket: part of its authentication code, so nobody can choose them.
    ticket: [u8; 8],
    count: u64,
}

impl TicketUses {
    /// Remembers a ticket that the control plane has just issued. The oldest of too many is forgotten.
    pub fn issued(&mut self, ticket: &str) {
        let Some(ticket) = key(ticket) else { return };
        // The same ticket comes again while its minute lasts: its count goes on.
        if self.0.iter().flatten().any(|known| known.ticket == ticket) {
            return;
        }
        self.0.rotate_right(1);
        self.0[0] = Some(Use { ticket, count: 0 });
    }

    /// Whether an idle sync with this ticket and count is the first of its kind; it is remembered then.
    pub fn admits(&mut self, ticket: &str, count: u64) -> bool {
        let Some(ticket) = key(ticket) else { return false };
        let known = self.0.iter_mut().flatten().find(|known| known.ticket == ticket);
        let Some(known) = known.filter(|known| known.count < count) else { return false };
        known.count = count;
        true
    }
}

fn key(ticket: &str) -> Option<[u8; 8]> {
    BASE64URL_NOPAD.decode(ticket.as_bytes()).ok()?.last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u8) -> String {
        BASE64URL_NOPAD.encode(&[number; 20])
    }

    #[test]
    fn an_idle_sync_counts_once_and_only_with_a_ticket_that_was_issued() {
        let mut uses = TicketUses::default();
        assert!(!uses.admits(&ticket(1), 1), "a restarted host knows no ticket");
        uses.issued(&ticket(1));
        assert!(uses.admits(&ticket(1), 1) && uses.admits(&ticket(1), 5));
        assert!(!uses.admits(&ticket(1), 5) && !uses.admits(&ticket(1), 2), "a repeat");
        uses.issued(&ticket(1));
        assert!(!uses.admits(&ticket(1), 5), "issued once more within its minute");
        assert!(uses.admits(&ticket(1), 6));
        assert!(!uses.admits("", 1) && !uses.admits("AAAA", 1) && !uses.admits("not base 64", 1));
    }

    #[test]
    fn copies_of_a_machine_use_their_tickets_side_by_side() {
        let mut uses = TicketUses::default();
        for number in 1..=TICKETS_MAX as u8 {
            uses.issued(&ticket(number));
        }
        assert!((1..=TICKETS_MAX as u8).all(|number| uses.admits(&ticket(number), 1)));
        uses.issued(&ticket(9));
        assert!(!uses.admits(&ticket(1), 2), "the oldest is forgotten");
        assert!(uses.admits(&ticket(2), 2) && uses.admits(&ticket(9), 1));
    }
}
