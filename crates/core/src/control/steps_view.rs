//! The steps of a sequence as people see them, with the results out of the transcript.

use std::collections::BTreeMap;

use crate::api::{AttemptView, BodyLeftOut, OutputView, ResultView, SequenceState, StepState, StepView};
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::journal::JournalBody;
use crate::packed;
use crate::page_bytes::PAGE_BYTES_MAX;
use crate::sequence::{
    Attempt, EndState, EndpointTime, Output, Sequence, Standing, StepRecord, StepResult, StopOn,
    TIMEOUT_DEFAULT,
};
use crate::sql::{ReadSql, Row, SqlError};
use crate::time::Timestamp;
use crate::transcript::TranscriptBody;

use super::reason::step_reason;

/// Results by the number of the transcript entry that holds them.
pub(super) type Results = BTreeMap<u64, ResultView>;

/// Longest summary of a result whose data and outputs are left out, in characters.
const SUMMARY_CHARACTERS_MAX: usize = 300;

/// The results of a sequence, out of its part of the transcript. An erased body has none. Past [`PAGE_BYTES_MAX`] a
/// result is without data and outputs.
pub(super) fn results_load(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    id: SequenceId,
    sequence: &Sequence,
) -> Result<Results, Error> {
    let ends =
        sequence.steps.iter().flat_map(|step| &step.attempts).filter_map(|attempt| attempt.end.as_ref());
    let wanted: Vec<u64> = ends.filter_map(|end| end.result_entry).collect();
    let (Some(first), Some(last)) = (wanted.iter().min(), wanted.iter().max()) else {
        return Ok(Results::new());
    };
    let sizes = db.query(
        "SELECT number, coalesce(text_bytes, octet_length(body)) FROM transcript
         WHERE +endpoint_id = ?1 AND sequence_id = ?2 AND number BETWEEN ?3 AND ?4
         AND (body IS NOT NULL OR packed IS NOT NULL) ORDER BY number",
        &[endpoint.into(), id.into(), (*first).into(), (*last).into()],
    )?;
    let size = |row: &Row| Ok::<_, SqlError>((row.unsigned(0)?, row.unsigned(1)?));
    let sizes: BTreeMap<u64, u64> = sizes.iter().map(size).collect::<Result<_, _>>()?;
    if sizes.values().sum::<u64>() > PAGE_BYTES_MAX {
        return results_bounded(db, endpoint, &wanted, &sizes);
    }
    let rows = db.query(
        "SELECT number, body, packed FROM transcript
         WHERE +endpoint_id = ?1 AND sequence_id = ?2 AND number BETWEEN ?3 AND ?4
         AND (body IS NOT NULL OR packed IS NOT NULL)",
        &[endpoint.into(), id.into(), (*first).into(), (*last).into()],
    )?;
    let mut results = Results::new();
    for row in &rows {
        let number = row.unsigned(0)?;
        if wanted.contains(&number)
            && let Some(result) = result_read(row, 1)?
        {
            results.insert(number, result_view(&result, None));
        }
    }
    Ok(results)
}

/// The results one after the other: past [`PAGE_BYTES_MAX`] only a summary of each is kept.
fn results_bounded(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    wanted: &[u64],
    sizes: &BTreeMap<u64, u64>,
) -> Result<Results, Error> {
    let (mut results, mut bytes) = (Results::new(), 0);
    for (number, size) in sizes.iter().filter(|(number, _)| wanted.contains(number)) {
        let rows = db.query(
            "SELECT body, packed FROM transcript WHERE endpoint_id = ?1 AND number = ?2",
            &[endpoint.into(), (*number).into()],
        )?;
        let Some(result) = rows.first().map(|row| result_read(row, 0)).transpose()?.flatten() else {
            continue;
        };
        let is_shown = bytes + size <= PAGE_BYTES_MAX;
        bytes += if is_shown { *size } else { 0 };
        let left_out = (!is_shown).then(|| BodyLeftOut::of(endpoint, *number, *size));
        results.insert(*number, result_view(&result, left_out));
    }
    Ok(results)
}

/// The result in the body of a journal entry, which is in `column` or packed in the one after it; `None`: it is another entry.
fn result_read(row: &Row, column: usize) -> Result<Option<StepResult>, SqlError> {
    let Some(text) = packed::text(row, column)? else { return Ok(None) };
    let Ok(TranscriptBody::Journal { body, .. }) = serde_json::from_str(&text) else { return Ok(None) };
    match serde_json::from_str(&body) {
        Ok(JournalBody::StepFinished { result, .. }) => Ok(Some(result)),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// What ends the sequence early.
pub(super) fn stop_on(sequence: &Sequence) -> StopOn {
    let written = sequence.spec.stop_on.unwrap_or(StopOn::Never);
    sequence.queued.as_ref().map_or(written, |queued| queued.stop_on)
}

/// The steps with their attempts.
pub(super) fn steps(sequence: &Sequence, results: &Results, now: Timestamp) -> Vec<StepView> {
    let steps = sequence.spec.steps.iter().zip(&sequence.steps);
    (1..)
        .zip(steps)
        .map(|(index, (spec, record))| {
            let state = step_state(sequence, record);
            let attempts = record.attempts.iter().map(|attempt| attempt_view(sequence, attempt, results));
            StepView {
                index,
                probe: spec.probe.clone(),
                with: spec.with.clone(),
                state,
                reason: step_reason(sequence, record, state, now),
                timeout: spec.timeout.unwrap_or(TIMEOUT_DEFAULT),
                rerun: spec.rerun,
                attempts: attempts.collect(),
            }
        })
        .collect()
}

fn step_state(sequence: &Sequence, record: &StepRecord) -> StepState {
    if let Some(state) = record.end() {
        // An interrupted attempt that runs once more is followed by the next one, which has not ended.
        return state.into();
    }
    let has_started = record.attempts.last().is_some_and(Attempt::has_started);
    match sequence.state() {
        SequenceState::Cancelling => StepState::Cancelling,
        _ if has_started => StepState::Running,
        SequenceState::Held => StepState::Held,
        SequenceState::Offered => StepState::Offered,
        SequenceState::Delivered | SequenceState::Running => StepState::Delivered,
        SequenceState::Draft
        | SequenceState::AwaitingApproval
        | SequenceState::Queued
        | SequenceState::Succeeded
        | SequenceState::Failed
        | SequenceState::Stopped
        | SequenceState::Refused
        | SequenceState::Cancelled
        | SequenceState::Expired
        | SequenceState::Lost => StepState::Waiting,
    }
}

pub(super) fn attempt_view(sequence: &Sequence, attempt: &Attempt, results: &Results) -> AttemptView {
    let end = attempt.end.as_ref();
    let finished = end.and_then(|end| end.finished);
    let running = if matches!(sequence.standing, Standing::Ended { .. }) {
        StepState::Lost
    } else {
        StepState::Running
    };
    AttemptView {
        number: attempt.number,
        state: end.map_or(running, |end| end.state.into()),
        queued_at: sequence.queued.as_ref().map(|queued| queued.at),
        delivered_at: sequence.delivered_at,
        started_at: attempt.started.map(|time| time.at),
        finished_at: finished.map(|time| time.at),
        // What this side ended by itself, nobody returned.
        returned_at: end
            .filter(|end| sequence.delivered_at.is_some() && end.state != EndState::Lost)
            .map(|end| end.returned_at),
        started_at_raw: attempt.started.and_then(raw),
        finished_at_raw: finished.and_then(raw),
        amended_from: end.and_then(|end| end.amended_from),
        result: end.and_then(|end| results.get(&end.result_entry?)).cloned(),
    }
}

/// The wall clock's time, where it differs from the corrected one by more than a rounding.
fn raw(time: EndpointTime) -> Option<Timestamp> {
    let differs = (time.wall.milliseconds() - time.at.milliseconds()).abs() > 1;
    differs.then_some(time.wall)
}

fn result_view(result: &StepResult, left_out: Option<BodyLeftOut>) -> ResultView {
    if left_out.is_some() {
        let summary = result.summary.chars().take(SUMMARY_CHARACTERS_MAX).collect();
        let bytes = result.output.bytes;
        let output =
            OutputView { text: String::new(), bytes, dropped_bytes: bytes, artifact: None, encoding: None };
        let (finding, data) = (result.finding, serde_json::Map::new());
        return ResultView { summary, finding, data, output, error_output: None, left_out };
    }
    ResultView {
        left_out,
        summary: result.summary.clone(),
        finding: result.finding,
        data: result.data.clone(),
        output: output_view(&result.output),
        error_output: result.error_output.as_ref().map(output_view),
    }
}

fn output_view(output: &Output) -> OutputView {
    OutputView {
        text: output.text(),
        bytes: output.bytes,
        dropped_bytes: output.dropped_bytes,
        artifact: None,
        encoding: output.encoding.clone(),
    }
}
