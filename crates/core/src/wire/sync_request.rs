//! A request to sync, as it is read and written.
//!
//! It is read in two steps: [`SignedLine`] first, whose signature a host verifies before it reads any further byte, then
//! the [`SyncContent`] that the line signs.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::chain::Entry;
use crate::digest::{Digest, DigestWriter};
use crate::envelope::{Envelope, EnvelopeError};
use crate::keys::PublicKey;
use crate::sql::INTEGER_MAX;

use super::chained::{Chained, NotOneChain, chain_of};
use super::sync::{Gap, PROOFS_MAX, Proof, SYNC_BYTES_MAX, SYNC_ENTRIES_MAX, SYNC_LINE_BYTES_MAX, SyncLine};

/// A request as it was received, checked for its form and not for its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncRequest {
    /// The first line as it claims to be.
    pub line: SyncLine,
    /// The envelope around it.
    pub signed: Envelope,
    /// What stands in for pruned entries.
    pub gap: Option<Gap>,
    /// Signed work that the control plane asked for.
    pub proofs: Vec<Proof>,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// What was found out about it: a request is judged on a reader and handled by a writer, which has no time to find
    /// it out again. Whoever alters the request parses it anew.
    found: Found,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    signed_by: OnceLock<PublicKey>,
    chain: OnceLock<Result<Vec<Chained>, NotOneChain>>,
}

/// The first line of a request and the envelope around it, checked for its form only.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedLine {
    /// The line as it claims to be.
    pub line: SyncLine,
    /// The envelope around it.
    pub signed: Envelope,
    signed_by: OnceLock<PublicKey>,
}

/// What follows the first line, hashed as it arrives.
#[derive(Clone, Debug)]
pub struct SyncContent {
    bytes: Vec<u8>,
    bytes_max: usize,
    hasher: DigestWriter,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    signed: Envelope,
}

/// Why a request's form is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncParseError {
    /// Larger than [`SYNC_BYTES_MAX`].
    #[error("a sync has at most {SYNC_BYTES_MAX} bytes")]
    TooLarge,
    /// The first line is longer than [`SYNC_LINE_BYTES_MAX`].
    #[error("the first line of a sync has at most {SYNC_LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// The first line does not read.
    #[error("the first line does not read: {0}")]
    Line(String),
    /// The envelope around the first line does not read.
    #[error("the first line does not read: {0}")]
    Envelope(EnvelopeError),
    /// What follows is not what the first line signs, or is not lines of headers and bodies.
    #[error("the entries are not the ones that the first line signs")]
    Content,
    /// More than [`PROOFS_MAX`] proofs.
    #[error("a sync has at most {PROOFS_MAX} proofs")]
    Proofs,
    /// More than [`SYNC_ENTRIES_MAX`] entries.
    #[error("a sync has at most {SYNC_ENTRIES_MAX} entries")]
    Entries,
}

impl SignedLine {
    /// Parses the first line, without the line feed that ends it.
    ///
    /// # Errors
    ///
    /// [`SyncParseError::LineTooLong`], [`SyncParseError::Line`] or [`SyncParseError::Envelope`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SyncParseError> {
        if bytes.len() > SYNC_LINE_BYTES_MAX {
            return Err(SyncParseError::LineTooLong);
        }
        let FirstLine { signed } =
            serde_json::from_slice(bytes).map_err(|error| SyncParseError::Line(error.to_string()))?;
        let line = signed.peek::<SyncLine>().map_err(SyncParseError::Envelope)?;
        check_numbers(numbers(&line))?;
        Ok(Self { line, signed, signed_by: OnceLock::new() })
    }

    /// Whether `key` signed the line.
    pub fn verify(&self, key: &PublicKey) -> bool {
        verify(&self.signed, &self.line, &self.signed_by, key)
    }

    /// An empty content that takes as many bytes as this line leaves of [`SYNC_BYTES_MAX`].
    pub fn content(&self, line_bytes: usize) -> SyncContent {
        let bytes_max = SYNC_BYTES_MAX.saturating_sub(line_bytes + 1);
        SyncContent { bytes: Vec::new(), bytes_max, hasher: DigestWriter::default() }
    }
}

impl SyncContent {
    /// How many bytes were taken.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// [`SyncParseError::TooLarge`]; nothing of the piece is kept then.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), SyncParseError> {
        if piece.len() > self.bytes_max - self.bytes.len() {
            return Err(SyncParseError::TooLarge);
        }
        self.hasher.update(piece);
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl SyncRequest {
    /// Parses a whole request. Nothing of it is believed yet: see [`Self::verify`].
    ///
    /// # Errors
    ///
    /// [`SyncParseError`]; a request cut in half never parses, since its first line signs the rest.
    pub fn parse(bytes: &[u8]) -> Result<Self, SyncParseError> {
        let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let line = SignedLine::parse(&bytes[..split])?;
        let mut content = line.content(split);
        content.push(bytes.get(split + 1..).unwrap_or_default())?;
        Self::complete(line, content)
    }

    /// Joins a first line and the content that followed it. Whether the line was verified carries over.
    ///
    /// # Errors
    ///
    /// [`SyncParseError`] where the line does not sign exactly this content, or the content is not lines of entries.
    pub fn complete(first: SignedLine, content: SyncContent) -> Result<Self, SyncParseError> {
        let SignedLine { line, signed, signed_by } = first;
        let Parsed { gap, proofs, entries } = parse_content(&line, content)?;
        check_numbers(gap.as_ref().map(|gap| gap.number))?;
        let found = Found { signed_by, chain: OnceLock::new() };
        Ok(Self { line, signed, gap, proofs, entries, found })
    }

    /// Writes a request: signs `line` after filling in the digest of the content.
    pub fn seal(
        line: SyncLine,
        gap: Option<&Gap>,
        entries: &[Entry],
        keys: &dyn crate::keys::Sign,
    ) -> Vec<u8> {
        Self::seal_with_proofs(line, gap, &[], entries, keys)
    }

    /// Writes a request that also carries signed work which the control plane asked for.
    pub fn seal_with_proofs(
        mut line: SyncLine,
        gap: Option<&Gap>,
        proofs: &[Proof],
        entries: &[Entry],
        keys: &dyn crate::keys::Sign,
    ) -> Vec<u8> {
        let content = write_content(gap, proofs, entries);
        line.gap = gap.is_some();
        line.proofs = u32::try_from(proofs.len()).unwrap_or(u32::MAX);
        line.content = (!content.is_empty()).then(|| Digest::of(&content));
        let signed = Envelope::seal(&line, keys, crate::keys::Role::Endpoint);
        let mut bytes = serde_json::to_vec(&FirstLine { signed }).expect("protocol messages serialize");
        assert!(bytes.len() <= SYNC_LINE_BYTES_MAX, "every field of a first line is bounded");
        if !content.is_empty() {
            bytes.push(b'\n');
            bytes.extend_from_slice(&content);
        }
        bytes
    }

    /// Whether `key` signed the first line.
    pub fn verify(&self, key: &PublicKey) -> bool {
        verify(&self.signed, &self.line, &self.found.signed_by, key)
    }

    /// The bytes of all headers and bodies: what it costs to check and to store them.
    pub fn content_bytes(&self) -> usize {
        let bytes = |entry: &Entry| entry.header.len() + entry.body.as_deref().map_or(0, str::len);
        self.entries.iter().map(bytes).sum()
    }

    /// The entries as one chain of the journal that the first line names.
    ///
    /// # Errors
    ///
    /// [`NotOneChain`]: a defect of the endpoint, and nothing of the request is taken.
    pub fn chain(&self) -> Result<&[Chained], NotOneChain> {
        let chain = self.found.chain.get_or_init(|| chain_of(self));
        chain.as_deref().map_err(|error| *error)
    }
}

fn verify(signed: &Envelope, line: &SyncLine, signed_by: &OnceLock<PublicKey>, key: &PublicKey) -> bool {
    if signed_by.get() == Some(key) {
        return true;
    }
    let holds = signed.open::<SyncLine>(key).is_ok_and(|signed| signed == *line);
    if holds {
        // Another key can only have signed the same bytes too, and the first one found is as good.
        let _ = signed_by.set(*key);
    }
    holds
}

/// Every place in a log that the line names: none is looked up that no host could store.
fn numbers(line: &SyncLine) -> impl Iterator<Item = u64> {
    let others = [
        line.orders.map(|head| head.number),
        line.after,
        line.failures.map(|failures| failures.number),
        Some(line.journal.number),
        Some(line.serial),
    ];
    others.into_iter().flatten()
}

fn check_numbers(numbers: impl IntoIterator<Item = u64>) -> Result<(), SyncParseError> {
    if numbers.into_iter().any(|number| number > INTEGER_MAX.unsigned_abs()) {
        return Err(SyncParseError::Line("a place in a log is beyond 2^53 - 1".into()));
    }
    Ok(())
}

fn write_content(gap: Option<&Gap>, proofs: &[Proof], entries: &[Entry]) -> Vec<u8> {
    let mut lines: Vec<String> = Vec::with_capacity(entries.len() * 2 + proofs.len() + 1);
    if let Some(gap) = gap {
        lines.push(serde_json::to_string(gap).expect("protocol messages serialize"));
    }
    lines.extend(
        proofs.iter().map(|proof| serde_json::to_string(proof).expect("protocol messages serialize")),
    );
    for entry in entries {
        lines.push(entry.header.clone());
        lines.push(entry.body.clone().unwrap_or_default());
    }
    lines.join("\n").into_bytes()
}

/// What follows the first line.
#[derive(Default)]
struct Parsed {
    gap: Option<Gap>,
    proofs: Vec<Proof>,
    entries: Vec<Entry>,
}

fn parse_content(line: &SyncLine, content: SyncContent) -> Result<Parsed, SyncParseError> {
    let SyncContent { bytes, hasher, bytes_max: _ } = content;
    match line.content {
        None if bytes.is_empty() && !line.gap && line.proofs == 0 => return Ok(Parsed::default()),
        Some(digest) if digest == hasher.finish() => {}
        None | Some(_) => return Err(SyncParseError::Content),
    }
    let text = core::str::from_utf8(&bytes).map_err(|_| SyncParseError::Content)?;
    let mut lines = text.split('\n');
    let gap = match (line.gap, line.gap.then(|| lines.next()).flatten()) {
        (false, _) => None,
        (true, Some(first)) => Some(serde_json::from_str(first).map_err(|_| SyncParseError::Content)?),
        (true, None) => return Err(SyncParseError::Content),
    };
    if line.proofs as usize > PROOFS_MAX {
        return Err(SyncParseError::Proofs);
    }
    let mut proofs = Vec::new();
    for _ in 0..line.proofs {
        let proof = lines.next().ok_or(SyncParseError::Content)?;
        proofs.push(serde_json::from_str(proof).map_err(|_| SyncParseError::Content)?);
    }
    let mut entries = Vec::new();
    while let Some(header) = lines.next() {
        let body = lines.next().ok_or(SyncParseError::Content)?;
        if entries.len() == SYNC_ENTRIES_MAX {
            return Err(SyncParseError::Entries);
        }
        entries.push(Entry { header: header.to_owned(), body: Some(body.to_owned()) });
    }
    Ok(Parsed { gap, proofs, entries })
}
