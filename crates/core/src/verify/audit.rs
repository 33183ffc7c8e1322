//! Verifies an export of the directory's audit log with nothing but the file, fed in pieces, in memory that does not depend
//! on the file.
//!
//! There is one chain and one signature: each header carries the hash of the one before, and the control plane signed the
//! last. Nobody else endorses it, so the holder of the statement key can rewrite it. Copies kept elsewhere reveal that: an older
//! export is the beginning of a newer one, byte for byte. No body is ever erased, so one that is missing
//! is a fault.

use crate::chain::FORMAT_VERSION;
use crate::digest::Digest;
use crate::directory::DirectoryHeader;
use crate::export::{AUDIT_EXPORT_VERSION, AuditExportHead, AuditHead};
use crate::wire::OrderKeyCertificate;

use super::form::is_kind;
use super::head_key::{HeadKey, check_revoked};
use super::lines::{Line, Lines};
use super::{Fault, Problem, Problems};

/// How the first line of an export of an audit log begins.
pub const AUDIT_EXPORT_BEGINS: &[u8] = b"{\"tidegate_audit_export\":";

/// What an export of an audit log proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The fingerprint of the root key in the file; absent: the first line does not hold.
    pub root: Option<Digest>,
    /// Whether the caller named that root key. Otherwise anybody could have made the whole file.
    pub is_root_trusted: bool,
    /// The certificate that the file was signed under; absent: it does not hold.
    pub head_key: Option<HeadKey>,
    /// How many entries the file has.
    pub entries: u64,
    /// Every entry up to this one is there, in place and unaltered; 0: none is.
    pub complete_to: u64,
    /// What does not hold, in the order it was found; at most [`super::PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    pub problems_more: u64,
}

impl AuditReport {
    /// Whether nothing is wrong with the file.
    pub fn is_sound(&self) -> bool {
        self.root.is_some() && self.problems.is_empty()
    }
}

/// Verifies one export, piece by piece.
#[derive(Debug)]
pub struct AuditVerifier {
    trusted_root: Option<Digest>,
    revoked: Vec<u64>,
    lines: Lines,
    stage: Stage,
    root: Option<Digest>,
    certificate: Option<OrderKeyCertificate>,
    last: Option<AuditHead>,
    entries: u64,
    /// The last entry's number and hash; `None`: its header does not read, so the next one cannot be compared.
    at: (u64, Option<Digest>),
    /// The first entry that is not as it was written.
    doubtful: Option<u64>,
    problems: Problems,
}

#[derive(Debug)]
enum Stage {
    First,
    Refused,
    Header,
    /// The body of this header; `None`: of one that does not read.
    Body(Option<Box<DirectoryHeader>>),
}

impl AuditVerifier {
    /// A verifier of one file; `trusted_root` as of [`super::Verifier::new`].
    pub fn new(trusted_root: Option<Digest>) -> Self {
        Self {
            trusted_root,
            revoked: Vec::new(),
            lines: Lines::default(),
            stage: Stage::First,
            root: None,
            certificate: None,
            last: None,
            entries: 0,
            at: (0, Some(Digest::ZERO)),
            doubtful: None,
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
    pub fn finish(mut self) -> AuditReport {
        if let Some(line) = self.lines.last() {
            self.line(&line);
        }
        match &self.stage {
            Stage::First => self.problems.add(1, None, Fault::Empty),
            Stage::Body(_) => self.fault(self.at.0, Fault::CutWithin),
            Stage::Refused | Stage::Header => {}
        }
        self.end();
        let (number, _) = self.at;
        let signed_at = self.last.as_ref().map(|last| last.at);
        AuditReport {
            root: self.root,
            is_root_trusted: self.root.is_some() && self.root == self.trusted_root,
            head_key: self.certificate.map(|it| HeadKey::new(&it, signed_at, &self.revoked)),
            entries: self.entries,
            complete_to: self.doubtful.map_or(number, |doubtful| doubtful.saturating_sub(1).min(number)),
            problems: self.problems.listed,
            problems_more: self.problems.more,
        }
    }

    fn end(&mut self) {
        let (number, hash) = self.at;
        let Some(last) = &self.last else { return };
        let signed = last.number;
        if number < signed {
            let line = self.lines.count() + 1;
            self.problems.add(line, None, Fault::Cut { found: number, signed });
        } else if number > signed {
            self.fault(signed.saturating_add(1), Fault::Added { signed });
        } else if hash.is_some_and(|hash| hash != last.hash) {
            self.fault(number, Fault::LastHash);
        }
    }

    fn line(&mut self, line: &Line) {
        self.stage = match core::mem::replace(&mut self.stage, Stage::Refused) {
            Stage::First => match line.text().and_then(|text| self.first(text)) {
                Ok(()) => Stage::Header,
                Err(fault) => {
                    self.problems.add(1, None, fault);
                    Stage::Refused
                }
            },
            Stage::Header => Stage::Body(self.header(line).map(Box::new)),
            Stage::Body(header) => {
                if let Some(header) = header {
                    self.body(&header, line);
                }
                Stage::Header
            }
            Stage::Refused => Stage::Refused,
        };
    }

    fn first(&mut self, text: &str) -> Result<(), Fault> {
        let head: AuditExportHead =
            serde_json::from_str(text).map_err(|error| Fault::Head(error.to_string()))?;
        if head.tidegate_audit_export != AUDIT_EXPORT_VERSION {
            let found = head.tidegate_audit_export;
            return Err(Fault::Version { found, known: AUDIT_EXPORT_VERSION });
        }
        let root = head.authority.root.fingerprint();
        if let Some(trusted) = self.trusted_root.filter(|trusted| *trusted != root) {
            return Err(Fault::OtherRoot { trusted, found: root });
        }
        // One value has one writing, so no byte of the line is outside of what was signed.
        if serde_json::to_string(&head).ok().as_deref() != Some(text) {
            self.problems.add(1, None, Fault::Writing);
        }
        let certificate = head.authority.open_alone().map_err(Fault::Authority)?;
        if let Err(fault) = check_revoked(core::slice::from_ref(&certificate)) {
            self.problems.add(1, None, fault);
        }
        let statement_key = certificate.statement_key;
        (self.root, self.certificate) = (Some(root), Some(certificate));
        match head.head.open_alone::<AuditHead>(&statement_key).map_err(Fault::Statement) {
            Ok(last) => {
                if last.at != head.exported_at {
                    self.problems.add(1, None, Fault::ExportTime);
                }
                self.last = Some(last);
            }
            Err(fault) => self.problems.add(1, None, fault),
        }
        Ok(())
    }

    fn header(&mut self, line: &Line) -> Option<DirectoryHeader> {
        self.entries += 1;
        let (before, hash_before) = self.at;
        let expected = before.saturating_add(1);
        let read = |text: &str| -> Result<DirectoryHeader, Fault> {
            let header: DirectoryHeader =
                serde_json::from_str(text).map_err(|error| Fault::Header(error.to_string()))?;
            if header.link.v == FORMAT_VERSION {
                return Ok(header);
            }
            Err(Fault::Version { found: header.link.v, known: FORMAT_VERSION })
        };
        let (text, header) = match line.text().and_then(|text| Ok((text, read(text)?))) {
            Ok(read) => read,
            Err(fault) => {
                self.at = (expected, None);
                self.fault(expected, fault);
                return None;
            }
        };
        let number = header.link.number;
        if number != expected {
            self.fault(number.min(expected).max(1), Fault::Number { expected });
        } else if hash_before.is_some_and(|hash| hash != header.link.previous) {
            self.fault(before.max(1), Fault::Hash);
        }
        // An entry that stands too late was reported; the chain goes on from the one before it.
        if number >= expected {
            self.at = (number, Some(Digest::of(text)));
        }
        Some(header)
    }

    fn body(&mut self, header: &DirectoryHeader, line: &Line) {
        let number = header.link.number;
        match line.text() {
            Ok(text) if !header.link.holds(text) => self.fault(number, Fault::Body),
            Ok(text) if !is_kind(text, &header.kind) => self.fault(number, Fault::Kind),
            Ok(_) => {}
            Err(fault) => self.fault(number, fault),
        }
    }

    fn fault(&mut self, entry: u64, fault: Fault) {
        self.doubtful = Some(self.doubtful.map_or(entry, |doubtful| doubtful.min(entry)));
        self.problems.add(self.lines.count(), Some(entry), fault);
    }
}
