//! The list of journals in the first line, compared with the transcript: each `candidate` entry adds one.

use crate::digest::Digest;
use crate::export::ExportJournal;
use crate::id::JournalId;
use crate::transcript::TranscriptBody;
use crate::wire::journals_digest;

use super::report::Fault;

/// The list as the first line has it.
#[derive(Debug)]
pub(super) struct Listed {
    ids: Vec<JournalId>,
    /// The digest over the first so many journals: `digests[0]` is over none.
    digests: Vec<Digest>,
}

/// The `candidate` entries met so far, by number.
#[derive(Debug, Default)]
pub(super) struct Candidates(Vec<u64>);

impl Listed {
    pub(super) fn new(journals: &[ExportJournal]) -> Self {
        let mut digests = vec![Digest::ZERO];
        for (index, journal) in journals.iter().enumerate() {
            digests.push(journals_digest(digests[index], journal.id, &journal.key));
        }
        Self { ids: journals.iter().map(|journal| journal.id).collect(), digests }
    }
}

impl Candidates {
    /// Adds a `candidate` entry.
    pub(super) fn add(&mut self, number: u64) {
        self.0.push(number);
    }

    /// Compares the body of the last `candidate` entry with its place in the list.
    pub(super) fn compare(&self, listed: &Listed, body: &str) -> Result<(), Fault> {
        let Ok(TranscriptBody::Candidate { journal, .. }) = serde_json::from_str(body) else {
            return Err(Fault::Kind);
        };
        let place = self.0.len();
        let is_listed = place.checked_sub(1).and_then(|index| listed.ids.get(index)) == Some(&journal);
        if is_listed { Ok(()) } else { Err(Fault::JournalUnlisted(journal)) }
    }

    /// Checks that an entry of `journal` follows the `candidate` entry of that journal.
    pub(super) fn check(&self, listed: &Listed, journal: JournalId) -> Result<(), Fault> {
        let is_listed = listed.ids.iter().take(self.0.len()).any(|id| *id == journal);
        if is_listed { Ok(()) } else { Err(Fault::JournalUnlisted(journal)) }
    }

    /// Compares the digest in a head about entry `number` with the list as it was there. A head of an older control
    /// plane has none.
    pub(super) fn endorsed(&self, listed: &Listed, number: u64, digest: Option<Digest>) -> Result<(), Fault> {
        let Some(digest) = digest else { return Ok(()) };
        let count = self.0.partition_point(|candidate| *candidate <= number);
        let is_same = listed.digests.get(count) == Some(&digest);
        if is_same { Ok(()) } else { Err(Fault::JournalsEndorsed { number }) }
    }

    /// Whether the transcript tells of every journal in the list.
    pub(super) fn end(&self, listed: &Listed) -> Result<(), Fault> {
        let (found, listed) = (self.0.len(), listed.ids.len());
        if found == listed { Ok(()) } else { Err(Fault::JournalCount { found, listed }) }
    }
}
