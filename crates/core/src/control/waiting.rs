//! "Why not yet?": what a sequence waits for, with the last proof of it. Here it is decided, for programs; its words
//! for people are made of that in `waiting_words`.

use crate::api::{EndpointState, Reachability, SequenceAhead, WaitingCode, WaitingView};
use crate::call::Context;
use crate::error::Error;
use crate::id::EndpointId;
use crate::journal::WaitReason;
use crate::page_bytes::{PAGE_BYTES_MAX, fitting};
use crate::sequence::{Sequence, Standing};
use crate::sql::{ReadSql, Row};
use crate::time::{Milliseconds, Timestamp};

use super::budget::SLOWED;
use super::object::EndpointRow;
use super::view;

/// Most sequences looked at for one that goes first: those in front of it that wait for a time of their own do not, and
/// past this many of them none is named.
const AHEAD_MAX: u64 = 16;

/// When a machine was and is usually heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) reachability: Reachability,
    pub(super) is_connected: bool,
    pub(super) last_at: Option<Timestamp>,
    pub(super) usual_interval: Option<Milliseconds>,
    pub(super) usual_hours: Vec<u8>,
}

/// A cause, since when it holds, and when it ends by itself.
struct Cause {
    code: WaitingCode,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// What `sequence` waits for, with what goes before it; `None`: nothing.
pub(super) fn waiting(
    cx: &Context<'_>,
    endpoint: EndpointId,
    row: &EndpointRow,
    sequence: &Sequence,
    ahead: Option<SequenceAhead>,
) -> Option<WaitingView> {
    if sequence.is_ended() && sequence.doubt.is_none() {
        return None;
    }
    let contact = contact(cx, endpoint, row);
    let cause = cause(cx, row, sequence, &contact, ahead.is_some());
    let hold = match &sequence.standing {
        Standing::Held { cause, .. } if sequence.doubt.is_none() => Some(*cause),
        Standing::Held { .. }
        | Standing::Draft
        | Standing::Queued
        | Standing::Offered { .. }
        | Standing::Delivered
        | Standing::Running
        | Standing::Ended { .. } => None,
    };
    let is_running = cause.code == WaitingCode::Running;
    Some(WaitingView {
        code: cause.code,
        since: cause.since,
        until: cause.until,
        expires_at: sequence.queued.as_ref().filter(|_| !sequence.is_ended()).map(|queued| queued.expires_at),
        sequence: ahead,
        step: running_step(sequence).filter(|_| is_running).map(|(step, _)| step),
        cause: hold,
        connected: contact.is_connected,
        last_contact_at: contact.last_at,
        usual_interval_ms: contact.usual_interval.map(|interval| interval.0),
        usual_hours_utc: contact.usual_hours,
    })
}

/// When the machine was and is usually heard: what was stored, and what the host knows since it started.
pub(super) fn contact(cx: &Context<'_>, endpoint: EndpointId, row: &EndpointRow) -> Contact {
    let seen = view::last_seen(cx, endpoint, row);
    let rhythm = row.rhythm.joined(cx.presence.rhythm(endpoint));
    Contact {
        reachability: view::reachability(cx, endpoint, seen),
        is_connected: cx.presence.is_connected(endpoint),
        last_at: seen.map(|seen| seen.at),
        usual_interval: rhythm.usual_interval(),
        usual_hours: rhythm.usual_hours(),
    }
}

fn cause(
    cx: &Context<'_>,
    row: &EndpointRow,
    sequence: &Sequence,
    contact: &Contact,
    is_behind: bool,
) -> Cause {
    let plain = |code, since| Cause { code, since, until: None };
    if let Some(cancel) = sequence.cancel.as_ref().filter(|_| !sequence.is_ended()) {
        return plain(WaitingCode::Cancelling, Some(cancel.at));
    }
    if let Some(doubt) = &sequence.doubt {
        return plain(WaitingCode::Restored, Some(doubt.since));
    }
    match &sequence.standing {
        Standing::Draft | Standing::Ended { .. } => plain(WaitingCode::Draft, Some(sequence.created_at)),
        Standing::Held { at, .. } => plain(WaitingCode::Held, Some(*at)),
        Standing::Queued => queued(cx, row, sequence, contact, is_behind),
        Standing::Offered { .. } => plain(WaitingCode::Offered, sequence.offered_at),
        Standing::Delivered => delivered(cx.now, sequence, is_behind),
        Standing::Running => plain(WaitingCode::Running, running_step(sequence).and_then(|(_, since)| since)),
    }
}

/// What never left waits for: first what no check-in changes, then the time, then the machine.
fn queued(
    cx: &Context<'_>,
    row: &EndpointRow,
    sequence: &Sequence,
    contact: &Contact,
    is_behind: bool,
) -> Cause {
    let since = sequence.queued.as_ref().map(|queued| queued.at);
    let has = |code: &str| row.attention.iter().any(|attention| attention.code == code);
    let not_before = not_before(cx.now, sequence);
    let (code, since) = if row.state == EndpointState::Recovered {
        (WaitingCode::Recovered, since)
    } else if row.journal.is_none() {
        (WaitingCode::IdentityConflict, since)
    } else if has("candidate_journal") {
        (WaitingCode::CandidateJournal, since)
    } else if cx.authority.is_over(cx.now) || has("order_key_behind") {
        (WaitingCode::OrderKey, since)
    } else if cx.presence.is_storage_full() {
        (WaitingCode::StorageFull, None)
    } else if row.attention.iter().any(|attention| attention.code == SLOWED) {
        (WaitingCode::Slowed, since)
    } else if not_before.is_some() {
        (WaitingCode::NotBefore, since)
    } else {
        match contact.reachability {
            Reachability::NeverSeen => (WaitingCode::NeverSeen, Some(row.enrolled_at)),
            Reachability::Quiet => (WaitingCode::NoContact, contact.last_at),
            Reachability::Reachable if is_behind => (WaitingCode::Behind, since),
            Reachability::Reachable => (WaitingCode::CheckIn, contact.last_at),
        }
    };
    Cause { code, since, until: not_before.filter(|_| code == WaitingCode::NotBefore) }
}

/// What the machine has waits for, as its journal last said. A time that has come ends what it said of that.
fn delivered(now: Timestamp, sequence: &Sequence, is_behind: bool) -> Cause {
    let told_at = sequence.waiting.map(|told| told.at);
    let (code, since, until) = match sequence.waiting.map(|told| told.reason) {
        Some(WaitReason::ClockUnknown) => (WaitingCode::ClockUnknown, told_at, None),
        Some(WaitReason::JournalFull) => (WaitingCode::JournalFull, told_at, None),
        Some(WaitReason::NotBefore { at }) if at > now => (WaitingCode::NotBefore, told_at, Some(at)),
        Some(WaitReason::NotBefore { .. }) | None => match not_before(now, sequence) {
            Some(at) => (WaitingCode::NotBefore, sequence.delivered_at, Some(at)),
            None if is_behind => (WaitingCode::Behind, sequence.delivered_at, None),
            None => (WaitingCode::Start, sequence.delivered_at, None),
        },
    };
    Cause { code, since, until }
}

fn not_before(now: Timestamp, sequence: &Sequence) -> Option<Timestamp> {
    sequence.queued.as_ref().and_then(|queued| queued.not_before).filter(|at| *at > now)
}

/// The step under way, as far as the journal has told, and since when.
fn running_step(sequence: &Sequence) -> Option<(u32, Option<Timestamp>)> {
    let open = (1..).zip(&sequence.steps).find_map(|(number, step)| {
        let attempt = step.attempts.last()?;
        (attempt.has_started() && attempt.end.is_none()).then_some((number, attempt.started))
    });
    open.map(|(number, started)| (number, started.map(|started| started.at)))
}

/// What goes before `sequence` on the machine, or will once it is there (R14): what runs, then what is older.
pub(super) fn ahead(
    db: &dyn ReadSql,
    now: Timestamp,
    endpoint: EndpointId,
    sequence: &Sequence,
) -> Result<Option<SequenceAhead>, Error> {
    if is_sent(sequence).is_none() {
        return Ok(None);
    }
    let older = db.query(
        "SELECT document FROM sequence WHERE endpoint_id = ?1 AND live = 1 \
         AND state IN ('queued', 'offered', 'delivered', 'cancelling') AND turn < \
         (SELECT turn FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2) ORDER BY turn LIMIT ?3",
        &[endpoint.into(), sequence.id.into(), AHEAD_MAX.into()],
    )?;
    let front = front(db, endpoint, sequence.run_next.is_some())?;
    Ok(first(now, sequence, &front, &documents(&older)?))
}

/// The sequences that a machine has or will be sent, in that order, at most `limit` and [`PAGE_BYTES_MAX`], each with what goes before it.
pub(super) fn queue(
    db: &dyn ReadSql,
    now: Timestamp,
    endpoint: EndpointId,
    limit: u32,
) -> Result<Vec<(Timestamp, Sequence, Option<SequenceAhead>)>, Error> {
    let sizes = db.query(
        "SELECT octet_length(document) FROM sequence WHERE endpoint_id = ?1 AND live = 1 ORDER BY turn LIMIT ?2",
        &[endpoint.into(), limit.into()],
    )?;
    let bytes: Vec<u64> = sizes.iter().map(|row| row.unsigned(0)).collect::<Result<_, _>>()?;
    let rows = db.query(
        "SELECT document, changed_at FROM sequence WHERE endpoint_id = ?1 AND live = 1 ORDER BY turn LIMIT ?2",
        &[endpoint.into(), (fitting(bytes, PAGE_BYTES_MAX) as u64).into()],
    )?;
    let live = documents(&rows)?;
    let front = front(db, endpoint, live.iter().any(|sequence| sequence.run_next.is_some()))?;
    let mut queue = Vec::with_capacity(live.len());
    for (index, (sequence, row)) in live.iter().zip(&rows).enumerate() {
        let changed_at = Timestamp::from_milliseconds(row.integer(1)?);
        queue.push((changed_at, sequence.clone(), first(now, sequence, &front, &live[..index])));
    }
    Ok(queue)
}

/// What may be before any other: what runs, and what was sent.
struct Front {
    running: Vec<Sequence>,
    /// Only where something was put first: it still goes after what was sent before it.
    sent: Vec<Sequence>,
}

// Queries that each go along the index and stop: a queue may be a thousand long.
fn front(db: &dyn ReadSql, endpoint: EndpointId, with_sent: bool) -> Result<Front, Error> {
    let running = db.query(
        "SELECT document FROM sequence WHERE endpoint_id = ?1 AND live = 1 AND state = 'running' \
         ORDER BY turn LIMIT 1",
        &[endpoint.into()],
    )?;
    let sent = if with_sent {
        db.query(
            "SELECT document FROM sequence WHERE endpoint_id = ?1 AND live = 1 AND state IN ('offered', 'delivered') \
             ORDER BY turn LIMIT ?2",
            &[endpoint.into(), AHEAD_MAX.into()],
        )?
    } else {
        Vec::new()
    };
    Ok(Front { running: documents(&running)?, sent: documents(&sent)? })
}

fn documents(rows: &[Row]) -> Result<Vec<Sequence>, Error> {
    Ok(rows.iter().map(|row| row.json(0)).collect::<Result<_, _>>()?)
}

/// Whether the machine has it already; `None`: it goes after nothing.
fn is_sent(sequence: &Sequence) -> Option<bool> {
    match sequence.standing {
        Standing::Queued => Some(false),
        Standing::Delivered => Some(true),
        Standing::Draft
        | Standing::Held { .. }
        | Standing::Offered { .. }
        | Standing::Running
        | Standing::Ended { .. } => None,
    }
}

/// The first that is in the way of `sequence`, among `older` ones and what may be before any other.
fn first(now: Timestamp, sequence: &Sequence, front: &Front, older: &[Sequence]) -> Option<SequenceAhead> {
    let is_sent = is_sent(sequence)?;
    let sent = if sequence.run_next.is_some() && !is_sent { front.sent.as_slice() } else { &[] };
    let mut before = front.running.iter().chain(sent).chain(older);
    let other = before.find(|other| goes_first(now, other, is_sent))?;
    Some(SequenceAhead { id: other.id, title: other.title.clone(), state: other.state() })
}

/// Whether `other` is in the way of what is younger, which is on the machine already where `is_sent`.
fn goes_first(now: Timestamp, other: &Sequence, is_sent: bool) -> bool {
    let waits_for_its_time = match other.waiting.map(|told| told.reason) {
        Some(WaitReason::NotBefore { at }) => at > now,
        Some(WaitReason::ClockUnknown) => true,
        Some(WaitReason::JournalFull) | None => not_before(now, other).is_some(),
    };
    match other.standing {
        Standing::Running => true,
        Standing::Delivered => !waits_for_its_time,
        Standing::Queued | Standing::Offered { .. } => !is_sent && !waits_for_its_time,
        Standing::Draft | Standing::Held { .. } | Standing::Ended { .. } => false,
    }
}
