//! The transcript read back for people: pages bounded by bytes, and single entries whole.

use crate::api::{BodyLeftOut, Page, Paging, TranscriptEntryView};
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::packed;
use crate::page_bytes::{BODY_LISTED_BYTES_MAX, PAGE_BYTES_MAX, fitting};
use crate::sql::{INTEGER_MAX, ReadSql, Row, SqlError, Value};
use crate::transcript::{TranscriptBody, TranscriptHeader};

use super::object::endpoint_row;
use super::{claims, sync};

/// Which entries are listed.
#[derive(Clone, Copy, Debug)]
struct Listing {
    endpoint: EndpointId,
    sequence: Option<SequenceId>,
    is_newest_first: bool,
}

/// A page of the transcript. The cursor is the last number seen. Large bodies are left out.
pub(super) fn page(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    is_newest_first: bool,
    sequence: Option<SequenceId>,
    paging: &Paging,
) -> Result<Page<TranscriptEntryView>, Error> {
    endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let listing = Listing { endpoint, sequence, is_newest_first };
    let sizes = listing.sizes(db, listing.last_seen(paging)?, paging.limit)?;
    let shown = sizes.iter().take(paging.limit as usize).map(|(_, bytes)| *bytes);
    let count = fitting(shown, PAGE_BYTES_MAX);
    let (Some((first, _)), Some((last, _))) = (sizes.first(), sizes[..count].last()) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let mut items = listing.entries(db, *first.min(last), *first.max(last))?;
    claims::mark(db, endpoint, &mut items)?;
    let next = (sizes.len() > count).then(|| last.to_string());
    Ok(Page { items, next })
}

/// One entry with its whole body.
pub(super) fn entry(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    number: u64,
) -> Result<TranscriptEntryView, Error> {
    endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let number = number.min(INTEGER_MAX.unsigned_abs());
    let rows = db.query(
        "SELECT number, header, body, packed, NULL FROM transcript WHERE endpoint_id = ?1 AND number = ?2",
        &[endpoint.into(), number.into()],
    )?;
    let row =
        rows.first().ok_or_else(|| Error::not_found(format_args!("entry {number} of the transcript")))?;
    let mut view = entry_view(endpoint, row)?;
    claims::mark(db, endpoint, std::slice::from_mut(&mut view))?;
    Ok(view)
}

impl Listing {
    fn last_seen(&self, paging: &Paging) -> Result<u64, Error> {
        let highest = INTEGER_MAX.unsigned_abs();
        match &paging.cursor {
            None if self.is_newest_first => Ok(highest),
            None => Ok(0),
            Some(cursor) => (cursor.parse().ok())
                .filter(|number| *number <= highest)
                .ok_or_else(|| Error::invalid("this cursor is not one of this listing")),
        }
    }

    /// The numbers of the entries after `last_seen`, one more than `limit`, and the bytes that each takes on a page.
    fn sizes(&self, db: &dyn ReadSql, last_seen: u64, limit: u32) -> Result<Vec<(u64, u64)>, Error> {
        let limit = u64::from(limit) + 1;
        let mut parameters = vec![self.endpoint.into(), last_seen.into(), limit.into()];
        parameters.extend(self.sequence.map(Value::from));
        // The plus keeps the planner from the index by number, with every entry of the endpoint in it.
        let rows = db.query(
            match (self.sequence, self.is_newest_first) {
                (None, true) => {
                    "SELECT number, octet_length(header), coalesce(text_bytes, octet_length(body)) FROM transcript
                     WHERE endpoint_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
                }
                (None, false) => {
                    "SELECT number, octet_length(header), coalesce(text_bytes, octet_length(body)) FROM transcript
                     WHERE endpoint_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
                }
                (Some(_), true) => {
                    "SELECT number, octet_length(header), coalesce(text_bytes, octet_length(body)) FROM transcript
                     WHERE +endpoint_id = ?1 AND number < ?2 AND sequence_id = ?4 ORDER BY number DESC LIMIT ?3"
                }
                (Some(_), false) => {
                    "SELECT number, octet_length(header), coalesce(text_bytes, octet_length(body)) FROM transcript
                     WHERE +endpoint_id = ?1 AND number > ?2 AND sequence_id = ?4 ORDER BY number LIMIT ?3"
                }
            },
            &parameters,
        )?;
        let size = |row: &Row| {
            let body = row.optional_integer(2)?.map_or(0, i64::unsigned_abs);
            let listed = if body > BODY_LISTED_BYTES_MAX { 0 } else { body };
            Ok::<_, SqlError>((row.unsigned(0)?, row.unsigned(1)? + listed))
        };
        Ok(rows.iter().map(size).collect::<Result<_, _>>()?)
    }

    /// The entries from number `low` to `high`, without their large bodies.
    fn entries(&self, db: &dyn ReadSql, low: u64, high: u64) -> Result<Vec<TranscriptEntryView>, Error> {
        let mut parameters =
            vec![self.endpoint.into(), low.into(), high.into(), BODY_LISTED_BYTES_MAX.into()];
        parameters.extend(self.sequence.map(Value::from));
        let rows = db.query(
            match self.sequence {
                None => {
                    "SELECT number, header, CASE WHEN octet_length(body) <= ?4 THEN body END,
                         CASE WHEN text_bytes <= ?4 THEN packed END, coalesce(text_bytes, octet_length(body))
                     FROM transcript WHERE endpoint_id = ?1 AND number BETWEEN ?2 AND ?3 ORDER BY number"
                }
                Some(_) => {
                    "SELECT number, header, CASE WHEN octet_length(body) <= ?4 THEN body END,
                         CASE WHEN text_bytes <= ?4 THEN packed END, coalesce(text_bytes, octet_length(body))
                     FROM transcript WHERE +endpoint_id = ?1 AND number BETWEEN ?2 AND ?3 AND sequence_id = ?5
                     ORDER BY number"
                }
            },
            &parameters,
        )?;
        let view = |row: &Row| entry_view(self.endpoint, row);
        let mut entries: Vec<_> = rows.iter().map(view).collect::<Result<_, _>>()?;
        if self.is_newest_first {
            entries.reverse();
        }
        Ok(entries)
    }
}

/// Reads number, header, body, and the size of a body that may be left out.
fn entry_view(endpoint: EndpointId, row: &Row) -> Result<TranscriptEntryView, SqlError> {
    let number = row.unsigned(0)?;
    let header_text = row.text(1)?;
    let header: TranscriptHeader = row.json(1)?;
    let body = packed::text(row, 2)?;
    let bytes = row.optional_integer(4)?.map(i64::unsigned_abs).filter(|_| body.is_none());
    let body = body.and_then(|body| serde_json::from_str(&body).ok()).map(|body| body_view(&body));
    Ok(TranscriptEntryView {
        number,
        at: header.at,
        actor: header.actor,
        kind: header.kind,
        sequence_id: header.sequence,
        hash: crate::digest::Digest::of(header_text),
        previous_hash: header.link.previous,
        body,
        claimed: false,
        left_out: bytes.map(|bytes| BodyLeftOut::of(endpoint, number, bytes)),
    })
}

/// A body as people read it: of a journal entry, what the journal said.
fn body_view(body: &TranscriptBody) -> serde_json::Value {
    let shown = match body {
        TranscriptBody::Journal { body, .. } => serde_json::from_str(body),
        other => serde_json::to_value(other),
    };
    shown.unwrap_or(serde_json::Value::Null)
}
