//! The audit chain read back: in pages for people, and whole with a signed head for verification.

use crate::api::{AuditEntryView, Page, Paging};
use crate::call::{Context, Principal};
use crate::chain::Entry;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::export::{AUDIT_EXPORT_VERSION, AuditExportHead, AuditHead};
use crate::keys::Role;
use crate::sql::{INTEGER_MAX, ReadSql, Row};
use crate::wire::PROTOCOL_VERSION;

use super::audit::DirectoryHeader;
use super::{paging, people};

/// Bytes after which a page ends: a few hundred usual entries.
const PAGE_BYTES: usize = 256 * 1024;

/// What a page is made of. The person is the one the entry names, or whose token it is about.
macro_rules! listing {
    ($rest:literal) => {
        concat!(
            "SELECT told.number, told.header, told.body, person.email FROM directory_audit AS told
             LEFT JOIN token ON token.token_id = json_extract(told.body, '$.token')
             LEFT JOIN person ON person.person_id = \
             COALESCE(json_extract(told.body, '$.person'), token.person_id) ",
            $rest
        )
    };
}

/// A page of entries, for an owner.
pub(super) fn audit(
    db: &dyn ReadSql,
    by: &Principal,
    is_newest_first: bool,
    wanted: &Paging,
) -> Result<Page<AuditEntryView>, Error> {
    check_owner(by)?;
    let name = if is_newest_first { "audit, newest first" } else { "audit" };
    let limit = paging::rows_wanted(wanted).into();
    let rows = if is_newest_first {
        let before = paging::place::<u64>(name, wanted)?.map_or(INTEGER_MAX as u64, |number| number);
        db.query(
            listing!("WHERE told.number < ?1 ORDER BY told.number DESC LIMIT ?2"),
            &[before.into(), limit],
        )?
    } else {
        let after = paging::place::<u64>(name, wanted)?.unwrap_or(0);
        db.query(listing!("WHERE told.number > ?1 ORDER BY told.number LIMIT ?2"), &[after.into(), limit])?
    };
    let shown = shown(&rows)?;
    // A page that is cut has one row more than it shows, so it knows that there is a next.
    let wanted =
        Paging { limit: u32::try_from(shown).unwrap_or(wanted.limit).min(wanted.limit), ..wanted.clone() };
    let rows = &rows[..rows.len().min(shown + 1)];
    paging::page(name, &wanted, rows, entry_read, |entry| entry.number)
}

/// How many of the rows one page shows: at least one, and no more once they have [`PAGE_BYTES`].
fn shown(rows: &[Row]) -> Result<usize, Error> {
    let mut bytes = 0;
    for (index, row) in rows.iter().enumerate() {
        bytes += row.text(1)?.len() + row.text(2)?.len();
        if bytes > PAGE_BYTES {
            return Ok(index.max(1));
        }
    }
    Ok(rows.len().max(1))
}

fn entry_read(row: &Row) -> Result<AuditEntryView, crate::sql::SqlError> {
    let (text, header): (&str, DirectoryHeader) = (row.text(1)?, row.json(1)?);
    Ok(AuditEntryView {
        number: row.unsigned(0)?,
        at: header.at,
        actor: header.actor,
        kind: header.kind,
        about: row.optional_text(3)?.map(str::to_owned),
        body: row.json(2)?,
        hash: Digest::of(text),
        previous_hash: header.link.previous,
    })
}

/// The first line of an export of everything up to now, for an owner.
pub(super) fn export_head(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    by: &Principal,
) -> Result<AuditExportHead, Error> {
    check_owner(by)?;
    let rows = db.query("SELECT number, header FROM directory_audit ORDER BY number DESC LIMIT 1", &[])?;
    let (number, hash) = match rows.first() {
        None => (0, Digest::ZERO),
        Some(last) => (last.unsigned(0)?, Digest::of(last.text(1)?)),
    };
    let head = AuditHead { v: PROTOCOL_VERSION, number, hash, at: cx.now };
    Ok(AuditExportHead {
        tidegate_audit_export: AUDIT_EXPORT_VERSION,
        exported_at: cx.now,
        authority: cx.authority.clone(),
        head: Envelope::seal(&head, cx.keys, Role::Statement),
    })
}

/// The entries after `after` up to `through`, as many as fit a page, for an owner.
pub(super) fn export_entries(
    db: &dyn ReadSql,
    by: &Principal,
    after: u64,
    through: u64,
) -> Result<Vec<(u64, Entry)>, Error> {
    check_owner(by)?;
    let rows = db.query(
        "SELECT number, header, body FROM directory_audit WHERE number > ?1 AND number <= ?2
         ORDER BY number LIMIT 500",
        &[after.into(), through.into()],
    )?;
    let kept = shown(&rows)?;
    let read = |row: &Row| {
        let entry = Entry { header: row.text(1)?.to_owned(), body: Some(row.text(2)?.to_owned()) };
        Ok((row.unsigned(0)?, entry))
    };
    rows.iter().take(kept).map(read).collect()
}

fn check_owner(by: &Principal) -> Result<(), Error> {
    if people::is_owner(by) {
        return Ok(());
    }
    Err(Error::problem(Code::Forbidden, "only an owner reads the audit log: ask one"))
}
