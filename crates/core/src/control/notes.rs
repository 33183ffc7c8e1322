//! What people write on a machine itself: notes and tags.

use crate::api::NoteView;
use crate::call::Principal;
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::ReadSql;
use crate::time::Timestamp;
use crate::transcript::TranscriptBody;

use super::object::Object;

/// Longest note in bytes.
const NOTE_BYTES_MAX: usize = 10_000;
/// Most notes kept and shown beside the transcript, which has them all.
const KEPT_MAX: u64 = 50;
/// Most tags of one machine, and the longest in bytes: what fits a line of a listing.
const TAGS_MAX: usize = 20;
const TAG_BYTES_MAX: usize = 50;

impl Object<'_> {
    /// Writes on the machine.
    pub(super) fn note_machine(&mut self, by: &Principal, text: String) -> Result<(), Error> {
        check_note(&text)?;
        let body = TranscriptBody::Noted { text };
        let number = self.record(&by.email, None, &body)?;
        let TranscriptBody::Noted { text } = body else { unreachable!("it was just made") };
        self.db.execute(
            "INSERT INTO endpoint_note (endpoint_id, number, author, at, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            &[self.id.into(), number.into(), by.email.as_str().into(), self.cx.now.into(), text.into()],
        )?;
        self.db.execute(
            "DELETE FROM endpoint_note WHERE endpoint_id = ?1 AND number <= (SELECT number FROM endpoint_note
             WHERE endpoint_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            &[self.id.into(), KEPT_MAX.into()],
        )?;
        Ok(())
    }
}

/// The newest notes, newest first.
pub(super) fn newest(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<NoteView>, Error> {
    let rows = db.query(
        "SELECT author, at, text FROM endpoint_note WHERE endpoint_id = ?1 ORDER BY number DESC LIMIT ?2",
        &[endpoint.into(), KEPT_MAX.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(NoteView {
                by: row.text(0)?.to_owned(),
                at: Timestamp::from_milliseconds(row.integer(1)?),
                text: row.text(2)?.to_owned(),
            })
        })
        .collect()
}

/// Judges a note: 1 to 10,000 bytes, and not of spaces alone.
pub(super) fn check_note(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() || text.len() > NOTE_BYTES_MAX {
        return Err(Error::invalid(format!("a note has 1 to {NOTE_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Judges tags and answers them without the spaces around them, each once.
pub(super) fn check_tags(given: Vec<String>) -> Result<Vec<String>, Error> {
    if given.len() > TAGS_MAX {
        return Err(Error::invalid(format!("a machine has at most {TAGS_MAX} tags")));
    }
    let mut tags: Vec<String> = Vec::with_capacity(given.len());
    for tag in given {
        let tag = tag.trim();
        if tag.is_empty() || tag.len() > TAG_BYTES_MAX || tag.contains(char::is_control) {
            let detail = format!("a tag has 1 to {TAG_BYTES_MAX} bytes and no control characters");
            return Err(Error::invalid(detail));
        }
        if tags.iter().all(|known| known != tag) {
            tags.push(tag.to_owned());
        }
    }
    Ok(tags)
}
