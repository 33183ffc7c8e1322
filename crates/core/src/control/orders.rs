//! Order logs: opened for one journal, appended to, closed for good.

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::{EndpointId, JournalId, LogId, SequenceId};
use crate::keys::Role;
use crate::sql::{ReadSql, Row, SqlError};
use crate::transcript::{ACTOR_CONTROL_PLANE, TranscriptBody};
use crate::wire::{Head, Offered, Order, OrderKind, PROTOCOL_VERSION, Void};

use super::object::Object;
use super::store;

/// Most bytes of orders in one answer: a minute and a half on a 32 kbit/s link. What does not fit follows in the
/// next sync, so a cut costs at most this much.
const OFFERED_BYTES_MAX: usize = 384 * 1024;

impl Object<'_> {
    /// Opens a log for `journal`, which is the current one from here on, and closes the one before (R6).
    pub(super) fn log_open(&mut self, journal: JournalId) -> Result<(), Error> {
        self.log_close()?;
        let log = LogId::fresh(&mut self.entropy);
        self.db.execute(
            "INSERT INTO order_log (endpoint_id, log_id, journal_id, state, number, hash, taken_up)
             VALUES (?1, ?2, ?3, 'open', 0, ?4, 0)",
            &[self.id.into(), log.into(), journal.into(), Digest::ZERO.into()],
        )?;
        self.row.log = Some(Head { id: log, number: 0, hash: Digest::ZERO });
        self.authority_note()?;
        self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::LogOpened { log })?;
        self.order_append(OrderKind::Adopt { journal })?;
        self.wake();
        Ok(())
    }

    /// Keeps, for the record, the certificate of the keys that sign from here on.
    fn authority_note(&mut self) -> Result<(), Error> {
        let serial = self.cx.authority.serial();
        if self.row.serial_log == serial {
            return Ok(());
        }
        let is_first = std::mem::replace(&mut self.row.serial_log, serial) == 0;
        let certificate = self.cx.authority.certificate.clone();
        // The first is in every export's first line, and nothing came before it.
        if !is_first {
            self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::Authority { certificate })?;
        }
        Ok(())
    }

    /// Opens a new log where another order key signed the open one: nothing that it signed is needed any more. What was
    /// offered and not claimed returns (R7), and is signed again when it is offered.
    pub(super) fn log_renew(&mut self) -> Result<(), Error> {
        match self.row.journal {
            Some(journal) if self.row.serial_log != self.cx.authority.serial() => self.log_open(journal.id),
            Some(_) | None => Ok(()),
        }
    }

    /// Closes the open log, if there is one. It never opens again.
    pub(super) fn log_close(&mut self) -> Result<(), Error> {
        let Some(log) = self.row.log.take() else { return Ok(()) };
        self.db.execute(
            "UPDATE order_log SET state = 'closed' WHERE endpoint_id = ?1 AND log_id = ?2",
            &[self.id.into(), log.id.into()],
        )?;
        self.record(ACTOR_CONTROL_PLANE, None, &TranscriptBody::LogClosed { log: log.id })?;
        Ok(())
    }

    /// Remembers a log that only the endpoint knows: it is closed, and proves a restore once only.
    pub(super) fn log_note_foreign(&mut self, log: LogId) -> Result<(), Error> {
        self.db.execute(
            "INSERT INTO order_log (endpoint_id, log_id, journal_id, state, number, hash, taken_up)
             VALUES (?1, ?2, NULL, 'closed', 0, ?3, 1) ON CONFLICT (endpoint_id, log_id) DO NOTHING",
            &[self.id.into(), log.into(), Digest::ZERO.into()],
        )?;
        Ok(())
    }

    /// Notes that the journal took up the open log.
    pub(super) fn log_taken_up(&mut self, log: LogId) -> Result<(), Error> {
        self.db.execute(
            "UPDATE order_log SET taken_up = 1 WHERE endpoint_id = ?1 AND log_id = ?2",
            &[self.id.into(), log.into()],
        )?;
        Ok(())
    }

    /// Signs an order and appends it to the open log.
    ///
    /// # Panics
    ///
    /// Never: callers have an open log.
    pub(super) fn order_append(&mut self, kind: OrderKind) -> Result<u64, Error> {
        let log = self.row.log.expect("orders are appended to an open log only");
        let number = log.number + 1;
        let (word, sequence) = match &kind {
            OrderKind::Adopt { .. } => ("adopt", None),
            OrderKind::Run { sequence, .. } => ("run", Some(*sequence)),
            OrderKind::Cancel { sequence } => ("cancel", Some(*sequence)),
            OrderKind::Configure { .. } => ("configure", None),
            OrderKind::Retire => ("retire", None),
            OrderKind::Unknown => return Err(Error::invalid("an order of an unknown kind cannot be made")),
        };
        let order = Order {
            v: PROTOCOL_VERSION,
            endpoint: self.id,
            log: log.id,
            number,
            previous: log.hash,
            at: self.cx.now,
            order: kind,
        };
        let envelope = Envelope::seal(&order, self.cx.keys, Role::Order);
        let hash = envelope.digest();
        self.db.execute(
            "INSERT INTO order_entry (endpoint_id, log_id, number, hash, kind, sequence_id, envelope)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            &[
                self.id.into(),
                log.id.into(),
                number.into(),
                hash.into(),
                word.into(),
                sequence.into(),
                store::json(&envelope),
            ],
        )?;
        self.db.execute(
            "UPDATE order_log SET number = ?3, hash = ?4 WHERE endpoint_id = ?1 AND log_id = ?2",
            &[self.id.into(), log.id.into(), number.into(), hash.into()],
        )?;
        self.row.log = Some(Head { id: log.id, number, hash });
        Ok(number)
    }

    /// Whether the open log already holds an order of `kind`.
    pub(super) fn log_holds(&self, kind: &str) -> Result<bool, Error> {
        let Some(log) = self.row.log else { return Ok(false) };
        let rows = self.db.query(
            "SELECT 1 FROM order_entry WHERE endpoint_id = ?1 AND log_id = ?2 AND kind = ?3 LIMIT 1",
            &[self.id.into(), log.id.into(), kind.into()],
        )?;
        Ok(!rows.is_empty())
    }

    fn hash_at(&self, log: LogId, number: u64) -> Result<Option<Digest>, Error> {
        order_hash(self.db, self.id, log, number)
    }

    /// The sequence that the order at `number` carries, where it is a `run`.
    pub(super) fn order_sequence(&self, log: LogId, number: u64) -> Result<Option<SequenceId>, Error> {
        let rows = self.db.query(
            "SELECT sequence_id FROM order_entry
             WHERE endpoint_id = ?1 AND log_id = ?2 AND number = ?3 AND kind = 'run'",
            &[self.id.into(), log.into(), number.into()],
        )?;
        Ok(rows.first().map(|row| row.parsed(0)).transpose()?)
    }

    /// The places and sequences of the `run` orders of `log` up to `number`.
    pub(super) fn orders_run(&self, log: LogId, number: u64) -> Result<Vec<(u64, SequenceId)>, Error> {
        let rows = self.db.query(
            "SELECT number, sequence_id FROM order_entry
             WHERE endpoint_id = ?1 AND log_id = ?2 AND number <= ?3 AND kind = 'run' ORDER BY number",
            &[self.id.into(), log.into(), number.into()],
        )?;
        Ok(rows.iter().map(|row| Ok((row.unsigned(0)?, row.parsed(1)?))).collect::<Result<_, SqlError>>()?)
    }

    /// The `void` about the order at `number`, made at the first call (R13).
    pub(super) fn void_make(&mut self, log: LogId, number: u64) -> Result<Option<Envelope>, Error> {
        if let Some(void) = void_load(self.db, self.id, log, number)? {
            return Ok(Some(void));
        }
        let (Some(hash), Some(previous)) = (self.hash_at(log, number)?, self.hash_at(log, number - 1)?)
        else {
            return Ok(None);
        };
        let void = Void { v: PROTOCOL_VERSION, endpoint: self.id, log, number, hash, previous };
        let envelope = Envelope::seal(&void, self.cx.keys, Role::Order);
        self.db.execute(
            "UPDATE order_entry SET void = ?4 WHERE endpoint_id = ?1 AND log_id = ?2 AND number = ?3",
            &[self.id.into(), log.into(), number.into(), store::json(&envelope)],
        )?;
        let sequence = self.order_sequence(log, number)?;
        self.record(ACTOR_CONTROL_PLANE, sequence, &TranscriptBody::Voided { log, number })?;
        Ok(Some(envelope))
    }
}

/// The `void` about an order, where one was made.
pub(super) fn void_load(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    log: LogId,
    number: u64,
) -> Result<Option<Envelope>, Error> {
    let rows = db.query(
        "SELECT void FROM order_entry
         WHERE endpoint_id = ?1 AND log_id = ?2 AND number = ?3 AND void IS NOT NULL",
        &[endpoint.into(), log.into(), number.into()],
    )?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

/// The orders of `log` after `number`, with their work, in order, as many as fit one answer; and whether more
/// remain.
pub(super) fn orders_after(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    log: LogId,
    number: u64,
) -> Result<(Vec<Offered>, bool), Error> {
    let rows = db.query(
        "SELECT o.envelope, w.envelope, o.kind FROM order_entry AS o
         LEFT JOIN work AS w ON w.endpoint_id = o.endpoint_id AND w.sequence_id = o.sequence_id
         WHERE o.endpoint_id = ?1 AND o.log_id = ?2 AND o.number > ?3 ORDER BY o.number LIMIT 65",
        &[endpoint.into(), log.into(), number.into()],
    )?;
    let mut bytes = 0;
    let mut offered = Vec::new();
    for row in rows.iter().take(64) {
        bytes += row.text(0)?.len() + row.optional_text(1)?.map_or(0, str::len);
        if !offered.is_empty() && bytes > OFFERED_BYTES_MAX {
            break;
        }
        offered.push(read_offered(row)?);
    }
    let more = offered.len() < rows.len();
    Ok((offered, more))
}

fn read_offered(row: &Row) -> Result<Offered, Error> {
    let work = if row.text(2)? == "run" && !row.is_null(1) { Some(row.json(1)?) } else { None };
    Ok(Offered { order: row.json(0)?, work })
}

/// Whether a log was ever heard of; a restored control plane forgot some.
pub(super) fn log_is_known(db: &dyn ReadSql, endpoint: EndpointId, log: LogId) -> Result<bool, Error> {
    let rows = db.query(
        "SELECT 1 FROM order_log WHERE endpoint_id = ?1 AND log_id = ?2",
        &[endpoint.into(), log.into()],
    )?;
    Ok(!rows.is_empty())
}

/// The hash of a log of this endpoint at `number`; zeros at 0, `None` past its end.
pub(super) fn order_hash(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    log: LogId,
    number: u64,
) -> Result<Option<Digest>, Error> {
    if number == 0 {
        return Ok(Some(Digest::ZERO));
    }
    let rows = db.query(
        "SELECT hash FROM order_entry WHERE endpoint_id = ?1 AND log_id = ?2 AND number = ?3",
        &[endpoint.into(), log.into(), number.into()],
    )?;
    Ok(rows.first().map(|row| row.parsed(0)).transpose()?)
}
