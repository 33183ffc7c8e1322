//! What the directory has not heard yet. An effect that must not be lost is a row.

use std::collections::BTreeMap;

use crate::call::{Context, Projection};
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::sql::{ReadSql, Sql};
use crate::time::Timestamp;

use super::object::endpoint_row;
use super::{store, view};

/// Projections that the directory has not taken in yet, for a host that keeps many endpoints in one database; of
/// at most `limit` changes. Repeating one is safe.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox(db: &dyn ReadSql, cx: &Context<'_>, limit: u32) -> Result<Vec<Projection>, Error> {
    let rows = db.query(
        "SELECT endpoint_id, sequence_id, version FROM outbox ORDER BY endpoint_id, sequence_id LIMIT ?1",
        &[limit.into()],
    )?;
    let mut changed: BTreeMap<EndpointId, Vec<(Option<SequenceId>, u64)>> = BTreeMap::new();
    for row in &rows {
        let sequence = row.text(1).ok().filter(|text| !text.is_empty()).map(|_| row.parsed(1)).transpose()?;
        changed.entry(row.parsed(0)?).or_default().push((sequence, row.unsigned(2)?));
    }
    changed.into_iter().map(|(endpoint, changed)| project(db, cx, endpoint, &changed)).collect()
}

/// How many changes the directory has not taken in yet, for metrics.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox_backlog(db: &dyn ReadSql) -> Result<u64, Error> {
    let rows = db.query("SELECT COUNT(*) FROM outbox", &[])?;
    Ok(rows.first().map_or(Ok(0), |row| row.unsigned(0))?)
}

fn project(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    changed: &[(Option<SequenceId>, u64)],
) -> Result<Projection, Error> {
    let row =
        endpoint_row(db, endpoint)?.ok_or_else(|| Error::not_found(format_args!("endpoint `{endpoint}`")))?;
    let mut projection = Projection {
        // The transcript grows with everything that a projection shows, so its length orders projections.
        version: row.transcript_number.max(row.revision),
        endpoint: view::endpoint_summary(db, cx, endpoint, &row)?,
        keys: store::public_keys_load(db, endpoint)?,
        sequences: Vec::new(),
        removed: Vec::new(),
        taken: changed.to_vec(),
    };
    for (sequence, _) in changed {
        let Some(id) = sequence else { continue };
        match sequence_changed(db, endpoint, *id)? {
            Some((sequence, at)) => projection.sequences.push(view::sequence_summary(&sequence, at)),
            None => projection.removed.push(*id),
        }
    }
    Ok(projection)
}

fn sequence_changed(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    id: SequenceId,
) -> Result<Option<(crate::sequence::Sequence, Timestamp)>, Error> {
    let rows = db.query(
        "SELECT document, changed_at FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2",
        &[endpoint.into(), id.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((row.json(0)?, Timestamp::from_milliseconds(row.integer(1)?))))
}

/// Forgets projections that the directory has taken in; a newer change stays.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn outbox_done(db: &dyn Sql, taken: &[Projection]) -> Result<(), Error> {
    for projection in taken {
        for (sequence, version) in &projection.taken {
            let sequence = sequence.map_or_else(String::new, |sequence| sequence.to_string());
            db.execute(
                "DELETE FROM outbox WHERE endpoint_id = ?1 AND sequence_id = ?2 AND version = ?3",
                &[projection.endpoint.id.into(), sequence.into(), (*version).into()],
            )?;
        }
    }
    Ok(())
}
