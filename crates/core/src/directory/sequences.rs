//! Sequences of every endpoint in one listing, and how many there are.

use crate::api::{Page, Paging, SequenceState, SequenceSummary};
use crate::call::Counts;
use crate::error::Error;
use crate::id::SequenceId;
use crate::sql::{ReadSql, Value};
use crate::time::Timestamp;

use super::{codes, paging};

/// A page of sequences, newest first.
pub(super) fn sequences(
    db: &dyn ReadSql,
    state: Option<SequenceState>,
    since: Option<Timestamp>,
    wanted: &Paging,
) -> Result<Page<SequenceSummary>, Error> {
    let (created_at, id) = codes::before_time::<SequenceId>("sequences", wanted)?;
    let limit: Value = paging::rows_wanted(wanted).into();
    let since = since.into();
    let rows = match state {
        None => db.query(
            "SELECT document FROM sequence_summary WHERE (created_at, sequence_id) < (?1, ?2)
             AND (?4 IS NULL OR changed_at >= ?4) ORDER BY created_at DESC, sequence_id DESC LIMIT ?3",
            &[created_at, id, limit, since],
        )?,
        Some(state) => db.query(
            "SELECT document FROM sequence_summary WHERE state = ?5 AND (created_at, sequence_id) < (?1, ?2)
             AND (?4 IS NULL OR changed_at >= ?4) ORDER BY created_at DESC, sequence_id DESC LIMIT ?3",
            &[created_at, id, limit, since, state_value(state)],
        )?,
    };
    paging::page(
        "sequences",
        wanted,
        &rows,
        |row| row.json(0),
        |sequence: &SequenceSummary| (sequence.created_at, sequence.id),
    )
}

/// How much there is.
pub(super) fn counts(db: &dyn ReadSql) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    if let Some(row) = db.query("SELECT COUNT(*) FROM endpoint_summary", &[])?.first() {
        counts.endpoints = row.unsigned(0)?;
    }
    for row in db.query("SELECT state, COUNT(*) FROM sequence_summary GROUP BY state", &[])? {
        let (state, count): (SequenceState, _) = (row.word(0)?, row.unsigned(1)?);
        counts.sequences += count;
        counts.sequences_live += if state.is_ended() { 0 } else { count };
    }
    Ok(counts)
}

/// A state as a column: the word that JSON has.
pub(super) fn state_value(state: SequenceState) -> Value {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => Value::Text(word),
        _ => unreachable!("states are words"),
    }
}
