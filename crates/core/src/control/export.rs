//! An endpoint's export: the signed first line, and the entries page by page.

use crate::call::Context;
use crate::chain::Entry;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::export::{EXPORT_VERSION, ExportHead, ExportJournal};
use crate::id::EndpointId;
use crate::packed;
use crate::page_bytes::fitting;
use crate::sql::{ReadSql, Row, SqlError};
use crate::wire::PROTOCOL_VERSION;

use super::object::endpoint_row;
use super::{store, sync};

/// Most bytes of one page: a host streams page by page and holds one at a time.
const PAGE_BYTES_MAX: u64 = 1024 * 1024;

/// The first line of an export of everything up to now.
pub(super) fn head(db: &dyn ReadSql, cx: &Context<'_>, endpoint: EndpointId) -> Result<ExportHead, Error> {
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
        certificates: cx.earlier.to_vec(),
        enrolments: store::keys_load(db, endpoint)?.into_iter().map(|(_, enrolment)| enrolment).collect(),
        journals: journals.collect(),
        head: Envelope::default(),
    };
    Ok(unsigned.sealed(PROTOCOL_VERSION, row.transcript_number, row.transcript_hash, cx.keys))
}

/// The entries after `after` up to `through`, as many as fit a page.
pub(super) fn entries(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    after: u64,
    through: u64,
) -> Result<Vec<(u64, Entry)>, Error> {
    let sizes = db.query(
        "SELECT number, octet_length(header) + coalesce(text_bytes, octet_length(body), 0) FROM transcript
         WHERE endpoint_id = ?1 AND number > ?2 AND number <= ?3 ORDER BY number LIMIT 200",
        &[endpoint.into(), after.into(), through.into()],
    )?;
    let bytes: Vec<u64> = sizes.iter().map(|row| row.unsigned(1)).collect::<Result<_, _>>()?;
    let Some(last) = sizes[..fitting(bytes, PAGE_BYTES_MAX)].last() else { return Ok(Vec::new()) };
    let rows = db.query(
        "SELECT number, header, body, packed FROM transcript WHERE endpoint_id = ?1 AND number > ?2 AND number <= ?3
         ORDER BY number",
        &[endpoint.into(), after.into(), last.unsigned(0)?.into()],
    )?;
    let entry = |row: &Row| {
        let entry = Entry { header: row.text(1)?.to_owned(), body: packed::text(row, 2)? };
        Ok::<_, SqlError>((row.unsigned(0)?, entry))
    };
    Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
}
