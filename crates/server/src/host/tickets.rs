//! Which idle syncs were heard already: the tickets issued since the start, and how often each was used.

use tidegate_core::control::TicketUses;
use tidegate_core::id::EndpointId;

use super::shards::Shards;

/// The tickets of every endpoint that was issued one since the start: bounded by how many are enrolled.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Shards<EndpointId, TicketUses>);

impl Tickets {
    /// Remembers a ticket that an answer gives.
    pub(crate) fn issued(&self, endpoint: EndpointId, ticket: &str) {
        self.0.of(&endpoint).entry(endpoint).or_default().issued(ticket);
    }

    /// Whether an idle sync is no repeat; it is remembered then.
    pub(crate) fn admits(&self, endpoint: EndpointId, ticket: &str, count: u64) -> bool {
        self.0.of(&endpoint).get_mut(&endpoint).is_some_and(|uses| uses.admits(ticket, count))
    }
}
