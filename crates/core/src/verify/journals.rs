//! The endpoint's journals inside the transcript: each a chain of its own, confirmed by the endpoint's signature.
//!
//! A signature over one journal entry confirms the ones before it only as far as their hashes provably lead there.
//! An erased body hides the header that held the hash before, and a gap has no entries at all: both cut the
//! signature off from what stands before them, whatever the transcript claims.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::id::JournalId;
use crate::transcript::JournalPlace;
use crate::wire::Head;

use super::report::{Fault, JournalReport};

/// Most journals of one file. A control plane keeps a hundred of an endpoint: ten times as many are an attack, and
/// the rest of the file is not followed.
const JOURNALS_MAX: usize = 1_000;

/// Every journal met so far.
#[derive(Debug, Default)]
pub(super) struct Journals {
    chains: BTreeMap<JournalId, JournalChain>,
}

#[derive(Debug)]
struct JournalChain {
    /// The last entry, and its hash where it is known.
    number: u64,
    hash: Option<Digest>,
    /// Since which entry every hash provably leads to the next.
    linked_from: u64,
    /// The highest transcript entry that the entries since then confirm.
    endorsed: Option<u64>,
    /// What the endpoint's signature turned out to confirm.
    covered: Option<Covered>,
}

#[derive(Clone, Copy, Debug)]
struct Covered {
    from: u64,
    to: u64,
    endorsed: Option<u64>,
}

/// One journal entry as the transcript gave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) place: JournalPlace,
    /// Whether the entry itself was there and is the one that `place` names.
    pub(super) is_proved: bool,
    /// The transcript entry that it confirms as it stands.
    pub(super) endorses: Option<u64>,
}

impl Journals {
    /// Takes in the next entry of a journal; `signed` is the endpoint's statement about that journal.
    pub(super) fn entry(&mut self, seen: Seen, signed: Option<&Head<JournalId>>) -> Result<(), Fault> {
        let place = seen.place;
        let chain = chain_of(&mut self.chains, place.id)?;
        let expected = chain.number.saturating_add(1);
        let continues = place.number == expected && chain.hash.is_none_or(|hash| hash == place.previous);
        if !continues || !seen.is_proved {
            // The hash before is a mere claim: what stands there is not confirmed by what follows.
            chain.linked_from = place.number;
            chain.endorsed = None;
        }
        chain.number = place.number;
        chain.hash = Some(place.hash);
        if seen.is_proved {
            chain.endorsed = chain.endorsed.max(seen.endorses);
        }
        let compared = chain.compare(place.id, signed);
        if continues { compared } else { Err(Fault::JournalChain { journal: place.id, expected }) }
    }

    /// Takes in that the entries of `journal` after `after` up to `through` are gone.
    pub(super) fn gap(
        &mut self,
        journal: JournalId,
        after: u64,
        through: u64,
        hash: Digest,
        signed: Option<&Head<JournalId>>,
    ) -> Result<(), Fault> {
        let chain = chain_of(&mut self.chains, journal)?;
        let fits = chain.number == after && through > after;
        if fits {
            (chain.number, chain.hash) = (through, Some(hash));
            (chain.linked_from, chain.endorsed) = (through, None);
            chain.compare(journal, signed)
        } else {
            Err(Fault::Gap(journal))
        }
    }

    /// The highest transcript entry that the endpoint's signatures confirm.
    pub(super) fn endorsed(&self) -> Option<u64> {
        self.chains.values().filter_map(|chain| chain.covered?.endorsed).max()
    }

    /// What the endpoint signed and the file does not have.
    pub(super) fn missing<'a>(
        &'a self,
        signed: &'a BTreeMap<JournalId, Head<JournalId>>,
    ) -> impl Iterator<Item = Fault> + 'a {
        signed.values().filter_map(|head| {
            let found = self.chains.get(&head.id).map_or(0, |chain| chain.number);
            let is_missing = found < head.number;
            is_missing.then_some(Fault::JournalCut { journal: head.id, signed: head.number, found })
        })
    }

    /// How far each journal reaches.
    pub(super) fn report(&self) -> Vec<JournalReport> {
        let report = |(id, chain): (&JournalId, &JournalChain)| JournalReport {
            id: *id,
            number: chain.number,
            signed_to: chain.covered.map(|covered| covered.to),
            signed_from: chain.covered.map(|covered| covered.from),
        };
        self.chains.iter().map(report).collect()
    }
}

impl JournalChain {
    /// Compares the last entry with the one that the endpoint signed.
    fn compare(&mut self, journal: JournalId, signed: Option<&Head<JournalId>>) -> Result<(), Fault> {
        match signed {
            Some(signed) if signed.number == self.number && Some(signed.hash) == self.hash => {
                self.covered =
                    Some(Covered { from: self.linked_from, to: self.number, endorsed: self.endorsed });
                Ok(())
            }
            Some(signed) if signed.number == self.number => {
                Err(Fault::JournalRewritten { journal, number: self.number })
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn chain_of(
    chains: &mut BTreeMap<JournalId, JournalChain>,
    journal: JournalId,
) -> Result<&mut JournalChain, Fault> {
    if chains.len() >= JOURNALS_MAX && !chains.contains_key(&journal) {
        return Err(Fault::Journals(JOURNALS_MAX));
    }
    Ok(chains.entry(journal).or_insert_with(|| JournalChain {
        number: 0,
        hash: Some(Digest::ZERO),
        linked_from: 1,
        endorsed: None,
        covered: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: JournalId = JournalId::from_bytes([1; 10]);

    fn hash(number: u64) -> Digest {
        if number == 0 { Digest::ZERO } else { Digest::of(number.to_be_bytes()) }
    }

    fn take(
        journals: &mut Journals,
        number: u64,
        is_proved: bool,
        endorses: Option<u64>,
    ) -> Result<(), Fault> {
        let place = JournalPlace { id: JOURNAL, number, hash: hash(number), previous: hash(number - 1) };
        let signed = Head { id: JOURNAL, number: 3, hash: hash(3) };
        journals.entry(Seen { place, is_proved, endorses }, Some(&signed))
    }

    #[test]
    fn a_signature_confirms_what_hashes_lead_to() {
        let mut journals = Journals::default();
        for (number, endorses) in [(1, Some(5)), (2, None), (3, None), (4, Some(9))] {
            assert_eq!(take(&mut journals, number, true, endorses), Ok(()));
        }
        assert_eq!(journals.endorsed(), Some(5), "entry 4 is not signed");
    }

    #[test]
    fn a_forged_entry_cannot_hide_behind_an_erased_one() {
        let mut journals = Journals::default();
        for (number, is_proved, endorses) in [(1, true, Some(5)), (2, false, None), (3, true, None)] {
            assert_eq!(take(&mut journals, number, is_proved, endorses), Ok(()));
        }
        assert_eq!(journals.endorsed(), None);
        assert_eq!(journals.report()[0].signed_from, Some(2));
    }

    #[test]
    fn a_claimed_gap_carries_no_signature_over() {
        let mut journals = Journals::default();
        assert_eq!(take(&mut journals, 1, true, Some(5)), Ok(()));
        assert_eq!(journals.gap(JOURNAL, 1, 2, hash(2), None), Ok(()));
        assert_eq!(take(&mut journals, 3, true, None), Ok(()));
        assert_eq!(journals.endorsed(), None);
    }

    #[test]
    fn another_entry_than_the_signed_one_is_a_rewritten_journal() {
        let mut journals = Journals::default();
        assert_eq!(take(&mut journals, 1, true, None), Ok(()));
        let signed = Head { id: JOURNAL, number: 2, hash: hash(7) };
        let place = JournalPlace { id: JOURNAL, number: 2, hash: hash(2), previous: hash(1) };
        let seen = Seen { place, is_proved: true, endorses: None };
        let rewritten = Fault::JournalRewritten { journal: JOURNAL, number: 2 };
        assert_eq!(journals.entry(seen, Some(&signed)), Err(rewritten));
    }
}
