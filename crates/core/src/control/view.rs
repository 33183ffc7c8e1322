//! What people and scripts see of an endpoint object.

use crate::api::{
    EndpointView, JournalState, JournalView, NoteView, Page, Paging, QueueItem, Reachability, SequenceAhead,
    SequenceState, SequenceSummary, SequenceView, WaitingView, WorkState,
};
use crate::call::{Context, Seen};
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::page_bytes::{PAGE_BYTES_MAX, fitting};
use crate::sequence::{Sequence, Standing};
use crate::sql::{ReadSql, Row, SqlError, Value};
use crate::time::{Milliseconds, Timestamp};
use crate::words::shortened;
use crate::zone::Zone;

use super::object::{EndpointRow, endpoint_row};
use super::waiting_words::Story;
use super::{claims, notes, outages, reason, steps_view, store, sync, traffic, waiting};

/// Within which an endpoint counts as reachable at least: two check-ins of 30 s.
const REACHABLE_WITHIN: Milliseconds = Milliseconds::from_seconds(60);
/// And at most, however seldom it is usually heard: two holds of the longest kind.
const REACHABLE_WITHIN_MAX: Milliseconds = Milliseconds::from_seconds(600);
/// From which on skew is worth a word (design, section 4).
const SKEW_SHOWN_MS: i64 = 5_000;

/// One endpoint, with its journals and probes.
pub(super) fn endpoint(db: &dyn ReadSql, cx: &Context<'_>, id: EndpointId) -> Result<EndpointView, Error> {
    let row = endpoint_row(db, id)?.ok_or_else(|| sync::unknown(id))?;
    let mut view = endpoint_summary(db, cx, id, &row)?;
    view.probes = store::catalogue_load(db, id)?;
    let journals = store::journals_load(db, id)?;
    let mut journals: Vec<_> = journals
        .into_iter()
        .map(|journal| JournalView {
            id: journal.head.id,
            current: journal.state == JournalState::Current,
            state: journal.state,
            first_seen_at: journal.first_seen_at,
            address: journal.address,
            number: journal.head.number,
            facts: journal.facts,
        })
        .collect();
    journals.sort_by_key(|journal| (!journal.current, std::cmp::Reverse(journal.first_seen_at)));
    view.journals = journals;
    view.traffic = traffic::newest(db, id)?;
    view.outages = outages::newest(db, id)?;
    view.notes = notes::newest(db, id)?;
    view.claimed = claims::claim_count(db, id)?;
    Ok(view)
}

/// One endpoint as listings show it.
pub(super) fn endpoint_summary(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    id: EndpointId,
    row: &EndpointRow,
) -> Result<EndpointView, Error> {
    let seen = last_seen(cx, id, row);
    let mut attention = row.attention.clone();
    let skew_ms = seen.and_then(|seen| seen.skew_ms);
    if let Some(skew_ms) = skew_ms.filter(|skew_ms| skew_ms.abs() > SKEW_SHOWN_MS) {
        attention.push(crate::api::Attention {
            code: "clock_skew".to_owned(),
            reason: format!("its clock is off by {} s; times shown are corrected", skew_ms / 1_000),
            clears: "set the machine's clock or time source right".to_owned(),
        });
    }
    let contact = waiting::contact(cx, id, row);
    let work = work_state(db, id)?;
    if work == WorkState::Held {
        attention.push(crate::api::Attention {
            code: "held".to_owned(),
            reason: "work is held until a person decides: its page says why".to_owned(),
            clears: "release it to run here, or purge it".to_owned(),
        });
    }
    Ok(EndpointView {
        id,
        name: row.name.clone(),
        client_id: row.client,
        site_id: row.site,
        state: row.state,
        reachability: reachability(cx, id, seen),
        work,
        attention,
        last_seen_at: seen.map(|seen| seen.at),
        clock_skew_ms: skew_ms,
        facts: row.facts.clone(),
        probes: None,
        journals: Vec::new(),
        traffic: Vec::new(),
        outages: Vec::new(),
        usual_interval_ms: contact.usual_interval.map(|interval| interval.0),
        usual_hours_utc: contact.usual_hours,
        tags: row.tags.clone(),
        address: row.address.clone(),
        notes: Vec::new(),
        claimed: 0,
        same_name: Vec::new(),
        enrolled_at: row.enrolled_at,
        revision: row.revision,
    })
}

/// The last contact: what the host knows since it started, else what was stored.
pub(super) fn last_seen(cx: &Context<'_>, id: EndpointId, row: &EndpointRow) -> Option<Seen> {
    let (heard, stored) = (cx.presence.last_seen(id), row.seen);
    let latest = heard.into_iter().chain(stored).max_by_key(|seen| seen.at)?;
    // An idle contact tells no skew: the one measured before it still counts.
    let skew_ms =
        latest.skew_ms.or(heard.and_then(|seen| seen.skew_ms)).or(stored.and_then(|seen| seen.skew_ms));
    Some(Seen { skew_ms, ..latest })
}

/// Whether an endpoint that was last heard then counts as reachable.
pub(crate) fn reachability(cx: &Context<'_>, id: EndpointId, seen: Option<Seen>) -> Reachability {
    // Two check-ins as this machine makes them; a listing has no row of it, so the host's own memory must do.
    let usual = cx.presence.rhythm(id).usual_interval().unwrap_or_default();
    let within = Milliseconds(usual.0.saturating_mul(2)).clamp(REACHABLE_WITHIN, REACHABLE_WITHIN_MAX);
    match seen {
        _ if cx.presence.is_connected(id) => Reachability::Reachable,
        Some(seen) if cx.now.since(seen.at) <= within => Reachability::Reachable,
        Some(_) => Reachability::Quiet,
        None => Reachability::NeverSeen,
    }
}

fn work_state(db: &dyn ReadSql, id: EndpointId) -> Result<WorkState, Error> {
    let rows = db.query(
        "SELECT SUM(state IN ('running', 'cancelling')), SUM(state = 'held'), COUNT(*) FROM sequence
         WHERE endpoint_id = ?1 AND live = 1",
        &[id.into()],
    )?;
    let count = |column| rows.first().map_or(Ok(None), |row| row.optional_integer(column));
    let [running, held, live] = [count(0)?, count(1)?, count(2)?].map(|count| count.unwrap_or(0));
    Ok(match (running, held, live) {
        (1.., _, _) => WorkState::Running,
        (_, 1.., _) => WorkState::Held,
        (_, _, 1..) => WorkState::Waiting,
        (_, _, _) => WorkState::Idle,
    })
}

/// One sequence with its results.
pub(super) fn sequence(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    id: SequenceId,
) -> Result<SequenceView, Error> {
    let sequence = store::sequence_load(db, endpoint, id)?
        .ok_or_else(|| Error::not_found(format_args!("sequence `{id}`")))?;
    let results = steps_view::results_load(db, endpoint, id, &sequence)?;
    let waiting = waiting(db, cx, endpoint, &sequence)?;
    let (waiting_for, waiting) =
        waiting.map_or((None, None), |(text, view)| (Some(text), Some(Box::new(view))));
    Ok(SequenceView {
        id,
        endpoint_id: endpoint,
        title: sequence.title.clone(),
        state: sequence.state(),
        reason: reason::sequence_reason(&sequence),
        created_by: sequence.created_by.clone(),
        created_at: sequence.created_at,
        queued_at: sequence.queued.as_ref().map(|queued| queued.at),
        offered_at: sequence.offered_at,
        ended_at: sequence.ended_at(),
        not_before: sequence.queued.as_ref().map_or(sequence.spec.not_before, |queued| queued.not_before),
        expires_at: sequence
            .queued
            .as_ref()
            .map_or(sequence.spec.expires_at, |queued| Some(queued.expires_at)),
        stop_on: steps_view::stop_on(&sequence),
        retry_of: sequence.retry_of,
        playbook: sequence.spec.playbook.clone(),
        waiting_for,
        waiting,
        retry_warning: reason::retry_warning(&sequence),
        repeat_warning: reason::repeat_warning(&sequence),
        steps: steps_view::steps(&sequence, &results, cx.now),
        notes: sequence
            .notes
            .iter()
            .map(|note| NoteView { by: note.by.clone(), at: note.at, text: note.text.clone() })
            .collect(),
        reviewed: sequence.reviewed.clone(),
        assignee: sequence.assignee.clone(),
        run_next: sequence.run_next.clone(),
        draft: (sequence.standing == Standing::Draft).then(|| sequence.spec.clone()),
        revision: sequence.revision,
    })
}

/// What a sequence waits for, in words and for programs.
fn waiting(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    sequence: &Sequence,
) -> Result<Option<(String, WaitingView)>, Error> {
    let Some(row) = endpoint_row(db, endpoint)? else { return Ok(None) };
    let ahead = waiting::ahead(db, cx.now, endpoint, sequence)?;
    Ok(waiting_words(cx, endpoint, &row, sequence, ahead))
}

fn waiting_words(
    cx: &Context<'_>,
    endpoint: EndpointId,
    row: &EndpointRow,
    sequence: &Sequence,
    ahead: Option<SequenceAhead>,
) -> Option<(String, WaitingView)> {
    let waiting = waiting::waiting(cx, endpoint, row, sequence, ahead)?;
    let story = Story {
        now: cx.now,
        zone: &Zone::named(&row.time_zone),
        endpoint,
        sequence,
        enrolled_at: row.enrolled_at,
        reachability: reachability(cx, endpoint, last_seen(cx, endpoint, row)),
        is_storage_full: cx.presence.is_storage_full(),
    };
    Some((story.words(&waiting), waiting))
}

/// What is under way on the endpoint or waits for it, in the order in which it takes it, at most `limit`.
pub(super) fn queue(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    limit: u32,
) -> Result<Vec<QueueItem>, Error> {
    let row = endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let item = |(changed_at, sequence, ahead): (Timestamp, Sequence, Option<SequenceAhead>)| {
        let waiting_for = waiting_words(cx, endpoint, &row, &sequence, ahead).map(|(words, _)| words);
        QueueItem { sequence: sequence_summary(&sequence, changed_at), waiting_for }
    };
    let queue = waiting::queue(db, cx.now, endpoint, limit.clamp(1, Paging::LIMIT_MAX))?;
    Ok(queue.into_iter().map(item).collect())
}

/// Longest reason in a listing, in characters: a machine words some of them.
const REASON_CHARACTERS_MAX: usize = 500;

/// A sequence as listings show it.
pub(super) fn sequence_summary(sequence: &Sequence, changed_at: Timestamp) -> SequenceSummary {
    SequenceSummary {
        id: sequence.id,
        endpoint_id: sequence.id.endpoint(),
        title: sequence.title.clone(),
        state: sequence.state(),
        created_by: sequence.created_by.clone(),
        created_at: sequence.created_at,
        changed_at,
        steps: u32::try_from(sequence.steps.len()).unwrap_or(u32::MAX),
        ran: sequence.ran(),
        attention: sequence.attention(),
        interrupted: sequence.interrupted(),
        worst: sequence.worst(),
        ended_at: sequence.ended_at(),
        not_before: sequence.queued.as_ref().and_then(|queued| queued.not_before),
        expires_at: sequence.queued.as_ref().map(|queued| queued.expires_at),
        reviewed: sequence.reviewed.clone(),
        assignee: sequence.assignee.clone(),
        playbook: sequence.spec.playbook.clone(),
        reason: reason::sequence_reason(sequence).map(|reason| shortened(&reason, REASON_CHARACTERS_MAX)),
    }
}

/// A page of the endpoint's sequences, newest first. The cursor is the last one's ordinal.
pub(super) fn sequences(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    state: Option<SequenceState>,
    since: Option<Timestamp>,
    paging: &Paging,
) -> Result<Page<SequenceSummary>, Error> {
    let before: i64 = match &paging.cursor {
        None => crate::sql::INTEGER_MAX,
        Some(cursor) => {
            cursor.parse().map_err(|_| Error::invalid("this cursor is not one of this listing"))?
        }
    };
    let parameters = |limit: u64| {
        [
            endpoint.into(),
            before.clamp(0, crate::sql::INTEGER_MAX).into(),
            state.as_ref().map_or(Value::Null, store::text),
            since.into(),
            limit.into(),
        ]
    };
    let limit = paging.limit as usize;
    let sizes = db.query(
        "SELECT octet_length(document) FROM sequence WHERE endpoint_id = ?1 AND ordinal < ?2
         AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR changed_at >= ?4) ORDER BY ordinal DESC LIMIT ?5",
        &parameters(limit as u64 + 1),
    )?;
    let bytes: Vec<u64> = sizes.iter().take(limit).map(|row| row.unsigned(0)).collect::<Result<_, _>>()?;
    let rows = db.query(
        "SELECT ordinal, changed_at, document FROM sequence WHERE endpoint_id = ?1 AND ordinal < ?2
         AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR changed_at >= ?4) ORDER BY ordinal DESC LIMIT ?5",
        &parameters(fitting(bytes, PAGE_BYTES_MAX) as u64),
    )?;
    let item = |row: &Row| {
        let sequence: Sequence = row.json(2)?;
        Ok::<_, SqlError>(sequence_summary(&sequence, Timestamp::from_milliseconds(row.integer(1)?)))
    };
    let items = rows.iter().map(item).collect::<Result<_, _>>()?;
    let next = match rows.last() {
        Some(last) if sizes.len() > rows.len() => Some(last.integer(0)?.to_string()),
        Some(_) | None => None,
    };
    Ok(Page { items, next })
}
