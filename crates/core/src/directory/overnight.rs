//! What happened while nobody looked: every sequence in the group that says what it asks of a person.
//!
//! The group is decided when a sequence is projected and stored beside it, so that a morning is a few walks along one
//! index. Only whether a machine missed a usual contact depends on the time of the question.

use std::collections::BTreeMap;

use crate::api::{
    Attention, EndpointView, Group, MachineName, OvernightItem, OvernightMachine, OvernightView, Paging,
    Reachability, SequenceState, SequenceSummary, WaitingCode, WaitingView,
};
use crate::call::Context;
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::{INTEGER_MAX, ReadSql, Row, SqlError};
use crate::time::{Milliseconds, Timestamp};

use super::endpoints::presence_merge;
use super::namesakes::{self, sharing_a_name};

/// What of a machine's attention list asks for a person here. `held` shows with the work that is held, `clock_skew`
/// changes no result.
const NEEDS_PERSON: [&str; 7] = [
    "identity_conflict",
    "candidate_journal",
    "recovered",
    "tampered",
    "journal_gap",
    "order_key_behind",
    "slowed",
];
/// Most items of one machine in a group: a machine with many must not hide the others.
const OF_MACHINE_MAX: usize = 5;
/// Most sequences under way that are looked at for a missed contact. Past it the newest are, and the rest is counted as
/// waiting.
const LIVE_LOOKED_AT_MAX: u64 = 1_000;
/// A machine without usual hours missed a contact after this many usual intervals, …
const INTERVALS_MISSED: u64 = 10;
/// … and not before this: shorter gaps are a reboot or a passing fault of the link.
const MISSED_AFTER: Milliseconds = Milliseconds::from_seconds(3_600);
/// How far ahead of the last contact a usual hour is looked for: each comes once a day.
const HOURS_LOOKED_AT: i64 = 25;
const HOUR_MS: i64 = 3_600_000;

/// The machines that ask for a person themselves, as a table of ids.
macro_rules! asking {
    () => {
        concat!("SELECT endpoint_id FROM endpoint_summary WHERE needs_person = 1 UNION ", sharing_a_name!())
    };
}

/// What a sequence asks of a person, as far as that does not depend on the time of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Night {
    /// To look at what went wrong.
    Person,
    /// To decide: it is held, or expired.
    Held,
    /// Nothing yet: it is under way.
    Live,
    /// Nothing: it ended without a fault, or somebody looked.
    Clean,
}

impl Night {
    /// The word in the column.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Held => "held",
            Self::Live => "live",
            Self::Clean => "clean",
        }
    }
}

/// What the sequence asks, and since when; `None`: nothing, it is a draft.
pub(super) fn night(sequence: &SequenceSummary) -> Option<(Night, Timestamp)> {
    let ended_at = sequence.ended_at.unwrap_or(sequence.changed_at);
    let has_fault = sequence.worst.is_some() || sequence.attention > 0 || sequence.interrupted > 0;
    let night = match (sequence.state, &sequence.reviewed) {
        (SequenceState::Draft | SequenceState::AwaitingApproval, _) => return None,
        (SequenceState::Held, _) => (Night::Held, sequence.changed_at),
        (state, _) if !state.is_ended() => (Night::Live, sequence.changed_at),
        (_, Some(reviewed)) => (Night::Clean, reviewed.at.max(ended_at)),
        (_, None) if has_fault => (Night::Person, ended_at),
        (
            SequenceState::Failed | SequenceState::Stopped | SequenceState::Refused | SequenceState::Lost,
            None,
        ) => (Night::Person, ended_at),
        (SequenceState::Expired, None) => (Night::Held, ended_at),
        (_, None) => (Night::Clean, ended_at),
    };
    Some(night)
}

/// Whether the machine itself needs a person.
pub(super) fn needs_person(endpoint: &EndpointView) -> bool {
    endpoint.attention.iter().any(|attention| asks(&attention.code))
}

fn asks(code: &str) -> bool {
    NEEDS_PERSON.contains(&code)
}

/// The whole of it, at most `limit` items a group.
pub(super) fn overnight(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    since: Timestamp,
    limit: u32,
) -> Result<OvernightView, Error> {
    let limit = u64::from(limit.clamp(1, Paging::LIMIT_MAX));
    let held = night_items(db, Night::Held, None, limit)?;
    let live = night_rows(db, Night::Live, None, LIVE_LOOKED_AT_MAX)?;
    let live_rest = match (live.len() as u64) < LIVE_LOOKED_AT_MAX {
        true => 0,
        false => rest(db, Night::Live, None, LIVE_LOOKED_AT_MAX)?,
    };
    let (mut missed, mut waiting) = (Vec::new(), Vec::new());
    for row in &live {
        let item = live_item(cx, row)?;
        if item.missed_at.is_some() { missed.push(item) } else { waiting.push(item) }
    }
    let (missed, missed_hidden) = of_each_machine(missed);
    let (waiting, waiting_hidden) = of_each_machine(waiting);
    let mut held_or_missed = held.items;
    held_or_missed.extend(missed);
    held_or_missed.sort_by_key(|item| std::cmp::Reverse(item.sequence.changed_at));
    Ok(OvernightView {
        at: cx.now,
        since,
        machines: machines(db, cx, limit)?,
        needs_person: night_items(db, Night::Person, None, limit)?,
        held_or_missed: cut(held_or_missed, held.rest + missed_hidden, limit),
        waiting: cut(waiting, live_rest + waiting_hidden, limit),
        clean: night_items(db, Night::Clean, Some(since), limit)?,
    })
}

fn cut<T>(mut items: Vec<T>, rest: u64, limit: u64) -> Group<T> {
    let more = (items.len() as u64).saturating_sub(limit);
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Group { items, rest: rest + more }
}

/// Keeps the first few of each machine and tells how many are hidden.
fn of_each_machine(items: Vec<OvernightItem>) -> (Vec<OvernightItem>, u64) {
    let mut counts = BTreeMap::<EndpointId, u64>::new();
    for item in &items {
        *counts.entry(item.machine.endpoint_id).or_default() += 1;
    }
    let (all, mut places) = (items.len(), BTreeMap::<EndpointId, u64>::new());
    let mut kept = Vec::with_capacity(all);
    for mut item in items {
        let machine = item.machine.endpoint_id;
        let place = places.entry(machine).or_default();
        *place += 1;
        if *place <= OF_MACHINE_MAX as u64 {
            item.more_of_machine = more_of_machine(*place, counts.get(&machine).copied().unwrap_or_default());
            kept.push(item);
        }
    }
    let hidden = (all - kept.len()) as u64;
    (kept, hidden)
}

/// What the item at `place` of its machine's `all` says of the ones that are not listed.
fn more_of_machine(place: u64, all: u64) -> u64 {
    if place == OF_MACHINE_MAX as u64 { all - place } else { 0 }
}

fn night_items(
    db: &dyn ReadSql,
    night: Night,
    since: Option<Timestamp>,
    limit: u64,
) -> Result<Group<OvernightItem>, Error> {
    let rows = machine_rows(db, night, since, limit)?;
    let rest = rest(db, night, since, rows.len() as u64)?;
    let item = |row: &Row| {
        let sequence: SequenceSummary = row.json(0)?;
        let waiting = (sequence.state == SequenceState::Held).then(|| held(&sequence));
        let (waiting_for, waiting) = waiting.map_or((None, None), |(words, view)| (Some(words), Some(view)));
        Ok(OvernightItem {
            sequence,
            machine: machine_name(row, 1)?,
            waiting_for,
            waiting,
            more_of_machine: more_of_machine(row.unsigned(8)?, row.unsigned(9)?),
            missed_at: None,
        })
    };
    let items = rows.iter().map(item).collect::<Result<_, SqlError>>()?;
    Ok(Group { items, rest })
}

fn night_rows(
    db: &dyn ReadSql,
    night: Night,
    since: Option<Timestamp>,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let rows = db.query(
        "SELECT told.document, machine.endpoint_id, machine.name, machine.client_id, client.name, machine.site_id, \
         site.name, site.time_zone, CASE ?1 WHEN 'live' THEN json_set(json_remove(machine.document, '$.journals',
         '$.notes', '$.outages', '$.probes', '$.traffic'), '$.facts', json('{}')) END
         FROM sequence_summary AS told JOIN endpoint_summary AS machine USING (endpoint_id)
         LEFT JOIN client ON client.client_id = machine.client_id
         LEFT JOIN site ON site.site_id = machine.site_id
         WHERE told.night = ?1 AND told.night IS NOT NULL AND told.night_at >= ?2
         ORDER BY told.night_at DESC, told.sequence_id DESC LIMIT ?3",
        &[night.as_str().into(), since.map_or(-INTEGER_MAX, Timestamp::milliseconds).into(), limit.into()],
    )?;
    Ok(rows)
}

/// The newest of each machine, newest first: what it is, where, its place among its machine's and how many those are.
fn machine_rows(
    db: &dyn ReadSql,
    night: Night,
    since: Option<Timestamp>,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let rows = db.query(
        "SELECT summary.document, machine.endpoint_id, machine.name, machine.client_id, client.name, \
         machine.site_id, site.name, site.time_zone, told.place, told.of_machine
         FROM (SELECT sequence_id, endpoint_id, night_at, COUNT(*) OVER (PARTITION BY endpoint_id) AS of_machine, \
                   ROW_NUMBER() OVER (PARTITION BY endpoint_id ORDER BY night_at DESC, sequence_id DESC) AS place
               FROM sequence_summary WHERE night = ?1 AND night IS NOT NULL AND night_at >= ?2) AS told
         JOIN sequence_summary AS summary ON summary.sequence_id = told.sequence_id
         JOIN endpoint_summary AS machine ON machine.endpoint_id = told.endpoint_id
         LEFT JOIN client ON client.client_id = machine.client_id
         LEFT JOIN site ON site.site_id = machine.site_id
         WHERE told.place <= ?4 ORDER BY told.night_at DESC, told.sequence_id DESC LIMIT ?3",
        &[
            night.as_str().into(),
            since.map_or(-INTEGER_MAX, Timestamp::milliseconds).into(),
            limit.into(),
            (OF_MACHINE_MAX as u64).into(),
        ],
    )?;
    Ok(rows)
}

/// How many more there are than `shown`.
fn rest(db: &dyn ReadSql, night: Night, since: Option<Timestamp>, shown: u64) -> Result<u64, Error> {
    let rows = db.query(
        "SELECT COUNT(*) FROM sequence_summary WHERE night = ?1 AND night IS NOT NULL AND night_at >= ?2",
        &[night.as_str().into(), since.map_or(-INTEGER_MAX, Timestamp::milliseconds).into()],
    )?;
    let all = rows.first().map_or(Ok(0), |row| row.unsigned(0))?;
    Ok(all.saturating_sub(shown))
}

/// Reads the machine's names, which begin in `column`. A client or site that is not there any more is told by its id,
/// and its times are UTC.
fn machine_name(row: &Row, column: usize) -> Result<MachineName, SqlError> {
    let name = |column: usize| row.optional_text(column).transpose().unwrap_or_else(|| row.text(column - 1));
    Ok(MachineName {
        endpoint_id: row.parsed(column)?,
        endpoint_name: row.text(column + 1)?.to_owned(),
        client_id: row.parsed(column + 2)?,
        client_name: name(column + 3)?.to_owned(),
        site_id: row.parsed(column + 4)?,
        site_name: name(column + 5)?.to_owned(),
        time_zone: row.optional_text(column + 6)?.unwrap_or("UTC").to_owned(),
    })
}

fn machines(db: &dyn ReadSql, cx: &Context<'_>, limit: u64) -> Result<Group<OvernightMachine>, Error> {
    let rows = db.query(
        concat!(
            "SELECT json_extract(machine.document, '$.attention'), machine.endpoint_id, machine.name, \
             machine.client_id, client.name, machine.site_id, site.name, site.time_zone
             FROM endpoint_summary AS machine
             LEFT JOIN client ON client.client_id = machine.client_id
             LEFT JOIN site ON site.site_id = machine.site_id
             WHERE machine.endpoint_id IN (",
            asking!(),
            ") ORDER BY machine.name, machine.endpoint_id LIMIT ?1"
        ),
        &[limit.into()],
    )?;
    let ids: Vec<EndpointId> = rows.iter().map(|row| row.parsed(1)).collect::<Result<_, _>>()?;
    let mut namesakes = namesakes::of_each(db, cx, &ids)?;
    let machine = |row: &Row| {
        let machine = machine_name(row, 1)?;
        let attention: Vec<Attention> = row.json(0)?;
        let others = namesakes.remove(&machine.endpoint_id).unwrap_or_default();
        let attention = attention.into_iter().filter(|attention| asks(&attention.code));
        let attention = attention.chain(Attention::same_name(&others)).collect();
        Ok(OvernightMachine { machine, attention })
    };
    let items: Vec<_> = rows.iter().map(machine).collect::<Result<_, SqlError>>()?;
    if (items.len() as u64) < limit {
        return Ok(Group { items, rest: 0 });
    }
    let all = db.query(concat!("SELECT COUNT(*) FROM (", asking!(), ")"), &[])?;
    let all = all.first().map_or(Ok(0), |row| row.unsigned(0))?;
    let rest = all.saturating_sub(items.len() as u64);
    Ok(Group { items, rest })
}

fn live_item(cx: &Context<'_>, row: &Row) -> Result<OvernightItem, Error> {
    let (sequence, mut endpoint): (SequenceSummary, EndpointView) = (row.json(0)?, row.json(8)?);
    presence_merge(cx, &mut endpoint);
    let code = live_code(cx, &sequence, &endpoint);
    let missed_at = missed_at(cx, &sequence, &endpoint);
    let view = live_waiting(cx, code, &sequence, &endpoint);
    let waiting_for = Some(live_words(code).to_owned());
    Ok(OvernightItem {
        sequence,
        machine: machine_name(row, 1)?,
        waiting_for,
        waiting: Some(view),
        more_of_machine: 0,
        missed_at,
    })
}

/// What it waits for, as far as the directory can tell: it knows the machine by what it last told, and nothing of the
/// other sequences.
fn live_code(cx: &Context<'_>, sequence: &SequenceSummary, endpoint: &EndpointView) -> WaitingCode {
    let has = |code: &str| endpoint.attention.iter().any(|attention| attention.code == code);
    let is_early = sequence.not_before.is_some_and(|at| at > cx.now);
    match sequence.state {
        SequenceState::Cancelling => WaitingCode::Cancelling,
        SequenceState::Offered => WaitingCode::Offered,
        SequenceState::Delivered if is_early => WaitingCode::NotBefore,
        SequenceState::Delivered => WaitingCode::Start,
        SequenceState::Running => WaitingCode::Running,
        _ if has("recovered") => WaitingCode::Recovered,
        _ if has("identity_conflict") => WaitingCode::IdentityConflict,
        _ if has("candidate_journal") => WaitingCode::CandidateJournal,
        _ if cx.authority.is_over(cx.now) || has("order_key_behind") => WaitingCode::OrderKey,
        _ if cx.presence.is_storage_full() => WaitingCode::StorageFull,
        _ if has("slowed") => WaitingCode::Slowed,
        _ if is_early => WaitingCode::NotBefore,
        _ => match endpoint.reachability {
            Reachability::NeverSeen => WaitingCode::NeverSeen,
            Reachability::Quiet => WaitingCode::NoContact,
            Reachability::Reachable => WaitingCode::CheckIn,
        },
    }
}

/// The words for it; each reads after "waits for".
fn live_words(code: WaitingCode) -> &'static str {
    match code {
        WaitingCode::Cancelling => {
            "word from the machine on what the cancel met: until then it may be running"
        }
        WaitingCode::Offered => "word from the machine: it was sent and may already be running",
        WaitingCode::Start => "the machine to start it: it has it and may be running it by now",
        WaitingCode::Running => "its steps to end; results come with the next check-in",
        WaitingCode::Recovered => "a person to confirm that this recovered machine is yours",
        WaitingCode::IdentityConflict => "a person to decide which machine this is",
        WaitingCode::CandidateJournal => "the machine it is for, or a person to decide which machine this is",
        WaitingCode::OrderKey => "a new order key: machines obey the one in use no more",
        WaitingCode::StorageFull => "room on the control plane's disk",
        WaitingCode::Slowed => "the machine's earlier reports to be stored, which is slowed",
        WaitingCode::NotBefore => "its earliest start",
        WaitingCode::NeverSeen => "the machine's first check-in",
        WaitingCode::NoContact => "the machine's next check-in; it was not heard lately",
        WaitingCode::CheckIn
        | WaitingCode::Draft
        | WaitingCode::Held
        | WaitingCode::Behind
        | WaitingCode::Restored
        | WaitingCode::ClockUnknown
        | WaitingCode::JournalFull => "the machine's next check-in",
    }
}

fn live_waiting(
    cx: &Context<'_>,
    code: WaitingCode,
    sequence: &SequenceSummary,
    endpoint: &EndpointView,
) -> WaitingView {
    let usual = usual(cx, endpoint);
    WaitingView {
        code,
        since: match code {
            WaitingCode::NoContact | WaitingCode::CheckIn => endpoint.last_seen_at,
            WaitingCode::NeverSeen => Some(endpoint.enrolled_at),
            _ => None,
        },
        until: sequence.not_before.filter(|_| code == WaitingCode::NotBefore),
        expires_at: sequence.expires_at,
        sequence: None,
        step: None,
        cause: None,
        connected: cx.presence.is_connected(endpoint.id),
        last_contact_at: endpoint.last_seen_at,
        usual_interval_ms: usual.interval.map(|interval| interval.0),
        usual_hours_utc: usual.hours,
    }
}

fn held(sequence: &SequenceSummary) -> (String, WaitingView) {
    let why = sequence.reason.as_deref().unwrap_or("the machine changed");
    let view = WaitingView {
        code: WaitingCode::Held,
        since: None,
        until: None,
        expires_at: sequence.expires_at,
        sequence: None,
        step: None,
        cause: None,
        connected: false,
        last_contact_at: None,
        usual_interval_ms: None,
        usual_hours_utc: Vec::new(),
    };
    (format!("a person to decide: {why}"), view)
}

/// When a machine is usually heard: what it was like when it last told of itself, and what the host has learned since.
struct Usual {
    interval: Option<Milliseconds>,
    hours: Vec<u8>,
}

fn usual(cx: &Context<'_>, endpoint: &EndpointView) -> Usual {
    let rhythm = cx.presence.rhythm(endpoint.id);
    let hours = Some(rhythm.usual_hours()).filter(|hours| !hours.is_empty());
    Usual {
        interval: rhythm.usual_interval().or(endpoint.usual_interval_ms.map(Milliseconds)),
        hours: hours.unwrap_or_else(|| endpoint.usual_hours_utc.clone()),
    }
}

/// By when the machine would have been heard as usual while this waited; `None`: it was, or nothing is usual for it.
fn missed_at(cx: &Context<'_>, sequence: &SequenceSummary, endpoint: &EndpointView) -> Option<Timestamp> {
    if cx.presence.is_connected(endpoint.id) || endpoint.reachability != Reachability::Quiet {
        return None;
    }
    let from = endpoint.last_seen_at?.max(sequence.created_at);
    let usual = usual(cx, endpoint);
    let at = if usual.hours.is_empty() {
        let span = Milliseconds(usual.interval?.0.saturating_mul(INTERVALS_MISSED)).max(MISSED_AFTER);
        from.plus(span)
    } else {
        usual_hour_end(&usual.hours, from)?
    };
    Some(at).filter(|at| *at <= cx.now)
}

/// The end of the first usual hour that begins at or after `from`.
fn usual_hour_end(hours: &[u8], from: Timestamp) -> Option<Timestamp> {
    let first = from.milliseconds().div_euclid(HOUR_MS) + 1;
    let is_usual = |hour: &i64| hours.iter().any(|usual| i64::from(*usual) == hour.rem_euclid(24));
    let hour = (first..first + HOURS_LOOKED_AT).find(is_usual)?;
    Some(Timestamp::from_milliseconds((hour + 1) * HOUR_MS))
}
