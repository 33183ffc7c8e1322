//! Verifies an export with nothing but the file: fed in pieces, in memory that does not depend on the file but for
//! 32 bytes an entry, and some 50 more for each whose body is blank.
//!
//! The control plane signed the first line, with the list of the endpoint's journals in it: nothing in it can be
//! removed, added or moved.
//!
//! Three chains hold each other. The transcript's headers carry each other's hashes, and the control plane signed
//! the last. Inside, the endpoint's journals carry their own hashes, and the endpoint signed the last of each. In a
//! journal stand signed heads of the transcript: so the endpoint confirms the transcript up to there, and whoever
//! rewrites it afterwards, the holder of the order key included, is found out or visibly left without that
//! confirmation.
//!
//! What it cannot know: whether the root key is the owner's (give its fingerprint), and whether the endpoint's keys
//! are those of the machine (compare [`Report::keys`]): whoever holds the order key can enrol a machine that does
//! not exist. An erased body is counted if an `erased` entry names it, and is a fault otherwise.

mod audit;
mod entries;
mod erasures;
mod form;
mod head_key;
mod heads;
mod journals;
mod lines;
mod listed;
mod report;
mod trust;

pub use audit::{AUDIT_EXPORT_BEGINS, AuditReport, AuditVerifier};
pub use head_key::HeadKey;
pub use lines::LINE_BYTES_MAX;
pub use report::{Fault, JournalReport, PROBLEMS_MAX, Problem, Replaced, Report};

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::transcript::TranscriptHeader;

use entries::Entries;
use lines::{Line, Lines};
use trust::Trust;

/// Verifies one export, piece by piece.
#[derive(Debug)]
pub struct Verifier {
    trusted_root: Option<Digest>,
    revoked: Vec<u64>,
    lines: Lines,
    stage: Stage,
    trust: Option<Trust>,
    entries: Entries,
    problems: Problems,
}

/// What the next line is.
#[derive(Debug)]
enum Stage {
    First,
    /// The first line did not read: nothing can be said of the rest.
    Refused,
    Header,
    /// The body of this header; `None`: of one that does not read.
    Body(Option<Box<TranscriptHeader>>),
}

/// The first problems, and how many there are.
#[derive(Debug, Default)]
struct Problems {
    listed: Vec<Problem>,
    more: u64,
}

impl Problems {
    fn add(&mut self, line: u64, entry: Option<u64>, fault: Fault) {
        if self.listed.len() < PROBLEMS_MAX {
            self.listed.push(Problem { line, entry, fault });
        } else {
            self.more += 1;
        }
    }
}

impl Verifier {
    /// A verifier of one file. `trusted_root` is the fingerprint of the owner's root key, as an enrolment code holds
    /// it; `None`: the file's own is believed, and the report says so.
    pub fn new(trusted_root: Option<Digest>) -> Self {
        Self {
            trusted_root,
            revoked: Vec::new(),
            lines: Lines::default(),
            stage: Stage::First,
            trust: None,
            entries: Entries::default(),
            problems: Problems::default(),
        }
    }

    /// The same verifier for a caller who knows these serials as revoked.
    #[must_use]
    pub fn with_revoked(self, revoked: Vec<u64>) -> Self {
        Self { revoked, ..self }
    }

    /// Takes the next bytes of the file, however they are cut.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(line) = self.lines.next(&mut rest) {
            self.line(&line);
        }
    }

    /// Ends the file and answers what it proves.
    pub fn finish(mut self) -> Report {
        if let Some(line) = self.lines.last() {
            self.line(&line);
        }
        let number = self.lines.count() + 1;
        match &self.stage {
            Stage::First => self.problems.add(1, None, Fault::Empty),
            Stage::Body(_) => {
                let entry = self.entries.last_number();
                self.entries.doubt(entry);
                self.problems.add(number, Some(entry), Fault::CutWithin);
            }
            Stage::Refused | Stage::Header => {}
        }
        let blanks: Vec<_> = self.entries.erasures.unexplained().collect();
        for (entry, line) in blanks {
            self.entries.doubt(entry);
            self.problems.add(line, Some(entry), Fault::Blank);
        }
        if let Some(trust) = &self.trust {
            self.entries.end(trust, &mut |entry, fault| self.problems.add(number, entry, fault));
        }
        self.report()
    }

    fn line(&mut self, line: &Line) {
        let number = self.lines.count();
        let (stage, entries) = (core::mem::replace(&mut self.stage, Stage::Refused), &mut self.entries);
        self.stage = match (stage, &self.trust) {
            (Stage::First, _) => return self.first_line(line),
            (Stage::Header, Some(trust)) => {
                let report = &mut |entry, fault| self.problems.add(number, entry, fault);
                Stage::Body(entries.header(trust, line, report).map(Box::new))
            }
            (Stage::Body(header), Some(trust)) => {
                if let Some(header) = header {
                    let report = &mut |entry, fault| self.problems.add(number, entry, fault);
                    entries.body(trust, &header, line, report);
                }
                Stage::Header
            }
            (Stage::Refused | Stage::Header | Stage::Body(_), _) => Stage::Refused,
        };
    }

    fn first_line(&mut self, line: &Line) {
        match line.text().and_then(|text| trust::read(text, self.trusted_root)) {
            Ok((trust, faults)) => {
                for fault in faults {
                    self.problems.add(1, None, fault);
                }
                self.trust = Some(trust);
                self.stage = Stage::Header;
            }
            Err(fault) => {
                self.problems.add(1, None, fault);
                self.stage = Stage::Refused;
            }
        }
    }

    fn report(self) -> Report {
        let entries = self.entries;
        let trust = self.trust.as_ref();
        let complete_to = trust.map_or(0, |trust| entries.complete_to(trust));
        let endorsed = entries.journals.endorsed().map(|endorsed| endorsed.min(complete_to));
        let endorsed_to = endorsed.filter(|endorsed| *endorsed > 0);
        Report {
            endpoint: trust.map(|trust| trust.endpoint),
            root: trust.map(|trust| trust.root),
            head_key: trust.map(|trust| trust.head_key(&self.revoked)),
            is_root_trusted: trust.is_some_and(|trust| self.trusted_root == Some(trust.root)),
            keys: trust
                .map(|trust| trust.keys.iter().map(PublicKey::fingerprint).collect())
                .unwrap_or_default(),
            entries: entries.count,
            complete_to,
            endorsed_to,
            told_to: entries.told_to,
            erased: entries.erasures.count(),
            erased_unendorsed: entries.erasures.count_after(endorsed_to.unwrap_or(0)),
            gaps: entries.gaps,
            journals: entries.journals.report(),
            replaced: entries.heads.replaced(),
            problems: self.problems.listed,
            problems_more: self.problems.more,
        }
    }
}
