//! The transcript's entries, one after the other.

use crate::digest::Digest;
use crate::journal::JournalBody;
use crate::transcript::{JournalPlace, TranscriptBody, TranscriptHeader};

use super::erasures::Erasures;
use super::form::{JOURNAL_PREFIX, is_kind, journal_entry, read_header};
use super::heads::Heads;
use super::journals::{Journals, Seen};
use super::lines::Line;
use super::listed::Candidates;
use super::report::Fault;
use super::trust::Trust;

/// Where a fault goes: with the entry it is about.
type Report<'a> = &'a mut dyn FnMut(Option<u64>, Fault);

/// The kind of the entry that records an endorsement.
const ENDORSEMENT: &str = "journal.head";
/// The kind of the entry that adds a journal to the list.
const CANDIDATE: &str = "candidate";

/// Everything that lasts from entry to entry.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) count: u64,
    pub(super) told_to: u64,
    pub(super) erasures: Erasures,
    pub(super) gaps: u64,
    pub(super) journals: Journals,
    pub(super) heads: Heads,
    candidates: Candidates,
    /// The last entry in place.
    number: u64,
    /// Its hash; `None`: its header does not read.
    hash: Option<Digest>,
    /// The first entry that is in doubt.
    doubtful: Option<u64>,
    is_unbroken: Unbroken,
}

/// Whether every entry so far stood in place with the hash it must have.
#[derive(Debug)]
struct Unbroken(bool);

impl Default for Unbroken {
    fn default() -> Self {
        Self(true)
    }
}

impl Entries {
    /// The last entry in place.
    pub(super) fn last_number(&self) -> u64 {
        self.number
    }

    /// Every entry up to this one is there and unaltered, and signatures prove it.
    pub(super) fn complete_to(&self, trust: &Trust) -> u64 {
        let undoubted = self.doubtful.map_or(self.number, |doubtful| doubtful.saturating_sub(1));
        undoubted.min(self.number).min(self.heads.proved(trust.last.as_ref()))
    }

    /// From `entry` on the record is in doubt.
    pub(super) fn doubt(&mut self, entry: u64) {
        self.doubtful = Some(self.doubtful.map_or(entry, |doubtful| doubtful.min(entry)));
    }

    /// Takes a header in and answers it, for its body.
    pub(super) fn header(
        &mut self,
        trust: &Trust,
        line: &Line,
        report: Report<'_>,
    ) -> Option<TranscriptHeader> {
        self.count += 1;
        let expected = self.number.saturating_add(1);
        let (text, header) = match line.text().and_then(|text| Ok((text, read_header(text)?))) {
            Ok(read) => read,
            Err(fault) => {
                self.broken(expected);
                (self.number, self.hash) = (expected, None);
                report(Some(expected), fault);
                return None;
            }
        };
        let number = header.link.number;
        let hash = Digest::of(text);
        if number != expected {
            self.broken(number.min(expected));
            report(Some(number), Fault::Number { expected });
        } else if self.hash_before() != Some(header.link.previous) && (self.hash.is_some() || number == 1) {
            self.broken(number.saturating_sub(1).max(1));
            report(Some(number.saturating_sub(1).max(1)), Fault::Hash);
        }
        if header.endpoint != trust.endpoint {
            self.doubt(number);
            report(Some(number), Fault::Elsewhere);
        }
        if self.is_unbroken.0 {
            self.heads.hash_add(hash);
        }
        // An entry that stands too late was reported; the chain goes on from the one before it.
        if number >= expected {
            (self.number, self.hash) = (number, Some(hash));
        }
        if header.kind == CANDIDATE {
            self.candidates.add(number);
        }
        if header.kind != ENDORSEMENT {
            self.told_to = self.told_to.max(number);
        }
        Some(header)
    }

    fn hash_before(&self) -> Option<Digest> {
        if self.number == 0 { Some(Digest::ZERO) } else { self.hash }
    }

    fn broken(&mut self, entry: u64) {
        self.is_unbroken = Unbroken(false);
        self.doubt(entry);
    }

    /// Takes in the body of `header`.
    pub(super) fn body(&mut self, trust: &Trust, header: &TranscriptHeader, line: &Line, report: Report<'_>) {
        let number = header.link.number;
        for fault in self.body_faults(trust, header, line) {
            self.doubt(number);
            report(Some(number), fault);
        }
    }

    fn body_faults(&mut self, trust: &Trust, header: &TranscriptHeader, line: &Line) -> Vec<Fault> {
        let mut faults = Vec::new();
        let is_journal = header.kind.starts_with(JOURNAL_PREFIX);
        if is_journal != header.journal.is_some() {
            faults.push(Fault::Kind);
        }
        let text = match line.text() {
            Ok(text) if header.link.holds(text) => Some(text),
            _ if line.is_empty() => {
                let (number, kind) = (header.link.number, header.kind.as_str());
                faults.extend(self.erasures.blank(number, kind, line.number, header.link.body).err());
                None
            }
            Ok(_) => {
                faults.push(Fault::Body);
                None
            }
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        let mut told = |result: Result<(), Fault>| faults.extend(result.err());
        match (header.journal, text) {
            (Some(place), None) => told(self.journal_take(trust, place, false, None)),
            (Some(place), Some(text)) => self.journal_body(trust, header, place, text, &mut told),
            (None, None) => {}
            (None, Some(text)) => self.plain_body(trust, header, text, &mut told),
        }
        faults
    }

    /// A journal entry: its own header and body inside the transcript's body.
    fn journal_body(
        &mut self,
        trust: &Trust,
        header: &TranscriptHeader,
        place: JournalPlace,
        text: &str,
        told: &mut dyn FnMut(Result<(), Fault>),
    ) {
        let Some(body) = journal_entry(header, place, text) else {
            told(Err(Fault::JournalEntry));
            told(self.journal_take(trust, place, false, None));
            return;
        };
        // A body of a newer runtime may not read: its kind and its place are checked all the same.
        let endorses = match serde_json::from_str(&body) {
            Ok(JournalBody::Head { head }) => {
                let number = header.link.number;
                let compared = self.heads.compare(trust, &self.candidates, number, &head);
                compared.unwrap_or_else(|fault| {
                    told(Err(fault));
                    None
                })
            }
            Ok(_) | Err(_) => None,
        };
        told(self.journal_take(trust, place, true, endorses));
    }

    fn journal_take(
        &mut self,
        trust: &Trust,
        place: JournalPlace,
        is_proved: bool,
        endorses: Option<u64>,
    ) -> Result<(), Fault> {
        self.candidates.check(&trust.listed, place.id)?;
        self.journals.entry(Seen { place, is_proved, endorses }, trust.signed.get(&place.id))
    }

    /// What the control plane tells by itself.
    fn plain_body(
        &mut self,
        trust: &Trust,
        header: &TranscriptHeader,
        text: &str,
        told: &mut dyn FnMut(Result<(), Fault>),
    ) {
        if !is_kind(text, &header.kind) {
            told(Err(Fault::Kind));
        }
        match header.kind.as_str() {
            "erased" => return told(self.erasures.erased(header.link.number, text)),
            CANDIDATE => return told(self.candidates.compare(&trust.listed, text)),
            "gap" | "restored" => {}
            _ => return,
        }
        match serde_json::from_str(text) {
            Ok(TranscriptBody::Gap { journal, after, through, hash }) => {
                self.gaps += 1;
                told(self.journals.gap(journal, after, through, hash, trust.signed.get(&journal)));
            }
            Ok(TranscriptBody::Restored { announced }) => self.heads.restored(header.link.number, announced),
            Ok(_) | Err(_) => told(Err(Fault::Kind)),
        }
    }

    /// Compares the end of the file with what was signed.
    pub(super) fn end(&mut self, trust: &Trust, report: Report<'_>) {
        for fault in self.journals.missing(&trust.signed) {
            report(None, fault);
        }
        if let Some((entry, fault)) = self.heads.rewritten() {
            if let Fault::Rewritten { after, .. } = fault {
                self.doubt(after.saturating_add(1));
            }
            report(Some(entry), fault);
        }
        if let Err(fault) = self.candidates.end(&trust.listed) {
            report(None, fault);
        }
        let Some(last) = &trust.last else { return };
        if self.number < last.number {
            report(None, Fault::Cut { found: self.number, signed: last.number });
        } else if self.number > last.number {
            self.doubt(last.number.saturating_add(1));
            report(Some(last.number.saturating_add(1)), Fault::Added { signed: last.number });
        } else if self.hash_before().is_some_and(|hash| hash != last.hash) {
            self.doubt(self.number);
            report(Some(self.number), Fault::LastHash);
        }
    }
}
