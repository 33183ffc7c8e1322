//! When endpoints were last heard: a few dozen bytes each in memory, since an idle sync writes nothing.
//!
//! What changed is stored from time to time, so a crash costs at most the last few minutes of "last seen" and
//! nothing else. After a start the map is empty and the core falls back on the stored times.

use tidegate_core::call::Seen;
use tidegate_core::id::EndpointId;

use super::shards::Shards;

/// The last contact of every endpoint that was heard since the start. Only endpoints that proved themselves get
/// in, so it is bounded by how many are enrolled.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Shards<EndpointId, Contact>);

#[derive(Clone, Copy, Debug)]
struct Contact {
    seen: Seen,
    is_stored: bool,
}

impl Contacts {
    /// Keeps a contact; an older one than the known changes nothing.
    pub(crate) fn keep(&self, endpoint: EndpointId, seen: Seen) {
        let mut part = self.0.of(&endpoint);
        let known = part.entry(endpoint).or_insert(Contact { seen, is_stored: false });
        if known.seen.at <= seen.at {
            // An idle contact tells no skew: the one measured before it still counts.
            let skew_ms = seen.skew_ms.or(known.seen.skew_ms);
            *known = Contact { seen: Seen { skew_ms, ..seen }, is_stored: false };
        }
    }

    /// The last contact; `None`: none since the start.
    pub(crate) fn last(&self, endpoint: EndpointId) -> Option<Seen> {
        self.0.of(&endpoint).get(&endpoint).map(|contact| contact.seen)
    }

    /// Contacts that are not stored yet, in no order.
    pub(crate) fn unstored(&self) -> Vec<(EndpointId, Seen)> {
        let mut unstored = Vec::new();
        for part in self.0.each() {
            let changed = part.iter().filter(|(_, contact)| !contact.is_stored);
            unstored.extend(changed.map(|(endpoint, contact)| (*endpoint, contact.seen)));
        }
        unstored
    }

    /// Notes that these contacts are stored; one that came meanwhile is not.
    pub(crate) fn stored(&self, contacts: &[(EndpointId, Seen)]) {
        for (endpoint, seen) in contacts {
            if let Some(contact) = self.0.of(endpoint).get_mut(endpoint) {
                contact.is_stored = contact.seen == *seen;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::time::Timestamp;

    use super::*;

    fn at(ms: i64) -> Seen {
        Seen { at: Timestamp::from_milliseconds(ms), skew_ms: Some(0) }
    }

    #[test]
    fn only_contacts_that_changed_are_stored_again() {
        let contacts = Contacts::default();
        let endpoint = EndpointId::from_bytes([1; 10]);
        contacts.keep(endpoint, at(5));
        let first = contacts.unstored();
        assert_eq!(first, [(endpoint, at(5))]);
        contacts.keep(endpoint, at(9));
        contacts.stored(&first);
        assert_eq!(contacts.unstored(), [(endpoint, at(9))]);
        contacts.stored(&[(endpoint, at(9))]);
        assert_eq!(contacts.unstored(), []);
        contacts.keep(endpoint, at(7));
        assert_eq!(contacts.last(endpoint), Some(at(9)));
    }

    #[test]
    fn a_known_endpoint_costs_far_less_than_two_kibibytes() {
        // A table of a hash map is at least half full after it grew, and has one byte of its own per slot.
        assert!(2 * (size_of::<(EndpointId, Contact)>() + 1) <= 2048 / 16);
    }
}
