//! The entries of a request as one chain, read once.

use crate::digest::Digest;
use crate::journal::{BODY_BYTES_MAX, HEADER_BYTES_MAX, JournalBody, JournalHeader};
use crate::packed;
use crate::transcript::TranscriptBody;

use super::sync_request::SyncRequest;

/// One journal entry whose place in its chain was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Chained {
    /// Its header.
    pub header: JournalHeader,
    /// Its hash.
    pub hash: Digest,
    /// What it says; `None`: a newer runtime says it in words that this program cannot read.
    pub body: Option<JournalBody>,
    /// How the transcript will store it, where that is packed. Made here because a request is parsed on a reader, and the
    /// writer has no time for it.
    pub packed: Option<Vec<u8>>,
}

/// Why entries are not one chain of the journal that they come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOneChain {
    /// A header or body is longer than any runtime makes them.
    #[error("the journal entries are larger than allowed")]
    TooLarge,
    /// A header is not one of a journal entry.
    #[error("the journal entries do not read")]
    Unreadable,
    /// One does not follow from the one before it.
    #[error("the journal entries are not one chain")]
    Broken,
    /// The last is not the head, or past it.
    #[error("the journal entries do not lead to the head that the request states")]
    OtherHead,
}

pub(super) fn chain_of(request: &SyncRequest) -> Result<Vec<Chained>, NotOneChain> {
    let line = &request.line;
    let mut number_before = line.after.unwrap_or(line.journal.number);
    let mut previous: Option<Digest> = request.gap.as_ref().map(|gap| gap.hash);
    let mut chain = Vec::with_capacity(request.entries.len());
    for entry in &request.entries {
        let body = entry.body.as_deref().unwrap_or_default();
        if entry.header.len() > HEADER_BYTES_MAX || body.len() > BODY_BYTES_MAX {
            return Err(NotOneChain::TooLarge);
        }
        let header: JournalHeader =
            serde_json::from_str(&entry.header).map_err(|_| NotOneChain::Unreadable)?;
        let is_next = header.link.number == number_before + 1 && header.journal == line.journal.id;
        let continues = previous.is_none_or(|previous| previous == header.link.previous);
        if !is_next || !continues || !header.link.holds(body) {
            return Err(NotOneChain::Broken);
        }
        let hash = entry.hash();
        previous = Some(hash);
        number_before += 1;
        let packed = packed::pack(&TranscriptBody::of_journal(entry).to_text());
        chain.push(Chained { header, hash, body: serde_json::from_str(body).ok(), packed });
    }
    let ends_at_head = chain.last().is_none_or(|last| last.hash == line.journal.hash);
    if number_before > line.journal.number || (number_before == line.journal.number && !ends_at_head) {
        return Err(NotOneChain::OtherHead);
    }
    Ok(chain)
}
