//! The transcript read back: pages for people, and exports.

use crate::api::{Page, Paging, TranscriptEntryView};
use crate::call::Context;
use crate::chain::Entry;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::export::{EXPORT_VERSION, ExportHead, ExportJournal};
use crate::id::{EndpointId, SequenceId};
use crate::packed;
use crate::sql::{ReadSql, Row};
use crate::transcript::{TranscriptBody, TranscriptHeader};
use crate::wire::PROTOCOL_VERSION;

use super::object::endpoint_row;
use super::{claims, store, sync};

/// Most bytes of one page of an export: a host streams page by page and holds one at a time.
const EXPORT_PAGE_BYTES: usize = 1024 * 1024;

/// A page of the transcript. The cursor is the last number seen.
pub(super) fn page(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    is_newest_first: bool,
    sequence: Option<SequenceId>,
    paging: &Paging,
) -> Result<Page<TranscriptEntryView>, Error> {
    endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let last_seen: u64 = match &paging.cursor {
        None if is_newest_first => crate::sql::INTEGER_MAX as u64,
        None => 0,
        Some(cursor) => cursor
            .parse()
            .ok()
            .filter(|number| *number <= crate::sql::INTEGER_MAX as u64)
            .ok_or_else(|| Error::invalid("this cursor is not one of this listing"))?,
    };
    let limit = u64::from(paging.limit);
    let rows = match sequence {
        None => db.query(
            if is_newest_first {
                "SELECT number, header, body, packed FROM transcript WHERE endpoint_id = ?1 AND number < ?2
                 ORDER BY number DESC LIMIT ?3"
            } else {
                "SELECT number, header, body, packed FROM transcript WHERE endpoint_id = ?1 AND number > ?2
                 ORDER BY number LIMIT ?3"
            },
            &[endpoint.into(), last_seen.into(), (limit + 1).into()],
        )?,
        // The plus keeps the planner from the index by number, with every entry of the endpoint in it.
        Some(sequence) => db.query(
            if is_newest_first {
                "SELECT number, header, body, packed FROM transcript
                 WHERE +endpoint_id = ?1 AND number < ?2 AND sequence_id = ?4 ORDER BY number DESC LIMIT ?3"
            } else {
                "SELECT number, header, body, packed FROM transcript
                 WHERE +endpoint_id = ?1 AND number > ?2 AND sequence_id = ?4 ORDER BY number LIMIT ?3"
            },
            &[endpoint.into(), last_seen.into(), (limit + 1).into(), sequence.into()],
        )?,
    };
    let mut items: Vec<_> = rows.iter().take(limit as usize).map(entry_view).collect::<Result<_, _>>()?;
    claims::mark(db, endpoint, &mut items)?;
    let next = items.last().filter(|_| rows.len() as u64 > limit).map(|last| last.number.to_string());
    Ok(Page { items, next })
}

fn entry_view(row: &Row) -> Result<TranscriptEntryView, Error> {
    let header_text = row.text(1)?;
    let header: TranscriptHeader = row.json(1)?;
    let body = packed::text(row, 2)?
        .and_then(|body| serde_json::from_str(&body).ok())
        .map(|body: TranscriptBody| body_view(&body));
    Ok(TranscriptEntryView {
        number: header.link.number,
        at: header.at,
        actor: header.actor,
        kind: header.kind,
        sequence_id: header.sequence,
        claimed: false,
        hash: crate::digest::Digest::of(header_text),
        previous_hash: header.link.previous,
        body,
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

/// The first line of an export of everything up to now.
pub(super) fn export_head(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
) -> Result<ExportHead, Error> {
    let row = endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let journals = store::journals_load(db, endpoint)?.into_iter().map(|journal| ExportJournal {
        id: journal.head.id,
        key: journal.key,
        line: journal.signed,
    });
    let unsigned = ExportHead {
        tidegate_export: EXPORT_VERSION,
        endpoint,
        exported_at: cx.now,
        authority: cx.authority.clone(),
        enrolments: store::keys_load(db, endpoint)?.into_iter().map(|(_, enrolment)| enrolment).collect(),
        journals: journals.collect(),
        head: Envelope::default(),
    };
    Ok(unsigned.sealed(PROTOCOL_VERSION, row.transcript_number, row.transcript_hash, cx.keys))
}

/// The entries after `after` up to `through`, as many as fit a page.
pub(super) fn export_entries(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    after: u64,
    through: u64,
) -> Result<Vec<(u64, Entry)>, Error> {
    // A page is read by number: bodies are at most half a MiB, most are a few hundred bytes.
    let rows = db.query(
        "SELECT number, header, body, packed FROM transcript WHERE endpoint_id = ?1 AND number > ?2 AND number <= ?3
         ORDER BY number LIMIT 200",
        &[endpoint.into(), after.into(), through.into()],
    )?;
    let mut bytes = 0;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let entry = Entry { header: row.text(1)?.to_owned(), body: packed::text(row, 2)? };
        bytes += entry.header.len() + entry.body.as_ref().map_or(0, String::len);
        entries.push((row.unsigned(0)?, entry));
        if bytes > EXPORT_PAGE_BYTES {
            break;
        }
    }
    Ok(entries)
}
