//! The digest over the list of an endpoint's journals, which every signed head of the transcript carries.
//!
//! The list grows with each `candidate` entry of the transcript and never shrinks, so the transcript up to an entry
//! determines the digest at that entry.

use crate::digest::Digest;
use crate::id::JournalId;
use crate::keys::PublicKey;

/// The digest over the list of journals, in the order in which the control plane first heard them.
///
/// `before` is the digest without the last journal, zeros for an empty list. The result is SHA-256 over its 32 bytes,
/// the journal's id and the journal's key, the last two as text with a line end each.
pub fn journals_digest(before: Digest, journal: JournalId, key: &PublicKey) -> Digest {
    let line = format!("{journal}\n{key}\n");
    Digest::of_parts(&[&before.0, line.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_every_id_key_and_place() {
        let [one, two] = [1, 2].map(|byte| JournalId::from_bytes([byte; 10]));
        let [key, other] = [1, 2].map(|byte| PublicKey::of_seed(&[byte; 32]));
        let both = |first, second| journals_digest(journals_digest(Digest::ZERO, first, &key), second, &key);
        let digests = [
            Digest::ZERO,
            journals_digest(Digest::ZERO, one, &key),
            journals_digest(Digest::ZERO, one, &other),
            journals_digest(Digest::ZERO, two, &key),
            both(one, two),
            both(two, one),
            both(one, one),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.into_iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }
}
