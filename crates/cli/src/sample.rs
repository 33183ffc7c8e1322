//! Values of the API's shapes for tests.

use serde_json::Map;
use tidegate_core::api::{
    AttemptView, OutputView, ResultView, SequenceState, SequenceView, StepState, StepView,
};
use tidegate_core::entropy::Entropy;
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::sequence::{Finding, StopOn};
use tidegate_core::time::{Milliseconds, Timestamp};

/// Every state of a step, in the order it meets them.
pub(crate) const STEP_STATES: [StepState; 15] = [
    StepState::Waiting,
    StepState::Held,
    StepState::Offered,
    StepState::Delivered,
    StepState::Running,
    StepState::Cancelling,
    StepState::Succeeded,
    StepState::Failed,
    StepState::TimedOut,
    StepState::Interrupted,
    StepState::Skipped,
    StepState::Refused,
    StepState::Cancelled,
    StepState::Expired,
    StepState::Lost,
];

/// Every state of a sequence.
pub(crate) const SEQUENCE_STATES: [SequenceState; 15] = [
    SequenceState::Draft,
    SequenceState::AwaitingApproval,
    SequenceState::Queued,
    SequenceState::Held,
    SequenceState::Offered,
    SequenceState::Delivered,
    SequenceState::Running,
    SequenceState::Cancelling,
    SequenceState::Succeeded,
    SequenceState::Failed,
    SequenceState::Stopped,
    SequenceState::Refused,
    SequenceState::Cancelled,
    SequenceState::Expired,
    SequenceState::Lost,
];

/// `2026-11-23` at `clock`, such as `14:03:05`.
pub(crate) fn at(clock: &str) -> Timestamp {
    format!("2026-11-23T{clock}.000Z").parse().expect("a time")
}

/// The machine of every sample.
pub(crate) fn endpoint() -> EndpointId {
    EndpointId::from_bytes([3; 10])
}

/// A result without output.
pub(crate) fn result(summary: &str, finding: Finding) -> ResultView {
    let output =
        OutputView { text: String::new(), bytes: 0, dropped_bytes: 0, artifact: None, encoding: None };
    ResultView {
        summary: summary.into(),
        finding,
        data: Map::new(),
        output,
        error_output: None,
        left_out: None,
    }
}

/// A sequence in `state` whose steps ended as given.
pub(crate) fn sequence(state: SequenceState, steps: &[(StepState, Finding)]) -> SequenceView {
    let steps = steps.iter().zip(1..).map(|((state, finding), index)| step(index, *state, *finding));
    SequenceView {
        id: SequenceId::fresh(endpoint(), &mut Entropy::new([1; 32])),
        endpoint_id: endpoint(),
        title: "HMI lost the servo controller".into(),
        state,
        reason: None,
        created_by: "kim@msp.example".into(),
        created_at: at("14:03:00"),
        queued_at: Some(at("14:03:05")),
        offered_at: Some(at("14:46:58")),
        ended_at: Some(at("14:48:10")),
        not_before: None,
        expires_at: Some(at("23:59:59")),
        stop_on: StopOn::Never,
        retry_of: None,
        playbook: None,
        waiting_for: None,
        waiting: None,
        retry_warning: None,
        repeat_warning: None,
        steps: steps.collect(),
        notes: Vec::new(),
        reviewed: None,
        assignee: None,
        run_next: None,
        draft: None,
        revision: 4,
    }
}

fn step(index: u32, state: StepState, finding: Finding) -> StepView {
    let mut with = Map::new();
    with.insert("host".into(), "10.20.0.5".into());
    let attempt = AttemptView {
        number: 1,
        state,
        queued_at: Some(at("14:03:05")),
        delivered_at: Some(at("14:46:58")),
        started_at: Some(at("14:47:01")),
        finished_at: Some(at("14:47:04")),
        returned_at: Some(at("14:48:09")),
        started_at_raw: None,
        finished_at_raw: None,
        amended_from: None,
        result: Some(result(
            if finding == Finding::Attention { "no reply" } else { "4 of 4 replies" },
            finding,
        )),
    };
    let has_run = matches!(state, StepState::Succeeded | StepState::Failed);
    StepView {
        index,
        probe: "ping".into(),
        with,
        state,
        reason: None,
        timeout: Milliseconds::from_seconds(60),
        rerun: false,
        attempts: if has_run { vec![attempt] } else { Vec::new() },
    }
}
