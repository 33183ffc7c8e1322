//! Headers and bodies as texts: whether they read, and whether they are what they are called.

use serde::Deserialize;

use crate::chain::FORMAT_VERSION;
use crate::digest::Digest;
use crate::journal::JournalHeader;
use crate::transcript::{JournalPlace, TranscriptBody, TranscriptHeader};

use super::report::Fault;

/// How the kinds of journal entries begin.
pub(super) const JOURNAL_PREFIX: &str = "journal.";

/// The one field that every body has.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// Reads a transcript header of a version that is known.
pub(super) fn read_header(text: &str) -> Result<TranscriptHeader, Fault> {
    let header: TranscriptHeader =
        serde_json::from_str(text).map_err(|error| Fault::Header(error.to_string()))?;
    if header.link.v == FORMAT_VERSION {
        Ok(header)
    } else {
        Err(Fault::Version { found: header.link.v, known: FORMAT_VERSION })
    }
}

/// The body of the journal entry inside `text`, if it is the one that `place` and the header's kind name.
pub(super) fn journal_entry(header: &TranscriptHeader, place: JournalPlace, text: &str) -> Option<String> {
    let Ok(TranscriptBody::Journal { header: inner, body }) = serde_json::from_str(text) else { return None };
    let parsed: JournalHeader = serde_json::from_str(&inner).ok()?;
    let is_named = Digest::of(&inner) == place.hash
        && parsed.journal == place.id
        && parsed.link.number == place.number
        && parsed.link.previous == place.previous
        && header.kind.strip_prefix(JOURNAL_PREFIX) == Some(parsed.kind.as_str());
    let is_whole = parsed.link.holds(&body) && is_kind(&body, &parsed.kind);
    (is_named && is_whole).then_some(body)
}

/// Whether `body` names this kind, also where this program cannot read the rest.
pub(super) fn is_kind(body: &str, kind: &str) -> bool {
    serde_json::from_str::<Kind>(body).is_ok_and(|found| found.kind == kind)
}
