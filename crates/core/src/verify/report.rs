//! What a verification answers: how far the record is whole, how far the endpoint stands behind it, and every
//! problem with the place where it was found.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::digest::Digest;
use crate::envelope::EnvelopeError;
use crate::id::{EndpointId, JournalId};

use super::head_key::HeadKey;

/// Most problems that a report lists; the rest are counted. A damaged file has one or two, garbage has millions.
pub const PROBLEMS_MAX: usize = 100;

/// What an export proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The endpoint it is about; absent: the first line does not read.
    pub endpoint: Option<EndpointId>,
    /// The fingerprint of the root key in the file, to compare with the owner's where none was given.
    pub root: Option<Digest>,
    /// The certificate that the file was signed under; absent: none in it holds.
    pub head_key: Option<HeadKey>,
    /// Whether the caller named that root key. Otherwise anybody could have made the whole file.
    pub is_root_trusted: bool,
    /// The fingerprints of the keys that the endpoint enrolled with, to compare with the machine's own: whoever
    /// holds the order key could enrol another.
    pub keys: Vec<Digest>,
    /// How many entries the file has.
    pub entries: u64,
    /// Every entry up to this one is there, in place and unaltered; 0: none is.
    pub complete_to: u64,
    /// The last entry that the endpoint's own signed journal confirms; absent: none.
    pub endorsed_to: Option<u64>,
    /// The last entry that is worth confirming: the ones after it are the record of that very endorsement.
    pub told_to: u64,
    /// Bodies that were erased, each named by an `erased` entry. Their headers are whole.
    pub erased: u64,
    /// How many of those `erased` entries the endpoint has not confirmed: the control plane alone states them.
    pub erased_unendorsed: u64,
    /// Spans of journal entries that the endpoint declared gone.
    pub gaps: u64,
    /// The endpoint's journals, by id.
    pub journals: Vec<JournalReport>,
    /// Histories that the endpoint confirmed and that a restore of the control plane replaced.
    pub replaced: Vec<Replaced>,
    /// What does not hold, in the order it was found; at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    pub problems_more: u64,
}

/// How far one journal reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalReport {
    /// Which.
    pub id: JournalId,
    /// Its last entry in the file.
    pub number: u64,
    /// The last of its entries that the endpoint's signature confirms; absent: none.
    pub signed_to: Option<u64>,
    /// The first entry that the signature provably reaches: an erased body, or a gap, cuts it off from the ones
    /// before.
    pub signed_from: Option<u64>,
}

/// A history that a restore replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// The entry that tells of the restore.
    pub restored_at: u64,
    /// How far the endpoint had confirmed the history before.
    pub endorsed_to: u64,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line of the file, from 1; one past the last for what is missing at the end.
    pub line: u64,
    /// The transcript entry it is about; absent: about the file as a whole.
    pub entry: Option<u64>,
    /// What.
    #[serde(rename = "message", serialize_with = "as_text")]
    pub fault: Fault,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no first line.
    #[error("the file is empty")]
    Empty,
    /// The first line does not read.
    #[error("the first line is not the head of an export: {0}")]
    Head(String),
    /// The format is of a newer program.
    #[error("the format has version {found} and this program reads {known}: use a newer one")]
    Version {
        /// In the file.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The format is of an older program, whose signature did not cover the first line.
    #[error(
        "the format has version {found}, whose signature does not cover the list of journals: export the record again"
    )]
    OldExport {
        /// In the file.
        found: u32,
    },
    /// The first line has the right values in another writing.
    #[error("the first line is not written as a control plane writes it: it was altered")]
    Writing,
    /// Something in the first line was removed, added, replaced or moved.
    #[error(
        "the first line is not the one that the control plane signed: something in it was altered, removed or added"
    )]
    Front,
    /// The head is one that a sync sent.
    #[error("the signed head was made for the machine's journal and not for an export: it was put here")]
    HeadOfSync,
    /// The list of journals is not the signed one.
    #[error("the control plane signed another list of journals")]
    JournalList,
    /// The key of a journal has no certificate.
    #[error("the key of journal {place} has no enrolment certificate in the first line")]
    JournalKey {
        /// Which, from 1.
        place: usize,
    },
    /// A journal stands in the list twice.
    #[error("journal {place} stands in the list a second time")]
    JournalTwice {
        /// Which, from 1.
        place: usize,
    },
    /// An entry is about a journal that the list does not have at that place.
    #[error("the list of journals does not have journal `{0}` here: it was altered or shortened")]
    JournalUnlisted(JournalId),
    /// The transcript tells of more or fewer journals than the list has.
    #[error("the record tells of {found} journals and the list has {listed}")]
    JournalCount {
        /// In the transcript.
        found: usize,
        /// In the list.
        listed: usize,
    },
    /// The endpoint confirmed another list of journals.
    #[error("the endpoint confirmed another list of journals at entry {number}: the list was rewritten")]
    JournalsEndorsed {
        /// The entry.
        number: u64,
    },
    /// The file's root key is not the one the caller trusts.
    #[error(
        "the root key has the fingerprint {found}, and not {trusted}: this is the record of another owner"
    )]
    OtherRoot {
        /// What the caller gave.
        trusted: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The root key did not certify the order key.
    #[error("the order key's certificate does not hold: {0}")]
    Authority(EnvelopeError),
    /// A certificate of an earlier order key does not hold.
    #[error("certificate {place} of the order keys does not hold: {error}")]
    Certificate {
        /// Which, from 1.
        place: usize,
        /// Why.
        error: EnvelopeError,
    },
    /// The file revokes the key that signed it.
    #[error("certificate {by} revokes certificate {serial}, under which this file was signed")]
    Revoked {
        /// The serial that the head was signed under.
        serial: u64,
        /// The serial of the certificate that revokes it.
        by: u64,
    },
    /// An enrolment certificate does not hold.
    #[error("enrolment certificate {place} does not hold: {error}")]
    Enrolment {
        /// Which, from 1.
        place: usize,
        /// Why.
        error: EnvelopeError,
    },
    /// The statement about the last entry does not hold.
    #[error("the control plane's statement about the last entry does not hold: {0}")]
    Statement(EnvelopeError),
    /// The time in the first line is not the signed one.
    #[error("the first line names another time of export than the control plane signed")]
    ExportTime,
    /// The endpoint's statement about one of its journals does not hold.
    #[error("the endpoint's statement {place} about a journal does not hold: {error}")]
    JournalStatement {
        /// Which, from 1.
        place: usize,
        /// Why.
        error: EnvelopeError,
    },
    /// A statement or certificate is about another endpoint.
    #[error("something signed for another endpoint stands in the first line")]
    ElsewhereSigned,
    /// A line is longer than any genuine one.
    #[error("the line is longer than {0} bytes")]
    LineTooLong(usize),
    /// A line is no text.
    #[error("the line is not UTF-8")]
    Text,
    /// The header does not read.
    #[error("the header does not read: {0}")]
    Header(String),
    /// The number is not the next one.
    #[error("entry {expected} should stand here: entries were removed, added or moved")]
    Number {
        /// The one that should come.
        expected: u64,
    },
    /// The chain is broken behind this entry.
    #[error("its hash is not the one that the entry after it carries: it was altered")]
    Hash,
    /// The body is not the one that the header was made for.
    #[error("the body is not the one that the header was made for: it was altered")]
    Body,
    /// The body is blank and nothing says that it was erased.
    #[error("the body is blank and no later entry says that it was erased: it was removed")]
    Blank,
    /// The body of a kind that is never erased is blank.
    #[error("the body is blank, and bodies of this kind are never erased: it was removed")]
    NeverErased,
    /// An `erased` entry that names no blank body before it.
    #[error("it says that the body of entry {named} was erased, and no such body is blank before it")]
    Erasure {
        /// The entry it names.
        named: u64,
    },
    /// The entry belongs to another endpoint.
    #[error("the entry is about another endpoint")]
    Elsewhere,
    /// Header and body name different kinds.
    #[error("header and body name different kinds of entry")]
    Kind,
    /// The journal entry inside is not the one that the header names.
    #[error("the journal entry inside is not the one that the header names: it was replaced")]
    JournalEntry,
    /// The journal's chain is broken before this entry.
    #[error("entry {expected} of journal `{journal}` should follow: the journal was altered or shortened")]
    JournalChain {
        /// Which.
        journal: JournalId,
        /// The entry that should come.
        expected: u64,
    },
    /// A gap that does not begin where the journal stands.
    #[error("the gap does not begin where journal `{0}` stands")]
    Gap(JournalId),
    /// More journals than an endpoint can have.
    #[error("the file has more than {0} journals")]
    Journals(usize),
    /// A signed transcript head in the journal does not hold.
    #[error("the control plane's statement in the journal does not hold: {0}")]
    Endorsement(EnvelopeError),
    /// The endpoint confirmed another record.
    #[error("the endpoint confirmed another entry {number}: the record was rewritten after entry {after}")]
    Rewritten {
        /// The entry it confirmed.
        number: u64,
        /// The last entry before it that it confirmed as it stands; 0: none.
        after: u64,
    },
    /// The endpoint signed another journal.
    #[error("the endpoint signed another entry {number} of journal `{journal}`: the journal was rewritten")]
    JournalRewritten {
        /// Which.
        journal: JournalId,
        /// The entry it signed.
        number: u64,
    },
    /// The endpoint signed more of a journal than there is.
    #[error("the endpoint signed {signed} entries of journal `{journal}`, the file ends at {found}")]
    JournalCut {
        /// Which.
        journal: JournalId,
        /// How many it signed.
        signed: u64,
        /// How many there are.
        found: u64,
    },
    /// The file ends within an entry.
    #[error("the file ends within the entry: its body is missing")]
    CutWithin,
    /// The file is shorter than signed.
    #[error("the file ends at entry {found}, the control plane signed {signed}: the end was cut off")]
    Cut {
        /// The last entry.
        found: u64,
        /// The one the control plane signed as the last.
        signed: u64,
    },
    /// The file is longer than signed.
    #[error("the control plane signed {signed} entries: the ones after it were added")]
    Added {
        /// The one the control plane signed as the last.
        signed: u64,
    },
    /// The last entry is not the signed one.
    #[error("its hash is not the one that the control plane signed as the last: it was altered")]
    LastHash,
}

impl Report {
    /// Whether nothing in the file was changed, dropped, moved or cut off, as far as [`Self::complete_to`] and
    /// [`Self::endorsed_to`] say.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether the endpoint confirms everything but the record of that very confirmation.
    pub fn is_fully_endorsed(&self) -> bool {
        self.is_sound() && self.endorsed_to.is_some_and(|endorsed| endorsed >= self.told_to)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "complete to {}, ", self.complete_to)?;
        match self.endorsed_to {
            Some(endorsed) => write!(formatter, "endorsed by the endpoint to {endorsed}")?,
            None => formatter.write_str("not endorsed by the endpoint")?,
        }
        if self.is_fully_endorsed() && self.endorsed_to < Some(self.complete_to) {
            formatter.write_str(" (what follows is the record of that endorsement)")?;
        }
        for replaced in &self.replaced {
            let Replaced { restored_at, endorsed_to } = replaced;
            write!(formatter, "; the control plane was set back at entry {restored_at}")?;
            write!(formatter, ", the endpoint had confirmed another record to {endorsed_to}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(formatter, "line {}, entry {entry}: {}", self.line, self.fault),
            None => write!(formatter, "line {}: {}", self.line, self.fault),
        }
    }
}

fn as_text<S: Serializer>(fault: &Fault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(fault)
}
