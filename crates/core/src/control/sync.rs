//! One sync: entries in, orders out.

use core::ops::Range;

use crate::api::{EndpointState, JournalState};
use crate::call::{Context, Reply, Seen, SyncNeed, Synced};
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::id::{EndpointId, LogId, RequestId};
use crate::keys::PublicKey;
use crate::sql::ReadSql;
use crate::wire::{
    Failures, Head, IdleSync, JournalAnswer, PROTOCOL_VERSION, SignedLine, SyncAnswer, SyncRequest,
    TranscriptHead,
};

use super::intake::Intake;
use super::object::{Object, idle_row};
use super::orders::{log_is_known, order_hash, orders_after, void_load};
use super::slowed;
use super::store::{self, JournalRow};
use super::ticket::{self, Standing};

/// Signed syncs that are remembered of each endpoint: more than can be under way at once on its paths.
pub(super) const REQUESTS_KEPT: usize = 8;

/// How many altered copies of an order it takes until it is taken back (R13).
const FAILURES_BEFORE_VOID: u32 = 3;

/// Verifies a first line on a reader, before the host reads the content that it signs.
pub(super) fn line_need(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    first: &SignedLine,
) -> Result<SyncNeed, Error> {
    let row = idle_row(db, endpoint)?.ok_or_else(|| unknown(endpoint))?;
    check_admitted(row.state)?;
    let keys = store::public_keys_load(db, endpoint)?;
    if keys.iter().any(|key| first.verify(key)) {
        return Ok(SyncNeed::Handle);
    }
    Err(not_signed(&first.signed, &keys))
}

/// Judges a signed sync on a reader: what proves nothing never takes the writer's time, whom everybody waits for.
pub(super) fn need(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    request: &SyncRequest,
) -> Result<SyncNeed, Error> {
    let row = idle_row(db, endpoint)?.ok_or_else(|| unknown(endpoint))?;
    check_admitted(row.state)?;
    signer(request, &store::public_keys_load(db, endpoint)?)?;
    slowed::admit(db, cx, endpoint, &row, request)?;
    request.chain().map_err(|error| Error::invalid(error.to_string()))?;
    Ok(SyncNeed::Handle)
}

/// Takes a sync in and answers it.
pub(super) fn sync(
    object: &mut Object<'_>,
    request: &SyncRequest,
    address: Option<String>,
) -> Result<Reply, Error> {
    let line = &request.line;
    let mut journal = object.hear(request, address.clone())?;
    let is_news = object.is_news(request, &journal);
    if is_news {
        let skew_ms = line.wall.milliseconds() - object.cx.now.milliseconds();
        object.row.seen = Some(Seen { at: object.cx.now, skew_ms: Some(skew_ms) });
        journal.address = address.or(journal.address);
        object.row.serial_held = line.serial;
        if journal.state == JournalState::Candidate {
            object.candidate_heard();
        }
    }
    let serial = line.serial;
    let asks = Asks { request: line.request, orders: line.orders, failures: line.failures, serial };
    if matches!(journal.state, JournalState::Forked) {
        return Ok(answered(object, &asks, &journal, is_news));
    }
    object.proofs_take(&request.proofs)?;
    object.take(&mut journal, request, 0..request.entries.len())?;
    if matches!(journal.state, JournalState::Forked) {
        return Ok(answered(object, &asks, &journal, is_news));
    }
    let is_held_entirely = journal.head == line.journal;
    object.slowed_note(is_held_entirely);
    if is_held_entirely && is_news {
        journal.signed = Some(request.signed.clone());
    }
    store::journal_save(object.db, object.id, &journal)?;
    if !is_news {
        return Ok(answered(object, &asks, &journal, is_news));
    }
    if journal.state == JournalState::Current {
        object.row.address.clone_from(&journal.address);
    }
    let mut answer = plain_answer(object.cx, &asks, &journal);
    // Orders go only to a journal head that is held entirely (R4).
    if !is_held_entirely {
        answer.more = journal.head.number < line.journal.number && !object.is_spent();
        return Ok(Reply::Synced(Box::new(Synced { answer, head: None, is_news })));
    }
    finish(object, &asks, &journal, answer)
}

/// Takes some entries of a sync in and nothing else of it, as of a repeat (R5): the whole sync comes right after.
///
/// The outcomes of a gap are newer than the entries behind it, and a record between the two would have attempts without
/// an end: such a sync is taken whole.
pub(super) fn part(
    object: &mut Object<'_>,
    request: &SyncRequest,
    entries: Range<usize>,
) -> Result<Reply, Error> {
    let mut journal = object.hear(request, None)?;
    if journal.state != JournalState::Forked && request.gap.is_none() {
        object.take(&mut journal, request, entries)?;
        store::journal_save(object.db, object.id, &journal)?;
    }
    Ok(Reply::Done)
}

/// Answers an idle sync for which there may be something: the ticket says how both logs stand.
pub(super) fn idle(object: &mut Object<'_>, idle: &IdleSync) -> Result<Reply, Error> {
    check_admitted(object.row.state)?;
    let current = object.row.journal.map(|journal| Standing { journal, orders: object.row.log });
    let standing = ticket::standing(object.db, object.cx, idle, current)?;
    let journal =
        store::journal_load(object.db, object.id, standing.journal.id)?.ok_or_else(|| unknown(object.id))?;
    let serial = object.row.serial_held;
    let asks = Asks { request: idle.request, orders: standing.orders, failures: None, serial };
    let answer = plain_answer(object.cx, &asks, &journal);
    finish(object, &asks, &journal, answer)
}

/// What an endpoint asks for beside having its entries taken in.
struct Asks {
    request: RequestId,
    orders: Option<Head<LogId>>,
    failures: Option<Failures>,
    /// The serial of the newest certificate that it has.
    serial: u64,
}

/// Fills in what a journal that is held entirely may be told, or gives a ticket where there is nothing.
fn finish(
    object: &mut Object<'_>,
    asks: &Asks,
    journal: &JournalRow,
    mut answer: SyncAnswer,
) -> Result<Reply, Error> {
    let mut head = None;
    if asks.serial > object.cx.authority.serial() {
        // It would take every order of ours for altered.
        object.key_is_behind(asks.serial);
        return Ok(Reply::Synced(Box::new(Synced { answer, head, is_news: true })));
    }
    object.attention_clear("order_key_behind");
    if journal.state == JournalState::Current {
        object.orders_answer(asks, &mut answer)?;
        head = object.transcript_head()?;
    }
    answer.unknown = object.claims_ask(journal.ordinal)?;
    let is_quiet = answer.authority.is_none()
        && answer.unknown.is_empty()
        && answer.offered.is_empty()
        && answer.void.is_none()
        && !answer.more
        && head.is_none();
    let is_agreed = match journal.state {
        JournalState::Current => asks.orders == object.row.log,
        JournalState::Candidate => asks.orders.is_none(),
        _ => false,
    };
    if is_quiet && is_agreed && asks.failures.is_none() {
        let standing = Standing { journal: journal.head, orders: asks.orders };
        let current = object.row.journal.map(|current| current.id);
        answer.ticket = Some(ticket::issue(object.cx, object.id, current, standing));
    }
    Ok(Reply::Synced(Box::new(Synced { answer, head, is_news: true })))
}

impl Object<'_> {
    /// The journal that speaks in a sync of this protocol's version.
    fn hear(&mut self, request: &SyncRequest, address: Option<String>) -> Result<JournalRow, Error> {
        check_admitted(self.row.state)?;
        let version = request.line.v;
        if version != PROTOCOL_VERSION {
            let detail = format!("protocol version {version} is not spoken here, {PROTOCOL_VERSION} is");
            return Err(Error::invalid(detail));
        }
        self.is_charged = true;
        let journal = self.journal_of(request, address)?;
        self.speaker = journal.ordinal;
        Ok(journal)
    }

    /// Takes entries in, and stores the journal where they show that it is forked.
    fn take(
        &mut self,
        journal: &mut JournalRow,
        request: &SyncRequest,
        entries: Range<usize>,
    ) -> Result<(), Error> {
        match self.intake(journal, request, entries)? {
            Intake::Fits => Ok(()),
            Intake::Forked { number } => {
                self.fork(journal.head.id, number)?;
                journal.state = JournalState::Forked;
                store::journal_save(self.db, self.id, journal)
            }
        }
    }

    /// The journal that speaks, its signature checked; an unknown one becomes a candidate.
    fn journal_of(&mut self, request: &SyncRequest, address: Option<String>) -> Result<JournalRow, Error> {
        let line = &request.line;
        let known = store::journal_load(self.db, self.id, line.journal.id)?;
        let key = signer(request, &store::public_keys_load(self.db, self.id)?)?;
        if let Some(journal) = known {
            if journal.key != key {
                return Err(Error::problem(Code::InvalidSignature, "this journal is signed by another key"));
            }
            return Ok(journal);
        }
        let ordinal = store::journals_load(self.db, self.id)?.len() as u64 + 1;
        if ordinal > JOURNALS_MAX {
            return Err(Error::conflict(
                "too many journals of this endpoint: adopt one, or revoke it and enrol again",
            ));
        }
        let journal = JournalRow {
            head: Head { id: line.journal.id, number: 0, hash: crate::digest::Digest::ZERO },
            ordinal,
            key,
            state: JournalState::Candidate,
            first_seen_at: self.cx.now,
            address,
            facts: self.row.facts.clone(),
            signed: None,
        };
        self.candidate_add(journal.clone())?;
        Ok(journal)
    }

    /// Whether the endpoint says this now, as far as its record can tell (R5). A repeat does not, nor does a sync that
    /// states less of the journal than is held: it was overtaken. What either proves still counts; it gets no orders
    /// and moves neither last-seen nor address.
    fn is_news(&mut self, request: &SyncRequest, journal: &JournalRow) -> bool {
        let line = &request.line;
        if self.row.requests.contains(&line.request) || line.journal.number < journal.head.number {
            return false;
        }
        self.row.requests.insert(0, line.request);
        self.row.requests.truncate(REQUESTS_KEPT);
        true
    }

    /// Fills in what the endpoint lacks of the open order log.
    fn orders_answer(&mut self, asks: &Asks, answer: &mut SyncAnswer) -> Result<(), Error> {
        self.restore_unannounced(asks)?;
        self.log_renew()?;
        let Some(open) = self.row.log else { return Ok(()) };
        let held = asks.orders.filter(|orders| orders.id == open.id).map_or(0, |orders| orders.number);
        if let Some(failures) = asks.failures.filter(|failures| failures.log == open.id) {
            // Only work is taken back: without its `adopt` a log does not open, and a cancel is worth repeating. And
            // only what was there before this sync: copies of an order that a restore forgot say nothing of a new one.
            let is_work =
                failures.number == held + 1 && self.order_sequence(open.id, failures.number)?.is_some();
            if is_work && failures.count >= FAILURES_BEFORE_VOID {
                answer.void = self.void_make(open.id, failures.number)?;
            }
        }
        self.offer()?;
        let open = self.row.log.unwrap_or(open);
        if held >= open.number {
            return Ok(());
        }
        if answer.void.is_none() {
            answer.void = void_load(self.db, self.id, open.id, held + 1)?;
        }
        (answer.offered, answer.more) = orders_after(self.db, self.id, open.id, held)?;
        Ok(())
    }

    /// An order head that this record lacks proves a restore that nobody announced (R9).
    fn restore_unannounced(&mut self, asks: &Asks) -> Result<(), Error> {
        let proved = restore_is_proved(self.db, self.id, asks.orders, self.row.log)?;
        if let Some(claimed) = asks.orders.filter(|_| proved) {
            if self.row.log.is_some_and(|open| open.id != claimed.id) {
                self.log_note_foreign(claimed.id)?;
            }
            self.restore(false)?;
        }
        // What follows is work that people queued.
        self.is_charged = false;
        Ok(())
    }

    /// The head of the transcript, where the endpoint's journal does not hold a late enough one.
    fn transcript_head(&mut self) -> Result<Option<TranscriptHead>, Error> {
        if self.row.endorsed_number >= self.row.told_number {
            return Ok(None);
        }
        let journals = Some(self.journals_digest()?);
        Ok(Some(TranscriptHead {
            v: PROTOCOL_VERSION,
            endpoint: self.id,
            number: self.row.transcript_number,
            hash: self.row.transcript_hash,
            at: self.cx.now,
            journals,
            export: None,
        }))
    }
}

/// Whether the order head that an endpoint claims is one that this record lacks.
pub(super) fn restore_is_proved(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    claimed: Option<Head<LogId>>,
    open: Option<Head<LogId>>,
) -> Result<bool, Error> {
    let (Some(claimed), Some(open)) = (claimed, open) else { return Ok(false) };
    Ok(if claimed == open {
        false
    } else if claimed.id == open.id {
        order_hash(db, endpoint, open.id, claimed.number)? != Some(claimed.hash)
    } else {
        !log_is_known(db, endpoint, claimed.id)?
    })
}

/// Most journals of one endpoint: each costs a decision of a person, so a hundred are an attack or a defect.
const JOURNALS_MAX: u64 = 100;

pub(super) fn check_admitted(state: EndpointState) -> Result<(), Error> {
    if state == EndpointState::Revoked {
        return Err(Error::problem(
            Code::Revoked,
            "the enrolment of this endpoint is revoked: enrol it again",
        ));
    }
    Ok(())
}

/// Which of the endpoint's keys signed the request.
fn signer(request: &SyncRequest, keys: &[PublicKey]) -> Result<PublicKey, Error> {
    keys.iter().find(|key| request.verify(key)).copied().ok_or_else(|| not_signed(&request.signed, keys))
}

/// Why no key of the endpoint fits. One that claims a key nobody here heard of was enrolled again after the backup
/// that was restored: it must present its certificate (R15).
fn not_signed(signed: &Envelope, keys: &[PublicKey]) -> Error {
    let is_known = |keyid: &str| keys.iter().any(|key| key.key_id() == keyid);
    if signed.signatures.iter().any(|claimed| is_known(&claimed.keyid)) {
        let detail = "the sync is not signed by a key of this endpoint: sign it and send it again";
        return Error::problem(Code::InvalidSignature, detail);
    }
    let detail = "this key of the endpoint is not known here: present the enrolment certificate";
    Error::problem(Code::UnknownEndpoint, detail)
}

fn answered(object: &Object<'_>, asks: &Asks, journal: &JournalRow, is_news: bool) -> Reply {
    let answer = plain_answer(object.cx, asks, journal);
    Reply::Synced(Box::new(Synced { answer, head: None, is_news }))
}

fn plain_answer(cx: &Context<'_>, asks: &Asks, journal: &JournalRow) -> SyncAnswer {
    SyncAnswer {
        v: PROTOCOL_VERSION,
        request: asks.request,
        at: cx.now,
        journal: JournalAnswer { head: journal.head, state: journal.state },
        authority: (asks.serial < cx.authority.serial()).then(|| cx.authority.certificate.clone()),
        offered: Vec::new(),
        void: None,
        transcript: None,
        ticket: None,
        unknown: Vec::new(),
        more: false,
    }
}

pub(super) fn unknown(endpoint: EndpointId) -> Error {
    Error::problem(
        Code::UnknownEndpoint,
        format!("there is no endpoint `{endpoint}` here: present the enrolment certificate"),
    )
}
