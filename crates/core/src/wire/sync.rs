//! A sync: one round trip that moves both logs forward.
//!
//! A request is lines of JSON. The first is the [`SyncLine`], signed or, when nothing moves, with an idle
//! token. Where entries travel, they follow as two lines each, header and body, byte for byte as they are
//! stored and hashed; the first line signs the digest of everything after it. An answer is one JSON object.

use serde::{Deserialize, Serialize};

use crate::chain::Entry;
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, Payload};
use crate::id::{BootId, EndpointId, JournalId, LogId, RequestId};
use crate::journal::Known;
use crate::keys::PublicKey;
use crate::sequence::STEPS_MAX;
use crate::sql::INTEGER_MAX;
use crate::time::Timestamp;

use super::order::Offered;

/// Largest request body after decompression, in bytes: a full batch of the largest results.
pub const SYNC_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most entries of one request.
pub const SYNC_ENTRIES_MAX: usize = 1_024;

/// Where one log stands: which, how far, and the hash there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head<I> {
    /// Which log or journal.
    pub id: I,
    /// How many entries are held; 0: none.
    pub number: u64,
    /// The hash of the last of them; zeros when there is none.
    pub hash: Digest,
}

/// The first line of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncLine {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// Who speaks.
    pub endpoint: EndpointId,
    /// Comes back in the answer (R5).
    pub request: RequestId,
    /// This start of the runtime.
    pub boot: BootId,
    /// The endpoint's wall clock, uncorrected: what skew is measured with.
    pub wall: Timestamp,
    /// Its journal as it stands, entries of this request included.
    pub journal: Head<JournalId>,
    /// The order log it has taken up; absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<Head<LogId>>,
    /// The number of the entry before the first one sent; absent where none are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// The digest of every byte after this line's end; absent where nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
    /// Entries asked for are gone (R10): the first line of the content is a [`Gap`].
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub gap: bool,
    /// Copies of the next order that did not verify (R13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
    /// How long the answer may be held when there is nothing to say; 0: not at all.
    #[serde(default)]
    pub hold_ms: u64,
}

impl Payload for SyncLine {
    const TYPE: &'static str = "application/vnd.tidegate.sync.v1+json";
}

/// How often the order after the cursor came altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// The order log.
    pub log: LogId,
    /// The order's place.
    pub number: u64,
    /// How many copies.
    pub count: u32,
}

/// What stands in for pruned entries: the hash before the first kept one, and every known outcome (R10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The last pruned entry's number.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
    /// Every outcome the endpoint knows.
    pub known: Known,
}

/// A request as it was received, checked for its form and not for its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncRequest {
    /// The first line as it claims to be.
    pub line: SyncLine,
    /// How it proves itself.
    pub proof: SyncProof,
    /// What stands in for pruned entries.
    pub gap: Option<Gap>,
    /// The entries, in order.
    pub entries: Vec<Entry>,
}

/// How a request proves who sent it.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncProof {
    /// The envelope around the first line.
    Signed(Envelope),
    /// The idle token of an earlier answer.
    Token(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Envelope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle: Option<SyncLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Why a request's form is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncParseError {
    /// Larger than [`SYNC_BYTES_MAX`].
    #[error("a sync has at most {SYNC_BYTES_MAX} bytes")]
    TooLarge,
    /// The first line does not read.
    #[error("the first line does not read: {0}")]
    Line(String),
    /// The envelope around the first line does not read.
    #[error("the first line does not read: {0}")]
    Envelope(EnvelopeError),
    /// What follows is not what the first line signs, or is not lines of headers and bodies.
    #[error("the entries are not the ones that the first line signs")]
    Content,
    /// More than [`SYNC_ENTRIES_MAX`] entries.
    #[error("a sync has at most {SYNC_ENTRIES_MAX} entries")]
    Entries,
}

impl SyncRequest {
    /// Reads a request. Nothing of it is believed yet: see [`Self::verify`].
    ///
    /// # Errors
    ///
    /// [`SyncParseError`]; a request cut in half never reads, since its first line signs the rest.
    pub fn parse(bytes: &[u8]) -> Result<Self, SyncParseError> {
        if bytes.len() > SYNC_BYTES_MAX {
            return Err(SyncParseError::TooLarge);
        }
        let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let content = bytes.get(split + 1..).unwrap_or_default();
        let first: FirstLine = serde_json::from_slice(&bytes[..split])
            .map_err(|error| SyncParseError::Line(error.to_string()))?;
        let (line, proof) = match first {
            FirstLine { signed: Some(envelope), idle: None, token: None } => {
                (envelope.peek::<SyncLine>().map_err(SyncParseError::Envelope)?, SyncProof::Signed(envelope))
            }
            FirstLine { signed: None, idle: Some(line), token: Some(token) } => {
                (line, SyncProof::Token(token))
            }
            FirstLine { .. } => {
                return Err(SyncParseError::Line("give `signed`, or `idle` and `token`".into()));
            }
        };
        let (gap, entries) = parse_content(&line, content)?;
        let request = Self { line, proof, gap, entries };
        if request.numbers().any(|number| number > INTEGER_MAX.unsigned_abs()) {
            return Err(SyncParseError::Line("a place in a log is beyond 2^53 - 1".into()));
        }
        Ok(request)
    }

    /// Writes a request: signs `line` after filling in the digest of the content.
    pub fn seal(
        mut line: SyncLine,
        gap: Option<&Gap>,
        entries: &[Entry],
        keys: &dyn crate::keys::Sign,
    ) -> Vec<u8> {
        let content = write_content(gap, entries);
        line.gap = gap.is_some();
        line.content = (!content.is_empty()).then(|| Digest::of(&content));
        let signed = Some(Envelope::seal(&line, keys, crate::keys::Role::Endpoint));
        let mut bytes = write_first(&FirstLine { signed, idle: None, token: None });
        if !content.is_empty() {
            bytes.push(b'\n');
            bytes.extend_from_slice(&content);
        }
        bytes
    }

    /// Writes an idle request: no entries, admitted by `token`.
    pub fn idle(line: SyncLine, token: String) -> Vec<u8> {
        write_first(&FirstLine { signed: None, idle: Some(line), token: Some(token) })
    }

    /// Every place in a log that the request names: none is looked up that no host could store.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let line = &self.line;
        let others = [
            line.orders.map(|head| head.number),
            line.after,
            line.failures.map(|failures| failures.number),
            self.gap.as_ref().map(|gap| gap.number),
        ];
        others.into_iter().flatten().chain([line.journal.number])
    }

    /// Whether `key` signed the first line. A request with a token is not signed.
    pub fn verify(&self, key: &PublicKey) -> bool {
        match &self.proof {
            SyncProof::Signed(envelope) => envelope.open::<SyncLine>(key).is_ok_and(|line| line == self.line),
            SyncProof::Token(_) => false,
        }
    }
}

fn write_first(first: &FirstLine) -> Vec<u8> {
    serde_json::to_vec(first).expect("protocol messages serialize")
}

fn write_content(gap: Option<&Gap>, entries: &[Entry]) -> Vec<u8> {
    let mut lines: Vec<String> = Vec::with_capacity(entries.len() * 2 + 1);
    if let Some(gap) = gap {
        lines.push(serde_json::to_string(gap).expect("protocol messages serialize"));
    }
    for entry in entries {
        lines.push(entry.header.clone());
        lines.push(entry.body.clone().unwrap_or_default());
    }
    lines.join("\n").into_bytes()
}

fn parse_content(line: &SyncLine, content: &[u8]) -> Result<(Option<Gap>, Vec<Entry>), SyncParseError> {
    match line.content {
        None if content.is_empty() && !line.gap => return Ok((None, Vec::new())),
        Some(digest) if digest == Digest::of(content) => {}
        None | Some(_) => return Err(SyncParseError::Content),
    }
    let text = core::str::from_utf8(content).map_err(|_| SyncParseError::Content)?;
    let mut lines = text.split('\n');
    let gap = match (line.gap, line.gap.then(|| lines.next()).flatten()) {
        (false, _) => None,
        (true, Some(first)) => Some(serde_json::from_str(first).map_err(|_| SyncParseError::Content)?),
        (true, None) => return Err(SyncParseError::Content),
    };
    let mut entries = Vec::new();
    while let Some(header) = lines.next() {
        let body = lines.next().ok_or(SyncParseError::Content)?;
        if entries.len() == SYNC_ENTRIES_MAX {
            return Err(SyncParseError::Entries);
        }
        entries.push(Entry { header: header.to_owned(), body: Some(body.to_owned()) });
    }
    Ok((gap, entries))
}

/// What the control plane holds of the journal that spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalAnswer {
    /// The journal, how many of its entries are held durably, and the hash there.
    #[serde(flatten)]
    pub head: Head<JournalId>,
    /// What it is to the control plane.
    pub state: crate::api::JournalState,
}

/// The answer to a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// [`super::PROTOCOL_VERSION`].
    pub v: u32,
    /// The request it answers; the endpoint uses no other (R5).
    pub request: RequestId,
    /// The control plane's time.
    pub at: Timestamp,
    /// What it holds of the journal.
    pub journal: JournalAnswer,
    /// Orders the endpoint lacks, in order: at most a few hundred KiB, more follow in the next sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<Offered>,
    /// A signed [`super::Void`] about the order after the endpoint's cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<Envelope>,
    /// A signed [`super::TranscriptHead`] for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Envelope>,
    /// Admits idle syncs for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// More is waiting: sync again at once.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub more: bool,
}

/// Most outcomes of one `opened`, `continued` or gap: the list is bounded by count.
pub const KNOWN_MAX: usize = 4_096;

const _: () = assert!(STEPS_MAX <= 256, "an outcome lists its steps");
