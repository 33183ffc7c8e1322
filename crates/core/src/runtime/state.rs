//! The endpoint object, open in one call: its state document, its journal, its effects.

use serde::{Deserialize, Serialize};

use crate::chain::{Entry, Link};
use crate::day::UtcDay;
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::id::{BootId, EndpointId, JournalId, LogId, SequenceId};
use crate::journal::{JournalBody, JournalHeader};
use crate::keys::Sign;
use crate::probe::Catalogue;
use crate::sql::{ReadSql, Sql};
use crate::time::Timestamp;
use crate::wire::{Authority, Failures, Head, Policy};

use super::authority::{self, Keys};
use super::clock::{Clock, Now, Reading};
use super::{Effect, Limits};

/// What every call is given from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The machine's clocks.
    pub clock: &'a Reading,
    /// 32 fresh random bytes, used for this call alone.
    pub entropy: [u8; 32],
    /// The endpoint's keys.
    pub keys: &'a dyn Sign,
    /// Who this is.
    pub endpoint: EndpointId,
    /// The probes of this program.
    pub probes: &'a Catalogue,
    /// This start of the program.
    pub boot: BootId,
    /// How much may be kept.
    pub limits: Limits,
}

/// Everything small that lasts; one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) journal: Head<JournalId>,
    /// Entries up to this one are pruned, and the hash there.
    pub(super) pruned: u64,
    pub(super) pruned_hash: Digest,
    /// Bytes of the kept entries.
    pub(super) kept_bytes: u64,
    /// How far the control plane holds the journal, as it last said; it may go back (R10).
    pub(super) acknowledged: u64,
    /// Whether an order log adopted this journal; until then nothing runs (R6).
    pub(super) is_adopted: bool,
    pub(super) orders: Option<Head<LogId>>,
    /// Logs that were taken up once: none of them opens again.
    pub(super) closed_logs: Vec<LogId>,
    pub(super) clock: Clock,
    pub(super) policy: Policy,
    /// Work issued after this is known if it was ever accepted (R1).
    pub(super) complete_since: Timestamp,
    pub(super) failures: Option<Failures>,
    /// The transcript entry whose signed head the journal holds last, and its hash there.
    pub(super) transcript: Option<(u64, Digest)>,
    /// The digest of the facts last told.
    pub(super) facts: Option<Digest>,
    /// The day whose bytes were told last.
    pub(super) traffic_told: Option<UtcDay>,
    pub(super) is_retired: bool,
    pub(super) keys: Keys,
    /// Sequences whose signed work the control plane asked for, and was not shown yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) asked: Vec<SequenceId>,
}

/// Most closed logs that are remembered; an answer older than that many adoptions does not arrive any more.
const CLOSED_LOGS_MAX: usize = 256;

const STATE: &str = "state";

impl State {
    fn new(journal: JournalId, issued_at: Timestamp, keys: Keys) -> Self {
        Self {
            journal: Head { id: journal, number: 0, hash: Digest::ZERO },
            pruned: 0,
            pruned_hash: Digest::ZERO,
            kept_bytes: 0,
            acknowledged: 0,
            is_adopted: false,
            orders: None,
            closed_logs: Vec::new(),
            clock: Clock::default(),
            policy: Policy::default(),
            complete_since: issued_at,
            failures: None,
            transcript: None,
            facts: None,
            traffic_told: None,
            is_retired: false,
            keys,
            asked: Vec::new(),
        }
    }

    /// Closes the log taken up, if there is one.
    pub(super) fn close_log(&mut self) {
        if let Some(log) = self.orders.take() {
            self.closed_logs.push(log.id);
            let excess = self.closed_logs.len().saturating_sub(CLOSED_LOGS_MAX);
            self.closed_logs.drain(..excess);
        }
    }
}

/// Makes the state of a machine that has just enrolled at `enrolled_at`, by the control plane's clock. `policy` is what
/// its owner lets it run; orders can only narrow it. `authority` is pinned.
///
/// # Errors
///
/// [`Error::Sql`], or [`crate::error::Code::InvalidSignature`] when the authority's certificate does not hold.
pub fn create(
    db: &dyn Sql,
    journal: JournalId,
    enrolled_at: Timestamp,
    clock: &Reading,
    policy: Policy,
    authority: &Authority,
) -> Result<(), Error> {
    let mut state = State::new(journal, enrolled_at, authority::pin(db, authority)?);
    state.clock.learn(enrolled_at, clock);
    state.policy = policy;
    document_save(db, STATE, &state)
}

/// Reads a document of the state directory; `None`: there is none of that name.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn document_load<T: serde::de::DeserializeOwned>(
    db: &dyn ReadSql,
    name: &str,
) -> Result<Option<T>, Error> {
    let rows = db.query("SELECT value FROM document WHERE name = ?1", &[name.into()])?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

/// Writes a document of the state directory.
///
/// # Errors
///
/// [`Error::Sql`].
pub fn document_save<T: Serialize>(db: &dyn Sql, name: &str, value: &T) -> Result<(), Error> {
    let value = serde_json::to_string(value).expect("stored documents serialize");
    db.execute(
        "INSERT INTO document (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[name.into(), value.into()],
    )?;
    Ok(())
}

pub(super) fn state_load(db: &dyn ReadSql) -> Result<State, Error> {
    document_load(db, STATE)?
        .ok_or_else(|| Error::conflict("this state directory is not enrolled: run `enrol` first"))
}

/// The endpoint object in a call that may write.
pub(super) struct Object<'a> {
    pub(super) db: &'a dyn Sql,
    pub(super) cx: &'a Context<'a>,
    pub(super) entropy: Entropy,
    pub(super) now: Now,
    pub(super) state: State,
    stored: State,
    pub(super) effects: Vec<Effect>,
}

impl<'a> Object<'a> {
    pub(super) fn open(db: &'a dyn Sql, cx: &'a Context<'a>) -> Result<Self, Error> {
        let state = state_load(db)?;
        let now = state.clock.now(cx.clock);
        let entropy = Entropy::new(cx.entropy);
        Ok(Self { db, cx, entropy, now, stored: state.clone(), state, effects: Vec::new() })
    }

    /// Appends to the journal.
    pub(super) fn record(&mut self, body: &JournalBody) -> Result<(), Error> {
        let text = serde_json::to_string(body).expect("journal bodies serialize");
        let head = self.state.journal;
        let number = head.number + 1;
        let header = JournalHeader {
            journal: head.id,
            kind: body.kind().to_owned(),
            at: self.now.at,
            is_unsure: !self.now.is_confirmed,
            wall: self.cx.clock.wall,
            monotonic_ms: self.cx.clock.monotonic_ms,
            boot: self.cx.boot,
            link: Link::new(number, head.hash, &text, &mut self.entropy),
        };
        let header = serde_json::to_string(&header).expect("journal headers serialize");
        let (hash, bytes) = (Digest::of(&header), (header.len() + text.len()) as u64);
        self.db.execute(
            "INSERT INTO journal (number, at, bytes, hash, header, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[number.into(), self.now.at.into(), bytes.into(), hash.into(), header.into(), text.into()],
        )?;
        self.state.journal = Head { id: head.id, number, hash };
        self.state.kept_bytes += bytes;
        self.state.clock.used(self.now);
        Ok(())
    }

    /// Saves the state and answers the effects.
    pub(super) fn close(self) -> Result<Vec<Effect>, Error> {
        if self.state != self.stored {
            document_save(self.db, STATE, &self.state)?;
        }
        Ok(self.effects)
    }
}

/// The kept entries after `number`, in order, as many as `entries_max` and `bytes_max` allow but at least one.
pub(super) fn entries_after(
    db: &dyn ReadSql,
    number: u64,
    entries_max: usize,
    bytes_max: u64,
) -> Result<Vec<Entry>, Error> {
    let sizes = db.query(
        "SELECT number, bytes FROM journal WHERE number > ?1 ORDER BY number LIMIT ?2",
        &[number.into(), (entries_max as u64).into()],
    )?;
    let (mut bytes, mut last) = (0, number);
    for row in &sizes {
        bytes += row.unsigned(1)?;
        if bytes > bytes_max && last > number {
            break;
        }
        last = row.unsigned(0)?;
    }
    let rows = db.query(
        "SELECT header, body FROM journal WHERE number > ?1 AND number <= ?2 ORDER BY number",
        &[number.into(), last.into()],
    )?;
    rows.iter()
        .map(|row| Ok(Entry { header: row.text(0)?.to_owned(), body: Some(row.text(1)?.to_owned()) }))
        .collect()
}

/// The hash of the journal at `number`; `None`: not there, or pruned so long ago that its hash is too.
pub(super) fn entry_hash(db: &dyn ReadSql, state: &State, number: u64) -> Result<Option<Digest>, Error> {
    if number == state.journal.number {
        return Ok(Some(state.journal.hash));
    }
    if number == state.pruned {
        return Ok(Some(state.pruned_hash));
    }
    let rows = db.query(
        "SELECT hash FROM journal WHERE number = ?1 UNION ALL SELECT hash FROM pruned WHERE number = ?1",
        &[number.into()],
    )?;
    Ok(rows.first().map(|row| row.parsed(0)).transpose()?)
}
