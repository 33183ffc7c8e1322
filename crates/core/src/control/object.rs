//! One endpoint object, open in one call: its row, the sequences the call touched, what it wrote.
//!
//! Rows are loaded once and saved once, however many entries a sync brings. [`Object::close`] saves; an error
//! before it leaves nothing, since the host rolls back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::api::{Attention, EndpointState};
use crate::call::{Context, Effect, Seen};
use crate::chain::Link;
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::error::{Code, Error};
use crate::id::{ClientId, EndpointId, JournalId, LogId, RequestId, SequenceId, SiteId};
use crate::packed;
use crate::rhythm::Rhythm;
use crate::sequence::Sequence;
use crate::sql::{ReadSql, Row, Sql, SqlError};
use crate::time::Timestamp;
use crate::transcript::{JournalPlace, TranscriptBody, TranscriptHeader};
use crate::wire::Head;

use super::budget::{Budget, SLOWED};
use super::store;

/// The endpoint's own row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EndpointRow {
    pub(super) client: ClientId,
    pub(super) site: SiteId,
    /// The site's time zone when the endpoint came there.
    pub(super) time_zone: String,
    pub(super) name: String,
    pub(super) state: EndpointState,
    pub(super) revision: u64,
    pub(super) enrolled_at: Timestamp,
    pub(super) seen: Option<Seen>,
    pub(super) rhythm: Rhythm,
    pub(super) facts: Map<String, Json>,
    pub(super) journal: Option<Head<JournalId>>,
    pub(super) log: Option<Head<LogId>>,
    pub(super) pending: bool,
    pub(super) transcript_number: u64,
    pub(super) transcript_hash: Digest,
    pub(super) told_number: u64,
    pub(super) endorsed_number: u64,
    pub(super) attention: Vec<Attention>,
    /// What people sort it by.
    pub(super) tags: Vec<String>,
    /// The address that the current journal was last heard from in a whole sync.
    pub(super) address: Option<String>,
    /// The last signed syncs, newest first; at most [`super::sync::REQUESTS_KEPT`].
    pub(super) requests: Vec<RequestId>,
    /// The serial of the newest certificate that the endpoint states to have; 0: it has not said.
    pub(super) serial_held: u64,
    /// The serial of the key that signed the open order log; 0: none was opened yet.
    pub(super) serial_log: u64,
    /// The digest over the list of journals; `None`: the row is older than this column.
    pub(super) journals_digest: Option<Digest>,
    /// What its syncs may still store.
    pub(super) budget: Budget,
}

/// An endpoint object in a call that may write.
pub(super) struct Object<'a> {
    pub(super) db: &'a dyn Sql,
    pub(super) cx: &'a Context<'a>,
    pub(super) entropy: Entropy,
    pub(super) id: EndpointId,
    pub(super) row: EndpointRow,
    stored: Option<EndpointRow>,
    sequences: BTreeMap<SequenceId, Slot>,
    pub(super) effects: BTreeSet<EffectKind>,
    /// Whether what is recorded is charged to the endpoint's budget: its own request caused it.
    pub(super) is_charged: bool,
    /// The ordinal of the journal that is taken in; 0 outside of a sync.
    pub(super) speaker: u64,
    /// How many claims there are, counted at the first use.
    pub(super) claims: Option<u64>,
    /// Sequences were saved since `pending` was last counted.
    sequences_changed: bool,
    summary_changed: bool,
}

/// A transcript body on its way to storage.
pub(super) struct Written<'a> {
    pub(super) body: &'a TranscriptBody,
    /// How a journal entry is stored, where that is packed; any other body is packed when it is appended.
    pub(super) packed: Option<Vec<u8>>,
}

struct Slot {
    sequence: Sequence,
    /// As the row has it; `None`: there is no row yet.
    stored: Option<Sequence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EffectKind {
    Wake,
    Project,
}

impl<'a> Object<'a> {
    /// Opens an endpoint that must exist.
    pub(super) fn open(db: &'a dyn Sql, cx: &'a Context<'a>, id: EndpointId) -> Result<Self, Error> {
        let row = endpoint_row(db, id)?
            .ok_or_else(|| Error::problem(Code::UnknownEndpoint, format!("there is no endpoint `{id}`")))?;
        Ok(Self::with_row(db, cx, id, row.clone(), Some(row)))
    }

    /// Opens a fresh one.
    pub(super) fn create(db: &'a dyn Sql, cx: &'a Context<'a>, id: EndpointId, row: EndpointRow) -> Self {
        Self::with_row(db, cx, id, row, None)
    }

    fn with_row(
        db: &'a dyn Sql,
        cx: &'a Context<'a>,
        id: EndpointId,
        row: EndpointRow,
        stored: Option<EndpointRow>,
    ) -> Self {
        let entropy = Entropy::new(cx.entropy);
        let (sequences, effects) = (BTreeMap::new(), BTreeSet::new());
        Self {
            db,
            cx,
            entropy,
            id,
            row,
            stored,
            sequences,
            effects,
            is_charged: false,
            speaker: 0,
            claims: None,
            sequences_changed: false,
            summary_changed: false,
        }
    }

    /// The sequence, loaded at its first use in this call and saved at the end where it changed.
    pub(super) fn sequence(&mut self, id: SequenceId) -> Result<Option<&mut Sequence>, Error> {
        if !self.sequences.contains_key(&id) {
            let Some(sequence) = store::sequence_load(self.db, self.id, id)? else { return Ok(None) };
            self.sequences.insert(id, Slot { stored: Some(sequence.clone()), sequence });
        }
        Ok(self.sequences.get_mut(&id).map(|slot| &mut slot.sequence))
    }

    /// The sequence, which a person named.
    pub(super) fn sequence_named(&mut self, id: SequenceId) -> Result<&mut Sequence, Error> {
        self.sequence(id)?.ok_or_else(|| Error::not_found(format_args!("sequence `{id}`")))
    }

    /// Adds a sequence that is new.
    pub(super) fn sequence_add(&mut self, sequence: Sequence) {
        self.sequences.insert(sequence.id, Slot { sequence, stored: None });
    }

    /// The ids of everything live, in the order they were made, changes of this call included.
    pub(super) fn live(&mut self) -> Result<Vec<SequenceId>, Error> {
        self.flush_sequences()?;
        store::sequence_ids_live(self.db, self.id)
    }

    /// The ids of everything that a sync has something to fetch for, oldest first; at most `limit`.
    pub(super) fn pending(&mut self, limit: u32) -> Result<Vec<SequenceId>, Error> {
        self.flush_sequences()?;
        if !self.may_be_pending() {
            return Ok(Vec::new());
        }
        store::sequence_ids_pending(self.db, self.id, limit)
    }

    /// Whether a look at the sequences could find a pending one: the row says so, or this call made one, or opened a
    /// log, in which cancels of the one before are to be ordered again.
    fn may_be_pending(&self) -> bool {
        self.row.pending || self.log_changed()
    }

    fn log_changed(&self) -> bool {
        let log_before = self.stored.as_ref().and_then(|stored| stored.log).map(|log| log.id);
        log_before != self.row.log.map(|log| log.id)
    }

    /// Appends to the transcript and answers the entry's number.
    pub(super) fn record(
        &mut self,
        actor: &str,
        sequence: Option<SequenceId>,
        body: &TranscriptBody,
    ) -> Result<u64, Error> {
        self.append(actor, body.kind(), sequence, None, Written { body, packed: None })
    }

    /// Appends a journal entry to the transcript and answers its number there.
    pub(super) fn record_journal(
        &mut self,
        kind: &str,
        sequence: Option<SequenceId>,
        place: (JournalPlace, u64),
        written: Written<'_>,
    ) -> Result<u64, Error> {
        self.append(
            crate::transcript::ACTOR_ENDPOINT,
            &format!("journal.{kind}"),
            sequence,
            Some(place),
            written,
        )
    }

    fn append(
        &mut self,
        actor: &str,
        kind: &str,
        sequence: Option<SequenceId>,
        place: Option<(JournalPlace, u64)>,
        written: Written<'_>,
    ) -> Result<u64, Error> {
        let Written { body, packed } = written;
        let quoted_bytes = quoted_bytes(body);
        let body = body.to_text();
        let packed = if place.is_some() { packed } else { packed::pack(&body) };
        if self.is_charged {
            // Text that its endpoint wrote so that it doubles when it is quoted here costs what it takes here.
            self.row.budget.charge(self.cx.now, quoted_bytes.max(body.len() / 2) as u64);
        }
        let number = self.row.transcript_number + 1;
        let link = Link::new(number, self.row.transcript_hash, &body, &mut self.entropy);
        let header = TranscriptHeader {
            endpoint: self.id,
            at: self.cx.now,
            actor: actor.to_owned(),
            kind: kind.to_owned(),
            sequence,
            journal: place.map(|(place, _)| place),
            link,
        };
        let header = serde_json::to_string(&header).expect("transcript headers serialize");
        let hash = Digest::of(&header);
        let text_bytes = packed.is_some().then_some(body.len() as u64);
        self.db.execute(
            "INSERT INTO transcript (endpoint_id, number, sequence_id, journal, journal_number, header, body, packed,
              text_bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            &[
                self.id.into(),
                number.into(),
                sequence.into(),
                place.map(|(_, ordinal)| ordinal).into(),
                place.map(|(place, _)| place.number).into(),
                header.into(),
                packed.is_none().then_some(body).into(),
                packed.into(),
                text_bytes.into(),
            ],
        )?;
        self.row.transcript_number = number;
        self.row.transcript_hash = hash;
        // A record of an endorsement is not itself worth endorsing: otherwise every head would ask for the next.
        if kind != "journal.head" {
            self.row.told_number = number;
        }
        Ok(number)
    }

    /// Notes that something needs a person; the same code twice is one.
    pub(super) fn attention_set(&mut self, code: &str, reason: String, clears: &str) {
        self.row.attention.retain(|attention| attention.code != code);
        self.row.attention.push(Attention { code: code.to_owned(), reason, clears: clears.to_owned() });
    }

    /// Notes that it no longer does.
    pub(super) fn attention_clear(&mut self, code: &str) {
        self.row.attention.retain(|attention| attention.code != code);
    }

    /// Says that a held sync of this endpoint must answer.
    pub(super) fn wake(&mut self) {
        self.effects.insert(EffectKind::Wake);
    }

    /// Saves everything and answers the effects.
    pub(super) fn close(mut self) -> Result<Vec<Effect>, Error> {
        self.flush()?;
        if self.summary_changed {
            store::outbox_add(self.db, self.id, None)?;
            self.effects.insert(EffectKind::Project);
        }
        let id = self.id;
        let effects = self.effects.iter().map(|effect| match effect {
            EffectKind::Wake => Effect::Wake(id),
            EffectKind::Project => Effect::Project(id),
        });
        Ok(effects.collect())
    }

    /// Saves what changed so far, for a view of it within the call.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.flush_sequences()?;
        if self.sequences_changed || self.log_changed() {
            self.row.pending =
                self.may_be_pending() && !store::sequence_ids_pending(self.db, self.id, 1)?.is_empty();
            self.summary_changed = true;
            self.sequences_changed = false;
        }
        let pending_before = self.stored.as_ref().is_some_and(|stored| stored.pending);
        if self.row.pending && !pending_before {
            self.wake();
        }
        if self.stored.as_ref() != Some(&self.row) {
            self.summary_changed |= self.is_summary_different();
            save_row(self.db, self.id, &self.row)?;
            self.stored = Some(self.row.clone());
        }
        Ok(())
    }

    fn flush_sequences(&mut self) -> Result<(), Error> {
        for slot in self.sequences.values_mut().filter(|slot| slot.stored.as_ref() != Some(&slot.sequence)) {
            slot.sequence.revision += 1;
            if let Some(stored) = &slot.stored {
                slot.sequence.review_outdate(stored);
            }
            let log = self.row.log.map(|log| log.id);
            let is_new = slot.stored.is_none();
            let is_pending =
                store::sequence_save(self.db, self.id, &slot.sequence, is_new, log, self.cx.now)?;
            // Counted exactly when the row is saved; until then, that it may be.
            self.row.pending |= is_pending;
            self.sequences_changed = true;
            store::outbox_add(self.db, self.id, Some(slot.sequence.id))?;
            slot.stored = Some(slot.sequence.clone());
        }
        Ok(())
    }

    /// Forgets a draft that a person gave up.
    pub(super) fn sequence_remove(&mut self, id: SequenceId) -> Result<(), Error> {
        self.sequences.remove(&id);
        store::sequence_delete(self.db, self.id, id)?;
        store::outbox_add(self.db, self.id, Some(id))?;
        self.sequences_changed = true;
        Ok(())
    }

    fn is_summary_different(&self) -> bool {
        let Some(stored) = &self.stored else { return true };
        let row = &self.row;
        (stored.name != row.name)
            || (stored.site != row.site)
            || (stored.state != row.state)
            || (stored.facts != row.facts)
            || (stored.attention != row.attention)
            || (stored.tags != row.tags)
            || (stored.address != row.address)
            || (stored.journal.map(|head| head.id) != row.journal.map(|head| head.id))
            || (stored.seen.is_none() != row.seen.is_none())
    }
}

const COLUMNS: &str = "SELECT client_id, site_id, name, state, revision, enrolled_at, last_seen_at, skew_ms, facts, \
     journal_id, journal_number, journal_hash, log_id, log_number, log_hash, pending, transcript_number, \
     transcript_hash, told_number, endorsed_number, attention, time_zone, rhythm, tags, address, requests, \
     journals_digest, serial_held, serial_log, entries_full_at, bytes_full_at FROM endpoint \
     WHERE endpoint_id = ?1";

/// Reads an endpoint's row; `None`: there is no such endpoint here.
pub(super) fn endpoint_row(db: &dyn ReadSql, id: EndpointId) -> Result<Option<EndpointRow>, Error> {
    let rows = db.query(COLUMNS, &[id.into()])?;
    rows.first().map(read_row).transpose().map_err(Error::from)
}

/// What an idle sync is judged by: the part of the row that says whether anything must move.
pub(super) struct IdleRow {
    pub(super) state: EndpointState,
    pub(super) journal: Option<Head<JournalId>>,
    pub(super) log: Option<Head<LogId>>,
    pub(super) pending: bool,
    pub(super) is_endorsed: bool,
    pub(super) serial_held: u64,
    pub(super) serial_log: u64,
}

/// Reads that part alone: the facts beside it are long, and an idle sync comes from every endpoint all day.
pub(super) fn idle_row(db: &dyn ReadSql, id: EndpointId) -> Result<Option<IdleRow>, Error> {
    let rows = db.query(
        "SELECT state, journal_id, journal_number, journal_hash, log_id, log_number, log_hash, pending,
                endorsed_number >= told_number, serial_held, serial_log FROM endpoint WHERE endpoint_id = ?1",
        &[id.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(IdleRow {
        state: row.word(0)?,
        journal: read_head(row, 1)?,
        log: read_head(row, 4)?,
        pending: row.integer(7)? != 0,
        is_endorsed: row.integer(8)? != 0,
        serial_held: row.unsigned(9)?,
        serial_log: row.unsigned(10)?,
    }))
}

fn read_row(row: &Row) -> Result<EndpointRow, SqlError> {
    let seen_at = row.optional_integer(6)?;
    Ok(EndpointRow {
        client: row.parsed(0)?,
        site: row.parsed(1)?,
        name: row.text(2)?.to_owned(),
        state: row.word(3)?,
        revision: row.unsigned(4)?,
        enrolled_at: Timestamp::from_milliseconds(row.integer(5)?),
        seen: seen_at
            .map(|at| {
                let skew_ms = row.optional_integer(7)?;
                Ok::<_, SqlError>(Seen { at: Timestamp::from_milliseconds(at), skew_ms })
            })
            .transpose()?,
        facts: row.json(8)?,
        journal: read_head(row, 9)?,
        log: read_head(row, 12)?,
        pending: row.integer(15)? != 0,
        transcript_number: row.unsigned(16)?,
        transcript_hash: row.parsed(17)?,
        told_number: row.unsigned(18)?,
        endorsed_number: row.unsigned(19)?,
        attention: row.json(20)?,
        time_zone: row.text(21)?.to_owned(),
        rhythm: row.json(22)?,
        tags: row.json(23)?,
        address: row.optional_text(24)?.map(str::to_owned),
        requests: row.json(25)?,
        journals_digest: row.optional_parsed(26)?,
        serial_held: row.unsigned(27)?,
        serial_log: row.unsigned(28)?,
        budget: read_budget(row, 29)?,
    })
}

/// Bytes of the journal entry that a transcript entry quotes; 0 where it quotes none.
fn quoted_bytes(body: &TranscriptBody) -> usize {
    match body {
        TranscriptBody::Journal { header, body } => header.len() + body.len(),
        _ => 0,
    }
}

/// What decides about a signed sync before it reaches the writer: the budget, and whether the endpoint is marked as
/// slowed.
pub(super) fn budget_load(db: &dyn ReadSql, id: EndpointId) -> Result<Option<(Budget, bool)>, Error> {
    let rows = db.query(
        "SELECT entries_full_at, bytes_full_at, attention FROM endpoint WHERE endpoint_id = ?1",
        &[id.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    let attention: Vec<Attention> = row.json(2)?;
    Ok(Some((read_budget(row, 0)?, attention.iter().any(|attention| attention.code == SLOWED))))
}

fn read_budget(row: &Row, column: usize) -> Result<Budget, SqlError> {
    let at = |column: usize| Ok::<_, SqlError>(Timestamp::from_milliseconds(row.integer(column)?));
    Ok(Budget { entries_full_at: at(column)?, bytes_full_at: at(column + 1)? })
}

fn read_head<I: core::str::FromStr>(row: &Row, column: usize) -> Result<Option<Head<I>>, SqlError> {
    let Some(id) = row.optional_parsed(column)? else { return Ok(None) };
    Ok(Some(Head { id, number: row.unsigned(column + 1)?, hash: row.parsed(column + 2)? }))
}

fn save_row(db: &dyn Sql, id: EndpointId, row: &EndpointRow) -> Result<(), Error> {
    db.execute(
        "INSERT INTO endpoint (endpoint_id, client_id, site_id, name, state, revision, enrolled_at, last_seen_at, \
         skew_ms, facts, journal_id, journal_number, journal_hash, log_id, log_number, log_hash, pending, \
         transcript_number, transcript_hash, told_number, endorsed_number, attention, time_zone, rhythm, tags, address, \
         requests, journals_digest, serial_held, serial_log, entries_full_at, bytes_full_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32) \
         ON CONFLICT (endpoint_id) DO UPDATE SET client_id = ?2, site_id = ?3, name = ?4, state = ?5, revision = ?6, \
         last_seen_at = ?8, skew_ms = ?9, facts = ?10, journal_id = ?11, journal_number = ?12, journal_hash = ?13, \
         log_id = ?14, log_number = ?15, log_hash = ?16, pending = ?17, transcript_number = ?18, \
         transcript_hash = ?19, told_number = ?20, endorsed_number = ?21, attention = ?22, time_zone = ?23, \
         rhythm = ?24, tags = ?25, address = ?26, requests = ?27, journals_digest = ?28, serial_held = ?29, \
         serial_log = ?30, entries_full_at = ?31, bytes_full_at = ?32",
        &[
            id.into(),
            row.client.into(),
            row.site.into(),
            row.name.as_str().into(),
            store::text(&row.state),
            row.revision.into(),
            row.enrolled_at.into(),
            row.seen.map(|seen| seen.at).into(),
            row.seen.and_then(|seen| seen.skew_ms).into(),
            store::json(&row.facts),
            row.journal.map(|head| head.id).into(),
            row.journal.map_or(0, |head| head.number).into(),
            row.journal.map_or(Digest::ZERO, |head| head.hash).into(),
            row.log.map(|head| head.id).into(),
            row.log.map_or(0, |head| head.number).into(),
            row.log.map_or(Digest::ZERO, |head| head.hash).into(),
            row.pending.into(),
            row.transcript_number.into(),
            row.transcript_hash.into(),
            row.told_number.into(),
            row.endorsed_number.into(),
            store::json(&row.attention),
            row.time_zone.as_str().into(),
            store::json(&row.rhythm),
            store::json(&row.tags),
            row.address.clone().into(),
            store::json(&row.requests),
            row.journals_digest.into(),
            row.serial_held.into(),
            row.serial_log.into(),
            row.budget.entries_full_at.into(),
            row.budget.bytes_full_at.into(),
        ],
    )?;
    Ok(())
}
