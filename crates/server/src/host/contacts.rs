//! When endpoints were last heard and usually are: a few dozen bytes each in memory, since an idle sync writes nothing.
//!
//! What changed is stored from time to time, so a crash costs at most the last few minutes of "last seen" and of what
//! was learned, and nothing else. After a start the map is empty and the core falls back on what is stored.

use tidegate_core::call::Seen;
use tidegate_core::id::EndpointId;
use tidegate_core::rhythm::Rhythm;

use super::shards::Shards;

/// The last contact of every endpoint that was heard since the start. Only endpoints that proved themselves get
/// in, so it is bounded by how many are enrolled.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Shards<EndpointId, Contact>);

#[derive(Clone, Copy, Debug)]
struct Contact {
    seen: Seen,
    rhythm: Rhythm,
    is_stored: bool,
}

/// A contact to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unstored {
    /// Whose.
    pub(crate) endpoint: EndpointId,
    /// The last contact.
    pub(crate) seen: Seen,
    /// What contacts were like since the start.
    pub(crate) rhythm: Rhythm,
}

impl Contacts {
    /// Keeps a contact; an older one than the known changes nothing.
    pub(crate) fn keep(&self, endpoint: EndpointId, seen: Seen) {
        let mut part = self.0.of(&endpoint);
        let known = part.get(&endpoint).copied();
        if known.is_some_and(|known| known.seen.at > seen.at) {
            return;
        }
        // An idle contact tells no skew: the one measured before it still counts.
        let seen = Seen { skew_ms: seen.skew_ms.or(known.and_then(|known| known.seen.skew_ms)), ..seen };
        let mut rhythm = known.map(|known| known.rhythm).unwrap_or_default();
        rhythm.heard(known.map(|known| known.seen.at), seen.at);
        part.insert(endpoint, Contact { seen, rhythm, is_stored: false });
    }

    /// The last contact; `None`: none since the start.
    pub(crate) fn last(&self, endpoint: EndpointId) -> Option<Seen> {
        self.0.of(&endpoint).get(&endpoint).map(|contact| contact.seen)
    }

    /// What contacts were like since the start; nothing where there were none.
    pub(crate) fn rhythm(&self, endpoint: EndpointId) -> Rhythm {
        self.0.of(&endpoint).get(&endpoint).map(|contact| contact.rhythm).unwrap_or_default()
    }

    /// Contacts that are not stored yet, in no order.
    pub(crate) fn unstored(&self) -> Vec<Unstored> {
        let mut unstored = Vec::new();
        for part in self.0.each() {
            let changed = part.iter().filter(|(_, contact)| !contact.is_stored);
            unstored.extend(changed.map(|(endpoint, contact)| Unstored {
                endpoint: *endpoint,
                seen: contact.seen,
                rhythm: contact.rhythm,
            }));
        }
        unstored
    }

    /// Notes that these contacts are stored; one that came meanwhile is not.
    pub(crate) fn stored(&self, contacts: &[Unstored]) {
        for stored in contacts {
            if let Some(contact) = self.0.of(&stored.endpoint).get_mut(&stored.endpoint) {
                contact.is_stored = contact.seen == stored.seen;
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
        let times = |unstored: &[Unstored]| unstored.iter().map(|one| one.seen).collect::<Vec<_>>();
        assert_eq!(times(&first), [at(5)]);
        contacts.keep(endpoint, at(9));
        contacts.stored(&first);
        let second = contacts.unstored();
        assert_eq!(times(&second), [at(9)]);
        contacts.stored(&second);
        assert_eq!(contacts.unstored(), []);
        contacts.keep(endpoint, at(7));
        assert_eq!(contacts.last(endpoint), Some(at(9)));
    }

    #[test]
    fn the_usual_interval_is_learned_from_what_is_heard() {
        let contacts = Contacts::default();
        let endpoint = EndpointId::from_bytes([1; 10]);
        for contact in 0..4 {
            contacts.keep(endpoint, at(contact * 240_000));
        }
        // One that comes late is known already, and teaches nothing.
        contacts.keep(endpoint, at(1));
        let usual = contacts.rhythm(endpoint).usual_interval();
        assert_eq!(usual, Some(tidegate_core::time::Milliseconds::from_seconds(240)));
        assert_eq!(contacts.unstored()[0].rhythm, contacts.rhythm(endpoint));
    }

    #[test]
    fn a_known_endpoint_costs_far_less_than_two_kibibytes() {
        // A table of a hash map is at least half full after it grew, and has one byte of its own per slot.
        assert!(2 * (size_of::<(EndpointId, Contact)>() + 1) <= 2048 / 8);
    }
}
