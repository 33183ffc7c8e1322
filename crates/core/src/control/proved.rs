//! The record of work that was made in a part of the record that is gone, from its signed envelope.

use crate::id::LogId;
use crate::probe::{Catalogue, Risk};
use crate::sequence::{Queued, Sequence, SequenceSpec, Standing, StepRecord, StepSpec};
use crate::time::Timestamp;
use crate::transcript::AUTHOR_NOT_RECORDED;
use crate::wire::Work;

/// The sequence that `work` was signed for, as offered: who made it, its notes and its playbook went with the record.
pub(super) fn sequence(work: &Work, catalogue: Option<&Catalogue>, now: Timestamp) -> Sequence {
    let steps = work.steps.iter().map(|step| StepSpec {
        probe: step.probe.clone(),
        with: step.with.clone(),
        timeout: Some(step.timeout),
        rerun: step.rerun,
    });
    let spec = SequenceSpec {
        title: Some(work.title.clone()),
        steps: steps.collect(),
        stop_on: Some(work.stop_on),
        expires_in: None,
        expires_at: Some(work.expires_at),
        not_before: work.not_before,
        playbook: None,
    };
    // What the machine's own catalogue does not know now may change it.
    let risk = spec.resolve(catalogue, work.issued_at).map_or(Risk::Change, |resolved| resolved.risk);
    Sequence {
        id: work.sequence,
        title: work.title.clone(),
        steps: vec![StepRecord::default(); work.steps.len()],
        spec,
        created_by: AUTHOR_NOT_RECORDED.to_owned(),
        created_at: work.issued_at.min(now),
        retry_of: None,
        revision: 0,
        queued: Some(Queued {
            at: work.issued_at,
            by: None,
            not_before: work.not_before,
            expires_at: work.expires_at,
            expiry_explicit: work.expiry_explicit,
            stop_on: work.stop_on,
            risk,
        }),
        standing: Standing::Offered { log: LogId::from_bytes([0; 10]) },
        doubt: None,
        cancel: None,
        offered_at: None,
        delivered_at: None,
        waiting: None,
        repeats_in_doubt: false,
        notes: Vec::new(),
        reviewed: None,
        assignee: None,
        hold_on_return: None,
        run_next: None,
    }
}
