//! What the same step found the last time on this machine.

use crate::api::{ComparisonView, PreviousRun};
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::page_bytes::{PAGE_BYTES_MAX, fitting};
use crate::sequence::{Attempt, EndState, Sequence, StepSpec};
use crate::sql::{ReadSql, Row};
use crate::time::Timestamp;

use super::{steps_view, store};

/// How many sequences are looked at, the step's own included: some weeks of a machine that is checked daily.
const LOOKED_AT_MAX: u64 = 200;

/// One earlier attempt, and by what the latest is known.
struct Found {
    at: Timestamp,
    sequence: Sequence,
    step: usize,
    attempt: usize,
}

/// The last attempt before step `number` of `id`, of the same probe with the same arguments.
pub(super) fn previous(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    id: SequenceId,
    number: u32,
) -> Result<ComparisonView, Error> {
    let own = store::sequence_load(db, endpoint, id)?
        .ok_or_else(|| Error::not_found(format_args!("sequence `{id}`")))?;
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let (index, wanted) = index
        .and_then(|index| Some((index, own.spec.steps.get(index)?)))
        .ok_or_else(|| Error::not_found(format_args!("step {number} of sequence `{id}`")))?;
    // What has not started is compared with all there is.
    let before = own.steps.get(index).and_then(|step| started_at(step.attempts.first()?));
    let looked_since = looked_since(db, endpoint, id)?.unwrap_or(own.created_at);
    let rows = db.query(
        "SELECT sequence_id, octet_length(document) FROM (SELECT ordinal, sequence_id, document FROM sequence WHERE endpoint_id = ?1 AND ordinal <= \
         (SELECT ordinal FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2) ORDER BY ordinal DESC LIMIT ?3)
         WHERE instr(document, ?4) > 0 ORDER BY ordinal DESC",
        &[endpoint.into(), id.into(), LOOKED_AT_MAX.into(), store::json(&wanted.probe)],
    )?;
    let mut found: Option<Found> = None;
    let mut rest = &rows[..];
    // A specification alone has up to 256 KiB: a few MiB of documents at a time.
    while !rest.is_empty() {
        let sizes: Vec<u64> = rest.iter().map(|row| row.unsigned(1)).collect::<Result<_, _>>()?;
        let (these, others) = rest.split_at(fitting(sizes, PAGE_BYTES_MAX));
        rest = others;
        for sequence in sequences_load(db, endpoint, these)? {
            let steps = if sequence.id == id { index } else { sequence.steps.len() };
            let latest = latest(&sequence, steps, wanted, before);
            if let Some((at, step, attempt)) = latest
                && found.as_ref().is_none_or(|found| found.at < at)
            {
                found = Some(Found { at, sequence, step, attempt });
            }
        }
    }
    let previous = found.map(|found| view(db, endpoint, &found)).transpose()?;
    Ok(ComparisonView { previous, looked_since })
}

/// The sequences whose ids are the first column of `rows`, in that order.
fn sequences_load(db: &dyn ReadSql, endpoint: EndpointId, rows: &[Row]) -> Result<Vec<Sequence>, Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    let rows = db.query(
        "SELECT sequence.document FROM json_each(?2) AS wanted JOIN sequence
         ON sequence.endpoint_id = ?1 AND sequence.sequence_id = wanted.value ORDER BY wanted.key",
        &[endpoint.into(), store::json(&ids)],
    )?;
    Ok(rows.iter().map(|row| row.json(0)).collect::<Result<_, _>>()?)
}

fn looked_since(db: &dyn ReadSql, endpoint: EndpointId, id: SequenceId) -> Result<Option<Timestamp>, Error> {
    let rows = db.query(
        "SELECT json_extract(document, '$.created_at') FROM sequence WHERE endpoint_id = ?1 AND ordinal <= \
         (SELECT ordinal FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2) ORDER BY ordinal DESC LIMIT ?3",
        &[endpoint.into(), id.into(), LOOKED_AT_MAX.into()],
    )?;
    Ok(rows.last().map(|row| row.parsed(0)).transpose()?)
}

/// The latest attempt that ran, among the first `steps` of a sequence and before that time: when, which step, which one.
fn latest(
    sequence: &Sequence,
    steps: usize,
    wanted: &StepSpec,
    before: Option<Timestamp>,
) -> Option<(Timestamp, usize, usize)> {
    let steps = sequence.spec.steps.iter().zip(&sequence.steps).take(steps).enumerate();
    let same = steps.filter(|(_, (spec, _))| spec.probe == wanted.probe && spec.with == wanted.with);
    let attempts = same.flat_map(|(step, (_, record))| {
        let attempts = record.attempts.iter().enumerate().filter(|(_, attempt)| ran(attempt));
        attempts.filter_map(move |(index, attempt)| Some((started_at(attempt)?, step, index)))
    });
    attempts.filter(|(at, ..)| before.is_none_or(|before| *at <= before)).max()
}

fn ran(attempt: &Attempt) -> bool {
    let end = attempt.end.as_ref().map(|end| end.state);
    matches!(end, Some(EndState::Succeeded | EndState::Failed | EndState::TimedOut | EndState::Interrupted))
}

/// When it started; where that entry is missing, when it ended.
fn started_at(attempt: &Attempt) -> Option<Timestamp> {
    let ended_at = || attempt.end.as_ref().map(|end| end.finished.map_or(end.returned_at, |time| time.at));
    attempt.started.map(|time| time.at).or_else(ended_at)
}

fn view(db: &dyn ReadSql, endpoint: EndpointId, found: &Found) -> Result<PreviousRun, Error> {
    let sequence = &found.sequence;
    let results = steps_view::results_load(db, endpoint, sequence.id, sequence)?;
    let attempt = &sequence.steps[found.step].attempts[found.attempt];
    Ok(PreviousRun {
        sequence_id: sequence.id,
        title: sequence.title.clone(),
        ended_at: sequence.ended_at(),
        step: u32::try_from(found.step + 1).unwrap_or(u32::MAX),
        attempt: steps_view::attempt_view(sequence, attempt, &results),
    })
}
