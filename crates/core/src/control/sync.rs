//! One sync: entries in, orders out.

use crate::api::{EndpointState, JournalState};
use crate::call::{Context, Reply, Seen, SyncNeed, Synced};
use crate::error::{Code, Error};
use crate::id::EndpointId;
use crate::keys::PublicKey;
use crate::sql::ReadSql;
use crate::wire::{
    JournalAnswer, PROTOCOL_VERSION, SyncAnswer, SyncLine, SyncProof, SyncRequest, TranscriptHead,
};

use super::intake::Intake;
use super::object::{Object, idle_row};
use super::orders::{orders_after, void_load};
use super::store::{self, JournalRow};
use super::token;

/// How many altered copies of an order it takes until it is taken back (R13).
const FAILURES_BEFORE_VOID: u32 = 3;

/// Judges from one row whether `request` needs [`sync`]: an idle sync writes nothing.
pub(super) fn need(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    request: &SyncRequest,
) -> Result<SyncNeed, Error> {
    let row = idle_row(db, endpoint)?.ok_or_else(|| unknown(endpoint))?;
    check_admitted(row.state)?;
    let line = &request.line;
    let SyncProof::Token(presented) = &request.proof else {
        // What proves nothing costs a reader's time and never the writer's, whom everybody waits for.
        signer(request, &store::public_keys_load(db, endpoint)?)?;
        request.chain().map_err(|error| Error::invalid(error.to_string()))?;
        return Ok(SyncNeed::Handle);
    };
    token::check(cx, endpoint, presented)?;
    let nothing_to_say = row.journal == Some(line.journal)
        && row.log.is_some()
        && row.log == line.orders
        && line.failures.is_none()
        && row.state == EndpointState::Active
        && !row.pending
        && row.is_endorsed;
    if nothing_to_say {
        let held = JournalAnswer { head: line.journal, state: JournalState::Current };
        return Ok(SyncNeed::Wait(Box::new(plain_answer(cx, line, held))));
    }
    if row.journal.is_some_and(|head| head.id == line.journal.id) {
        return Ok(SyncNeed::Handle);
    }
    match store::journal_load(db, endpoint, line.journal.id)? {
        // A candidate has nothing to fetch: it waits for a person like everybody else.
        Some(journal) if journal.head == line.journal && journal.state == JournalState::Candidate => {
            let held = JournalAnswer { head: journal.head, state: journal.state };
            Ok(SyncNeed::Wait(Box::new(plain_answer(cx, line, held))))
        }
        Some(_) | None => Ok(SyncNeed::Handle),
    }
}

/// Takes a sync in and answers it.
pub(super) fn sync(
    object: &mut Object<'_>,
    request: &SyncRequest,
    address: Option<String>,
) -> Result<Reply, Error> {
    check_admitted(object.row.state)?;
    let line = &request.line;
    if line.v != PROTOCOL_VERSION {
        let detail = format!("protocol version {} is not spoken here, {PROTOCOL_VERSION} is", line.v);
        return Err(Error::invalid(detail));
    }
    let mut journal = object.journal_of(request, address)?;
    let skew_ms = line.wall.milliseconds() - object.cx.now.milliseconds();
    object.row.seen = Some(Seen { at: object.cx.now, skew_ms });
    if matches!(journal.state, JournalState::Forked) {
        return Ok(answered(object, line, &journal));
    }
    match object.intake(&mut journal, request)? {
        Intake::Fits => {}
        Intake::Forked { number } => {
            object.fork(line.journal.id, number)?;
            journal.state = JournalState::Forked;
            store::journal_save(object.db, object.id, &journal)?;
            return Ok(answered(object, line, &journal));
        }
    }
    if let SyncProof::Signed(envelope) = &request.proof
        && journal.head == line.journal
    {
        journal.signed = Some(envelope.clone());
    }
    store::journal_save(object.db, object.id, &journal)?;
    let mut answer =
        plain_answer(object.cx, line, JournalAnswer { head: journal.head, state: journal.state });
    if matches!(request.proof, SyncProof::Signed(_)) {
        answer.token = Some(token::issue(object.cx, object.id));
    }
    let mut head = None;
    // Orders go only to a journal head that is held entirely (R4).
    if journal.state == JournalState::Current && journal.head == line.journal {
        object.orders_answer(line, &mut answer)?;
        head = object.transcript_head();
    } else if journal.head.number < line.journal.number {
        answer.more = true;
    }
    Ok(Reply::Synced(Box::new(Synced { answer, head })))
}

impl Object<'_> {
    /// The journal that speaks, its signature or token checked; an unknown one becomes a candidate.
    fn journal_of(&mut self, request: &SyncRequest, address: Option<String>) -> Result<JournalRow, Error> {
        let line = &request.line;
        let known = store::journal_load(self.db, self.id, line.journal.id)?;
        let keys = store::public_keys_load(self.db, self.id)?;
        let key = match &request.proof {
            SyncProof::Token(presented) => {
                token::check(self.cx, self.id, presented)?;
                if !request.entries.is_empty() || request.gap.is_some() {
                    return Err(Error::problem(Code::InvalidSignature, "a sync that moves a log is signed"));
                }
                known.as_ref().map(|journal| journal.key).ok_or_else(|| not_signed(request, &keys))?
            }
            SyncProof::Signed(_) => signer(request, &keys)?,
        };
        if let Some(mut journal) = known {
            if journal.key != key {
                return Err(Error::problem(Code::InvalidSignature, "this journal is signed by another key"));
            }
            journal.address = address.or(journal.address);
            return Ok(journal);
        }
        let ordinal = store::journals_load(self.db, self.id)?.len() as u64 + 1;
        if ordinal > JOURNALS_MAX {
            return Err(Error::conflict(
                "too many journals of this endpoint: adopt one, or revoke it and enrol again",
            ));
        }
        let journal = JournalRow {
            head: crate::wire::Head { id: line.journal.id, number: 0, hash: crate::digest::Digest::ZERO },
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

    /// Fills in what the endpoint lacks of the open order log.
    fn orders_answer(&mut self, line: &SyncLine, answer: &mut SyncAnswer) -> Result<(), Error> {
        self.restore_unannounced(line)?;
        let Some(open) = self.row.log else { return Ok(()) };
        let held = line.orders.filter(|orders| orders.id == open.id).map_or(0, |orders| orders.number);
        if let Some(failures) = line.failures.filter(|failures| failures.log == open.id) {
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
    fn restore_unannounced(&mut self, line: &SyncLine) -> Result<(), Error> {
        let (Some(claimed), Some(open)) = (line.orders, self.row.log) else { return Ok(()) };
        let proved = if claimed == open {
            false
        } else if claimed.id == open.id {
            self.order_hash(open.id, claimed.number)? != Some(claimed.hash)
        } else if self.log_is_known(claimed.id)? {
            false
        } else {
            self.log_note_foreign(claimed.id)?;
            true
        };
        if proved { self.restore(false) } else { Ok(()) }
    }

    /// The head of the transcript, where the endpoint's journal does not hold a late enough one.
    fn transcript_head(&self) -> Option<TranscriptHead> {
        (self.row.endorsed_number < self.row.told_number).then_some(TranscriptHead {
            v: PROTOCOL_VERSION,
            endpoint: self.id,
            number: self.row.transcript_number,
            hash: self.row.transcript_hash,
            at: self.cx.now,
        })
    }
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
    keys.iter().find(|key| request.verify(key)).copied().ok_or_else(|| not_signed(request, keys))
}

/// Why no key of the endpoint fits. One that claims a key nobody here heard of was enrolled again after the backup
/// that was restored: it must present its certificate (R15).
fn not_signed(request: &SyncRequest, keys: &[PublicKey]) -> Error {
    let is_known = |keyid: &str| keys.iter().any(|key| key.key_id() == keyid);
    match &request.proof {
        SyncProof::Signed(envelope)
            if !envelope.signatures.iter().any(|claimed| is_known(&claimed.keyid)) =>
        {
            let detail = "this key of the endpoint is not known here: present the enrolment certificate";
            Error::problem(Code::UnknownEndpoint, detail)
        }
        SyncProof::Signed(_) | SyncProof::Token(_) => {
            Error::problem(Code::InvalidSignature, "the sync is not signed by a key of this endpoint")
        }
    }
}

fn answered(object: &Object<'_>, line: &SyncLine, journal: &JournalRow) -> Reply {
    let held = JournalAnswer { head: journal.head, state: journal.state };
    Reply::Synced(Box::new(Synced { answer: plain_answer(object.cx, line, held), head: None }))
}

fn plain_answer(cx: &Context<'_>, line: &SyncLine, journal: JournalAnswer) -> SyncAnswer {
    SyncAnswer {
        v: PROTOCOL_VERSION,
        request: line.request,
        at: cx.now,
        journal,
        offered: Vec::new(),
        void: None,
        transcript: None,
        token: None,
        more: false,
    }
}

pub(super) fn unknown(endpoint: EndpointId) -> Error {
    Error::problem(
        Code::UnknownEndpoint,
        format!("there is no endpoint `{endpoint}` here: present the enrolment certificate"),
    )
}
