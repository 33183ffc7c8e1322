//! Tickets for idle syncs: nothing is stored, an HMAC binds endpoint, expiry, the host's start, the current journal, and
//! how both logs stand. Naming the current journal ends every other journal's tickets when a person adopts one: a machine that is
//! still there is then heard signed, and shown to people again.

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use crate::api::{EndpointState, JournalState};
use crate::call::{Context, SyncNeed};
use crate::error::{Code, Error};
use crate::id::{EndpointId, JournalId, LogId};
use crate::sql::ReadSql;
use crate::time::{Milliseconds, Timestamp};
use crate::wire::{Head, IdleSync};

use super::object::idle_row;
use super::{store, sync};

/// How long a ticket admits: once a day an idle endpoint proves itself at length. A revocation does not wait for it,
/// since the endpoint's row is read at every sync.
const VALID_FOR: Milliseconds = Milliseconds::from_days(1);
/// Bytes of a ticket: minutes since 1970, and half an HMAC.
const TICKET_BYTES: usize = 4 + 16;

/// How both logs of an endpoint stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The journal, held entirely.
    pub(super) journal: Head<JournalId>,
    /// The order log as the endpoint has taken it up.
    pub(super) orders: Option<Head<LogId>>,
}

/// A ticket for `endpoint` as long as its logs stand like this.
pub(super) fn issue(
    cx: &Context<'_>,
    endpoint: EndpointId,
    current: Option<JournalId>,
    standing: Standing,
) -> String {
    let expiry = minutes(cx.now.plus(VALID_FOR));
    let mut bytes = expiry.to_be_bytes().to_vec();
    bytes.extend_from_slice(&code(cx, endpoint, current, expiry, standing)[..16]);
    BASE64URL_NOPAD.encode(&bytes)
}

/// Which of the ways in which this endpoint's logs may stand the ticket is for.
///
/// # Errors
///
/// [`Code::TokenExpired`] for a ticket that is over, forged, or for a state that has passed: the endpoint then sends the
/// sync signed.
pub(super) fn standing(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    idle: &IdleSync,
    current: Option<Standing>,
) -> Result<Standing, Error> {
    let expired = || {
        Error::problem(Code::TokenExpired, "the idle ticket does not admit any more: send the sync signed")
    };
    let bytes = BASE64URL_NOPAD.decode(idle.ticket.as_bytes()).map_err(|_| expired())?;
    let bytes: [u8; TICKET_BYTES] = bytes.try_into().map_err(|_| expired())?;
    let (expiry, claimed) = bytes.split_at(4);
    let expiry = u32::from_be_bytes(expiry.try_into().map_err(|_| expired())?);
    if minutes(cx.now) >= expiry {
        return Err(expired());
    }
    let current_id = current.map(|current| current.journal.id);
    let holds = |current: Option<JournalId>, standing: &Standing| {
        bool::from(code(cx, idle.endpoint, current, expiry, *standing)[..16].ct_eq(claimed))
    };
    if let Some(standing) = current.filter(|standing| holds(current_id, standing)) {
        return Ok(standing);
    }
    // Rare from here on: a journal that no log has adopted yet, or whose log the endpoint has not taken up.
    let journals = store::journals_load(db, idle.endpoint)?;
    let is_possible = |state| matches!(state, JournalState::Candidate | JournalState::Current);
    for journal in journals.iter().filter(|journal| is_possible(journal.state)) {
        let standing = Standing { journal: journal.head, orders: None };
        // A ticket of before its adoption names the journal that was current then, and is answered with the adoption.
        let is_adopted = Some(journal.head.id) == current_id;
        let earlier = journals.iter().map(|journal| Some(journal.head.id)).chain([None]);
        let mut currents = earlier.filter(|id| is_adopted || *id == current_id);
        if currents.any(|current| holds(current, &standing)) {
            return Ok(standing);
        }
    }
    Err(expired())
}

/// Judges from one row whether an idle sync needs [`sync::idle`]: while nothing moves it writes nothing.
pub(super) fn need(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    idle: &IdleSync,
) -> Result<SyncNeed, Error> {
    let row = idle_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    sync::check_admitted(row.state)?;
    let current = row.journal.map(|journal| Standing { journal, orders: row.log });
    let standing = standing(db, cx, idle, current)?;
    let serial = cx.authority.serial();
    if row.serial_held < serial || (row.log.is_some() && row.serial_log < serial) {
        return Ok(SyncNeed::Handle);
    }
    let is_candidate = row.journal.is_none_or(|journal| journal.id != standing.journal.id);
    let nothing_to_say = Some(standing) == current
        && row.log.is_some()
        && row.state == EndpointState::Active
        && !row.pending
        && row.is_endorsed;
    // A candidate has nothing to fetch: it waits for a person like everybody else.
    Ok(if is_candidate || nothing_to_say { SyncNeed::Wait } else { SyncNeed::Handle })
}

fn code(
    cx: &Context<'_>,
    endpoint: EndpointId,
    current: Option<JournalId>,
    expiry: u32,
    standing: Standing,
) -> [u8; 32] {
    let Standing { journal, orders } = standing;
    let orders = orders.map(|head| format!("{} {} {}", head.id, head.number, head.hash)).unwrap_or_default();
    let current = current.map(|current| current.to_string()).unwrap_or_default();
    let Head { id, number, hash } = journal;
    let start = cx.presence.start();
    let text = format!(
        "idle {endpoint} {expiry} start {start} current {current} journal {id} {number} {hash} orders {orders}"
    );
    cx.keys.authenticate(text.as_bytes())
}

fn minutes(at: Timestamp) -> u32 {
    u32::try_from(at.milliseconds() / 60_000).unwrap_or(0)
}
