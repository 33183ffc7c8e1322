//! Blank bodies and the `erased` entries that explain them.
//!
//! An empty body line proves nothing by itself: anyone can blank a line. It counts as erased only if a later entry
//! of the chain names its number and the digest that its header carries. The control plane signed that entry.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::transcript::TranscriptBody;

use super::report::Fault;

/// Kinds whose body is never erased. They hold no output and no names, and the proof needs them.
const KEPT: [&str; 4] = ["erased", "gap", "journal.head", "restored"];

/// The blank bodies so far.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    /// Blank bodies that no `erased` entry has named yet.
    unexplained: BTreeMap<u64, Blank>,
    /// The numbers of the `erased` entries that named one.
    named_by: Vec<u64>,
}

/// Where a blank body is, and the digest of the body that stood there.
#[derive(Clone, Copy, Debug)]
struct Blank {
    line: u64,
    body: Digest,
}

impl Erasures {
    /// Adds the blank body of entry `number`, on `line`.
    pub(super) fn blank(&mut self, number: u64, kind: &str, line: u64, body: Digest) -> Result<(), Fault> {
        if KEPT.contains(&kind) {
            return Err(Fault::NeverErased);
        }
        self.unexplained.entry(number).or_insert(Blank { line, body });
        Ok(())
    }

    /// Matches the body of the `erased` entry at `number` with the blank body that it names.
    pub(super) fn erased(&mut self, number: u64, body: &str) -> Result<(), Fault> {
        let Ok(TranscriptBody::Erased { number: named, body: digest, reason: _ }) =
            serde_json::from_str(body)
        else {
            return Err(Fault::Kind);
        };
        let is_earlier = named < number;
        let fits = is_earlier && self.unexplained.get(&named).is_some_and(|blank| blank.body == digest);
        if !fits {
            return Err(Fault::Erasure { named });
        }
        self.unexplained.remove(&named);
        self.named_by.push(number);
        Ok(())
    }

    /// How many bodies were erased.
    pub(super) fn count(&self) -> u64 {
        self.named_by.len() as u64
    }

    /// How many of the `erased` entries lie after `endorsed`.
    pub(super) fn count_after(&self, endorsed: u64) -> u64 {
        self.named_by.iter().filter(|number| **number > endorsed).count() as u64
    }

    /// The blank bodies that no entry explains: entry and line.
    pub(super) fn unexplained(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.unexplained.iter().map(|(number, blank)| (*number, blank.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Digest = Digest([7; 32]);

    fn names(number: u64, body: Digest) -> String {
        serde_json::to_string(&TranscriptBody::Erased { number, body, reason: None }).unwrap()
    }

    fn with_blank(number: u64) -> Erasures {
        let mut erasures = Erasures::default();
        erasures.blank(number, "queued", 2 * number + 1, BODY).unwrap();
        erasures
    }

    #[test]
    fn a_later_entry_with_number_and_digest_explains_a_blank_body() {
        let mut erasures = with_blank(3);
        assert_eq!(erasures.unexplained().collect::<Vec<_>>(), [(3, 7)]);
        assert_eq!(erasures.erased(9, &names(3, BODY)), Ok(()));
        assert_eq!((erasures.unexplained().count(), erasures.count()), (0, 1));
        assert_eq!([8, 9].map(|endorsed| erasures.count_after(endorsed)), [1, 0]);
    }

    #[test]
    fn no_other_entry_does() {
        for (at, named, body) in [(9, 4, BODY), (9, 3, Digest([8; 32])), (3, 3, BODY), (2, 3, BODY)] {
            let mut erasures = with_blank(3);
            assert_eq!(erasures.erased(at, &names(named, body)), Err(Fault::Erasure { named }));
            assert_eq!(erasures.unexplained().count(), 1);
        }
        assert_eq!(with_blank(3).erased(9, "{\"kind\":\"erased\"}"), Err(Fault::Kind));
    }

    #[test]
    fn a_second_entry_about_one_body_names_nothing() {
        let mut erasures = with_blank(3);
        assert_eq!(erasures.erased(9, &names(3, BODY)), Ok(()));
        assert_eq!(erasures.erased(10, &names(3, BODY)), Err(Fault::Erasure { named: 3 }));
    }

    #[test]
    fn what_the_proof_needs_is_never_erased() {
        for kind in KEPT {
            assert_eq!(Erasures::default().blank(3, kind, 7, BODY), Err(Fault::NeverErased));
        }
    }
}
