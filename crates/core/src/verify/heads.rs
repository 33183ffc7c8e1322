//! What the endpoint's journals say about the transcript, compared with the transcript.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::wire::TranscriptHead;

use super::listed::Candidates;
use super::report::{Fault, Replaced};
use super::trust::Trust;

/// The transcript's hashes by number, and what was found when heads were compared with them.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// The hash of every entry as long as the chain is whole: `hashes[0]` is entry 1.
    hashes: Vec<Digest>,
    /// The highest entry that some journal confirms as it stands, signed by the endpoint or not.
    matched: u64,
    /// Entries that tell of a restore, in order.
    restores: Vec<u64>,
    /// What restores replaced, by the entry that tells of the restore.
    replaced: BTreeMap<u64, u64>,
    /// The first head that does not fit and that no restore explains.
    unexplained: Option<Unexplained>,
}

#[derive(Clone, Copy, Debug)]
struct Unexplained {
    /// The entry that holds the head.
    entry: u64,
    /// The entry that the head is about.
    number: u64,
    /// The highest entry below `number` that was confirmed as it stands.
    after: u64,
    /// The highest entry that such a head is about.
    highest: u64,
}

impl Heads {
    /// The chain goes on with an entry of this hash.
    pub(super) fn hash_add(&mut self, hash: Digest) {
        self.hashes.push(hash);
    }

    /// Compares a head that stands in the journal entry `entry`; answers the number it confirms.
    pub(super) fn compare(
        &mut self,
        trust: &Trust,
        candidates: &Candidates,
        entry: u64,
        envelope: &Envelope,
    ) -> Result<Option<u64>, Fault> {
        let head: TranscriptHead = trust.stated(envelope).map_err(Fault::Endorsement)?;
        if head.endpoint != trust.endpoint {
            return Err(Fault::ElsewhereSigned);
        }
        let index = head.number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let found = index.and_then(|index| self.hashes.get(index));
        // Behind a break of the chain nothing can be compared; the break is a problem already.
        let is_comparable = found.is_some() || entry <= self.hashes.len() as u64;
        if found == Some(&head.hash) {
            candidates.endorsed(&trust.listed, head.number, head.journals)?;
            self.matched = self.matched.max(head.number);
            return Ok(Some(head.number));
        }
        if is_comparable {
            self.mismatch(entry, head.number);
        }
        Ok(None)
    }

    /// The endpoint knows another history. A restore explains it where it had the control plane forget that entry;
    /// one that nobody announced is told only after the journal that proves it.
    fn mismatch(&mut self, entry: u64, number: u64) {
        match self.restores.iter().rev().find(|restore| **restore <= number) {
            Some(restore) => self.replace(*restore, number),
            None => {
                let after = self.matched.min(number.saturating_sub(1));
                let first = Unexplained { entry, number, after, highest: number };
                let unexplained = self.unexplained.get_or_insert(first);
                unexplained.highest = unexplained.highest.max(number);
            }
        }
    }

    fn replace(&mut self, restore: u64, number: u64) {
        let replaced = self.replaced.entry(restore).or_default();
        *replaced = (*replaced).max(number);
    }

    /// Takes in the entry that tells of a restore.
    pub(super) fn restored(&mut self, entry: u64, is_announced: bool) {
        self.restores.push(entry);
        if !is_announced && let Some(unexplained) = self.unexplained.take() {
            self.replace(entry, unexplained.highest);
        }
    }

    /// The head that does not fit: the entry that holds it, and the fault.
    pub(super) fn rewritten(&self) -> Option<(u64, Fault)> {
        let Unexplained { entry, number, after, highest: _ } = self.unexplained?;
        Some((entry, Fault::Rewritten { number, after }))
    }

    /// The highest entry up to which signatures of the order key prove the entries: all of them, if the chain leads to
    /// the signed `last`; else up to the highest head in a journal that fits.
    pub(super) fn proved(&self, last: Option<&TranscriptHead>) -> u64 {
        let reached = last.filter(|last| {
            let index = last.number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
            index.and_then(|index| self.hashes.get(index)) == Some(&last.hash)
        });
        reached.map_or(self.matched, |last| last.number.max(self.matched))
    }

    /// What restores replaced.
    pub(super) fn replaced(&self) -> Vec<Replaced> {
        let replaced = |(restored_at, endorsed_to): (&u64, &u64)| Replaced {
            restored_at: *restored_at,
            endorsed_to: *endorsed_to,
        };
        self.replaced.iter().map(replaced).collect()
    }
}
