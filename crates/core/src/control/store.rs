//! The rows of an endpoint object other than its own: noun first, verb second.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::api::JournalState;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::{EndpointId, JournalId, LogId, SequenceId};
use crate::keys::PublicKey;
use crate::probe::Catalogue;
use crate::sequence::{Sequence, Standing};
use crate::sql::{ReadSql, Row, Sql, SqlError, Value};
use crate::time::Timestamp;
use crate::wire::Head;

/// A word of the interfaces as a column: the same text that JSON has.
pub(super) fn text(word: &impl Serialize) -> Value {
    match serde_json::to_value(word) {
        Ok(Json::String(text)) => Value::Text(text),
        _ => unreachable!("only words are stored as words"),
    }
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Value {
    Value::Text(serde_json::to_string(value).expect("stored documents serialize"))
}

/// One journal of the endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JournalRow {
    pub(super) head: Head<JournalId>,
    pub(super) ordinal: u64,
    pub(super) key: PublicKey,
    pub(super) state: JournalState,
    pub(super) first_seen_at: Timestamp,
    pub(super) address: Option<String>,
    pub(super) facts: Map<String, Json>,
    pub(super) signed: Option<Envelope>,
}

const JOURNAL: &str = "SELECT journal_id, number, hash, ordinal, public_key, state, first_seen_at, address, facts, \
     signed FROM journal WHERE endpoint_id = ?1 AND journal_id = ?2";
const JOURNALS: &str = "SELECT journal_id, number, hash, ordinal, public_key, state, first_seen_at, address, facts, \
     signed FROM journal WHERE endpoint_id = ?1 ORDER BY ordinal";

pub(super) fn journal_load(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    journal: JournalId,
) -> Result<Option<JournalRow>, Error> {
    let rows = db.query(JOURNAL, &[endpoint.into(), journal.into()])?;
    rows.first().map(journal_read).transpose().map_err(Error::from)
}

pub(super) fn journals_load(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<JournalRow>, Error> {
    let rows = db.query(JOURNALS, &[endpoint.into()])?;
    rows.iter().map(|row| journal_read(row).map_err(Error::from)).collect()
}

fn journal_read(row: &Row) -> Result<JournalRow, SqlError> {
    Ok(JournalRow {
        head: Head { id: row.parsed(0)?, number: row.unsigned(1)?, hash: row.parsed(2)? },
        ordinal: row.unsigned(3)?,
        key: row.parsed(4)?,
        state: row.word(5)?,
        first_seen_at: Timestamp::from_milliseconds(row.integer(6)?),
        address: row.optional_text(7)?.map(str::to_owned),
        facts: row.json(8)?,
        signed: if row.is_null(9) { None } else { Some(row.json(9)?) },
    })
}

pub(super) fn journal_save(db: &dyn Sql, endpoint: EndpointId, journal: &JournalRow) -> Result<(), Error> {
    db.execute(
        "INSERT INTO journal (endpoint_id, journal_id, ordinal, public_key, state, number, hash, first_seen_at, \
         address, facts, signed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (endpoint_id, journal_id) DO UPDATE SET state = ?5, number = ?6, hash = ?7, address = ?9, \
         facts = ?10, signed = ?11",
        &[
            endpoint.into(),
            journal.head.id.into(),
            journal.ordinal.into(),
            journal.key.into(),
            text(&journal.state),
            journal.head.number.into(),
            journal.head.hash.into(),
            journal.first_seen_at.into(),
            journal.address.clone().into(),
            json(&journal.facts),
            journal.signed.as_ref().map(|signed| serde_json::to_string(signed).expect("envelopes serialize")).into(),
        ],
    )?;
    Ok(())
}

/// The hash of the transcript at `number`; `None`: there is no such entry.
pub(super) fn transcript_hash(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    number: u64,
) -> Result<Option<Digest>, Error> {
    let rows = db.query(
        "SELECT header FROM transcript WHERE endpoint_id = ?1 AND number = ?2",
        &[endpoint.into(), number.into()],
    )?;
    Ok(rows.first().map(|row| row.text(0).map(Digest::of)).transpose()?)
}

/// The header of the entry that a journal has at `number`, as the transcript keeps it; `None`: in a gap or not
/// held.
pub(super) fn journal_entry_hash(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    ordinal: u64,
    number: u64,
) -> Result<Option<Digest>, Error> {
    let rows = db.query(
        "SELECT header FROM transcript WHERE endpoint_id = ?1 AND journal = ?2 AND journal_number = ?3",
        &[endpoint.into(), ordinal.into(), number.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    let header: crate::transcript::TranscriptHeader = row.json(0)?;
    Ok(header.journal.map(|place| place.hash))
}

/// Every key the endpoint enrolled with, oldest first.
pub(super) fn public_keys_load(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<PublicKey>, Error> {
    let rows = db.query(
        "SELECT public_key FROM endpoint_key WHERE endpoint_id = ?1 ORDER BY enrolled_at",
        &[endpoint.into()],
    )?;
    rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
}

/// Every key the endpoint enrolled with and its certificate, oldest first.
pub(super) fn keys_load(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<(PublicKey, Envelope)>, Error> {
    let rows = db.query(
        "SELECT public_key, enrolment FROM endpoint_key WHERE endpoint_id = ?1 ORDER BY enrolled_at",
        &[endpoint.into()],
    )?;
    rows.iter().map(|row| Ok((row.parsed(0)?, row.json(1)?))).collect()
}

pub(super) fn key_add(
    db: &dyn Sql,
    endpoint: EndpointId,
    key: PublicKey,
    enrolment: &Envelope,
    at: Timestamp,
) -> Result<(), Error> {
    db.execute(
        "INSERT INTO endpoint_key (endpoint_id, public_key, enrolment, enrolled_at) VALUES (?1, ?2, ?3, ?4)",
        &[endpoint.into(), key.into(), json(enrolment), at.into()],
    )?;
    Ok(())
}

pub(super) fn catalogue_load(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Option<Catalogue>, Error> {
    let rows = db.query("SELECT probes FROM catalogue WHERE endpoint_id = ?1", &[endpoint.into()])?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

pub(super) fn catalogue_save(db: &dyn Sql, endpoint: EndpointId, probes: &Catalogue) -> Result<(), Error> {
    db.execute(
        "INSERT INTO catalogue (endpoint_id, probes) VALUES (?1, ?2)
         ON CONFLICT (endpoint_id) DO UPDATE SET probes = excluded.probes",
        &[endpoint.into(), json(probes)],
    )?;
    Ok(())
}

pub(super) fn sequence_load(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    sequence: SequenceId,
) -> Result<Option<Sequence>, Error> {
    let rows = db.query(
        "SELECT document FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2",
        &[endpoint.into(), sequence.into()],
    )?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

/// Saves a sequence and answers whether the next sync has something to fetch for it.
pub(super) fn sequence_save(
    db: &dyn Sql,
    endpoint: EndpointId,
    sequence: &Sequence,
    is_new: bool,
    log: Option<LogId>,
    now: Timestamp,
) -> Result<bool, Error> {
    let is_pending = is_pending(sequence, log);
    let due_at = match &sequence.queued {
        Some(queued) if sequence.is_ours_to_decide() => Some(queued.expires_at),
        Some(_) | None => None,
    };
    let parameters = [
        endpoint.into(),
        sequence.id.into(),
        text(&sequence.state()),
        sequence.is_live().into(),
        is_pending.into(),
        due_at.into(),
        now.into(),
        json(sequence),
    ];
    db.execute(
        if is_new {
            "INSERT INTO sequence (endpoint_id, sequence_id, ordinal, turn, state, live, pending, due_at, changed_at, \
             document) SELECT ?1, ?2, made.next, made.next, ?3, ?4, ?5, ?6, ?7, ?8 FROM (SELECT 1 + \
             COALESCE(MAX(ordinal), 0) AS next FROM sequence WHERE endpoint_id = ?1) AS made"
        } else {
            "UPDATE sequence SET state = ?3, live = ?4, pending = ?5, due_at = ?6, changed_at = ?7, document = ?8 \
             WHERE endpoint_id = ?1 AND sequence_id = ?2"
        },
        &parameters,
    )?;
    Ok(is_pending)
}

/// Whether the next sync has something to fetch for it: the work itself, or a cancel not ordered in this log.
fn is_pending(sequence: &Sequence, log: Option<LogId>) -> bool {
    let cancel_unordered =
        sequence.cancel.as_ref().is_some_and(|cancel| cancel.log.is_none() || cancel.log != log);
    match sequence.standing {
        Standing::Queued if sequence.doubt.is_none() => true,
        Standing::Queued
        | Standing::Held { .. }
        | Standing::Offered { .. }
        | Standing::Delivered
        | Standing::Running => cancel_unordered,
        Standing::Draft | Standing::Ended { .. } => false,
    }
}

pub(super) fn sequence_ids_live(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<SequenceId>, Error> {
    let rows = db.query(
        "SELECT sequence_id FROM sequence WHERE endpoint_id = ?1 AND live = 1 ORDER BY ordinal",
        &[endpoint.into()],
    )?;
    rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
}

/// What a restore puts in doubt: everything the journal may know better, which is all that has not ended and
/// what the control plane itself cancelled or expired.
pub(super) fn sequence_ids_doubtful(
    db: &dyn ReadSql,
    endpoint: EndpointId,
) -> Result<Vec<SequenceId>, Error> {
    let rows = db.query(
        "SELECT sequence_id FROM sequence
         WHERE endpoint_id = ?1 AND (live = 1 OR state IN ('cancelled', 'expired')) ORDER BY ordinal",
        &[endpoint.into()],
    )?;
    rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
}

pub(super) fn sequence_count_live(db: &dyn ReadSql, endpoint: EndpointId) -> Result<u64, Error> {
    let rows =
        db.query("SELECT COUNT(*) FROM sequence WHERE endpoint_id = ?1 AND live = 1", &[endpoint.into()])?;
    Ok(rows.first().map_or(Ok(0), |row| row.unsigned(0))?)
}

pub(super) fn sequence_ids_pending(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    limit: u32,
) -> Result<Vec<SequenceId>, Error> {
    let rows = db.query(
        "SELECT sequence_id FROM sequence WHERE endpoint_id = ?1 AND pending = 1 ORDER BY turn LIMIT ?2",
        &[endpoint.into(), limit.into()],
    )?;
    rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
}

/// Gives a sequence the first turn of all that are live; whether it had another.
pub(super) fn sequence_move_first(
    db: &dyn Sql,
    endpoint: EndpointId,
    sequence: SequenceId,
) -> Result<bool, Error> {
    let moved = db.execute(
        "UPDATE sequence SET turn = first.turn - 1 FROM (SELECT MIN(turn) AS turn FROM sequence
             WHERE endpoint_id = ?1 AND pending = 1) AS first
         WHERE endpoint_id = ?1 AND sequence_id = ?2 AND sequence.turn > first.turn",
        &[endpoint.into(), sequence.into()],
    )?;
    Ok(moved > 0)
}

pub(super) fn sequence_delete(db: &dyn Sql, endpoint: EndpointId, sequence: SequenceId) -> Result<(), Error> {
    db.execute(
        "DELETE FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2",
        &[endpoint.into(), sequence.into()],
    )?;
    Ok(())
}

pub(super) fn work_load(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    sequence: SequenceId,
) -> Result<Option<Envelope>, Error> {
    let rows = db.query(
        "SELECT envelope FROM work WHERE endpoint_id = ?1 AND sequence_id = ?2",
        &[endpoint.into(), sequence.into()],
    )?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

pub(super) fn work_save(
    db: &dyn Sql,
    endpoint: EndpointId,
    sequence: SequenceId,
    work: &Envelope,
) -> Result<(), Error> {
    db.execute(
        "INSERT INTO work (endpoint_id, sequence_id, envelope) VALUES (?1, ?2, ?3)
         ON CONFLICT (endpoint_id, sequence_id) DO UPDATE SET envelope = excluded.envelope",
        &[endpoint.into(), sequence.into(), json(work)],
    )?;
    Ok(())
}

/// Says that the directory must hear of a sequence, or of the endpoint itself.
pub(super) fn outbox_add(
    db: &dyn Sql,
    endpoint: EndpointId,
    sequence: Option<SequenceId>,
) -> Result<(), Error> {
    let sequence = sequence.map_or_else(String::new, |sequence| sequence.to_string());
    db.execute(
        "INSERT INTO outbox (endpoint_id, sequence_id, version) VALUES (?1, ?2, 1)
         ON CONFLICT (endpoint_id, sequence_id) DO UPDATE SET version = version + 1",
        &[endpoint.into(), sequence.into()],
    )?;
    Ok(())
}
