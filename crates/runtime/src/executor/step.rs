//! The life of one step: judged, run, stopped, held to its bounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};
use tokio::sync::watch;
use tokio::time::sleep;

use super::context::{StepContext, turned_true};
use super::output::Undecodable;
use super::platform::Launcher;
use super::{Ended, StepTask, bounds};
use crate::files::Files;
use crate::probes::{self, Refusal, Report};

/// Why a step is ended before its probe is done.
#[derive(Clone, Copy, Debug)]
enum Cut {
    TimedOut(Duration),
    Cancelled,
}

/// Runs a step to its end; true in `cancelled`, or its sender gone, cancels it.
pub(super) async fn run(
    launcher: &Arc<Launcher>,
    undecodable: Undecodable,
    state: Option<&Path>,
    task: StepTask,
    mut cancelled: watch::Receiver<bool>,
) -> Ended {
    let Some(probe) = probes::find(&task.probe) else {
        let unknown = probes::catalogue().check(&task.probe, &task.with);
        return refused(&unknown.err().map(|error| error.to_string()).unwrap_or_default());
    };
    if let Err(error) = probe.spec().check(&task.with) {
        return refused(&error.to_string());
    }
    // Its caller may have gone while it waited for its turn.
    if *cancelled.borrow() || cancelled.has_changed().is_err() {
        return cut(Cut::Cancelled, None);
    }
    let (stop, stopped) = watch::channel(false);
    let (files, policy) = (Arc::new(Files::new(&task.policy, state)), Arc::new(task.policy));
    let context =
        StepContext::new(launcher.clone(), task.output_limit_bytes, undecodable, files, policy, stopped);
    let mut work = probe.run(task.with, &context);
    let cause = tokio::select! {
        biased;
        report = &mut work => return natural(report),
        () = turned_true(&mut cancelled) => Cut::Cancelled,
        () = sleep(task.timeout) => Cut::TimedOut(task.timeout),
    };
    stop.send_replace(true);
    // A probe with a command gets to report what it printed so far; any other is dropped where it stands.
    let report = tokio::select! {
        biased;
        report = &mut work => report.ok(),
        () = context.idle() => None,
    };
    cut(cause, report)
}

/// The end of a step whose task broke; a probe that panics must not take the runtime with it.
pub(super) fn broken(error: &str) -> Ended {
    ended(EndState::Failed, format!("the probe broke: {error}"), Finding::None)
}

fn natural(report: Result<Report, Refusal>) -> Ended {
    match report {
        Ok(report) => {
            let state = if report.succeeded { EndState::Succeeded } else { EndState::Failed };
            Ended { state, result: bounds::enforce(report.result) }
        }
        Err(Refusal(reason)) => refused(&reason),
    }
}

fn cut(cause: Cut, report: Option<Report>) -> Ended {
    let (state, reason) = match cause {
        Cut::TimedOut(limit) => (EndState::TimedOut, format!("stopped after its limit of {}", span(limit))),
        Cut::Cancelled => (EndState::Cancelled, "cancelled".to_owned()),
    };
    let mut end = ended(state, reason, Finding::None);
    if let Some(report) = report {
        let summary = match report.survivors {
            0 => end.result.summary,
            number => format!("{}; {number} processes could not be ended", end.result.summary),
        };
        end.result = bounds::enforce(StepResult { summary, finding: Finding::None, ..report.result });
    }
    end
}

fn refused(reason: &str) -> Ended {
    ended(EndState::Refused, reason.to_owned(), Finding::None)
}

fn ended(state: EndState, summary: String, finding: Finding) -> Ended {
    let result =
        StepResult { summary, finding, data: Map::new(), output: Output::default(), error_output: None };
    Ended { state, result: bounds::enforce(result) }
}

fn span(limit: Duration) -> String {
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    tidegate_core::time::Milliseconds(limit).to_string()
}
