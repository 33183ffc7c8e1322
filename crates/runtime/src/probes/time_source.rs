//! Asks whether the clock is kept right.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::probe::{ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::words::round;
use super::{BoxFuture, Probe, Refusal, Report, arguments, platform};
use crate::clock;
use crate::executor::StepContext;

/// `time_source`: whether something keeps the machine's clock right, what, and how far off it is.
///
/// Synchronised: `ok`, else `attention`. It fails where neither the kernel nor a daemon says anything. The offset is what
/// the machine's own source says; how far it is from the control plane's time stands with the endpoint.
#[derive(Debug)]
pub(super) struct TimeSource;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {}

#[derive(Debug, Serialize)]
struct Data {
    synchronised: bool,
    /// The clock as it showed.
    time: Timestamp,
    /// Who says so: `chrony` or `kernel`.
    source: &'static str,
    /// Positive: the clock is ahead of its source. Absent where only the kernel answered: it keeps what is left to
    /// correct, not how far off it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chrony: Option<Tracking>,
    /// The daemon that runs; absent where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<Daemon>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<Kernel>,
}

/// What chrony says.
#[derive(Debug, Serialize)]
pub(super) struct Tracking {
    pub(super) synchronised: bool,
    /// Whom it follows; absent where nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    /// Steps from a reference clock; 0: none.
    pub(super) stratum: u32,
    /// Positive: the clock is ahead.
    pub(super) offset_ms: f64,
}

/// A program that sets the clock.
#[derive(Debug, Serialize)]
pub(super) struct Daemon {
    pub(super) name: String,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
}

/// What the kernel says.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Kernel {
    pub(super) synchronised: bool,
    /// What is left of the correction under way.
    pub(super) remaining_offset_ms: f64,
    /// Grows until somebody corrects the clock again.
    pub(super) max_error_ms: f64,
    pub(super) estimated_error_ms: f64,
}

impl Probe for TimeSource {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "time_source".into(),
            about: "Says whether something keeps the clock right (NTP).".into(),
            risk: Risk::Observe,
            arguments: Vec::new(),
            example: Map::new(),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let Arguments {} = arguments(with)?;
            let (chrony, daemon) = (platform::chrony(cx).await, platform::daemon(cx).await);
            Ok(report(chrony, daemon, platform::clock_state()))
        })
    }
}

fn report(chrony: Option<Tracking>, daemon: Option<Daemon>, kernel: Option<Kernel>) -> Report {
    // chrony knows better: unless it also sets the hardware clock it never tells the kernel.
    let (source, synchronised) = match (&chrony, &kernel) {
        (Some(tracking), _) => ("chrony", tracking.synchronised),
        (None, Some(kernel)) => ("kernel", kernel.synchronised),
        (None, None) => return Report::failed("this machine does not say whether its clock is kept right"),
    };
    let summary = match synchronised {
        true => kept(chrony.as_ref(), daemon.as_ref()),
        false => not_kept(chrony.as_ref(), daemon.as_ref()),
    };
    let offset_ms = chrony.as_ref().map(|tracking| round(tracking.offset_ms));
    let data = Data { synchronised, time: clock::wall(), source, offset_ms, chrony, daemon, kernel };
    Report::done(if synchronised { Finding::Ok } else { Finding::Attention }, summary).data(&data)
}

/// `synchronised by chrony to 10.20.0.1, 0.4 ms ahead`.
fn kept(chrony: Option<&Tracking>, daemon: Option<&Daemon>) -> String {
    match (chrony, daemon) {
        (Some(Tracking { server, offset_ms, .. }), _) => {
            let server = server.as_ref().map(|server| format!(" to {server}")).unwrap_or_default();
            let side = if *offset_ms < 0.0 { "behind" } else { "ahead" };
            format!("synchronised by chrony{server}, {} ms {side}", round(offset_ms.abs()))
        }
        (None, Some(Daemon { name, status: Some(status) })) => format!("synchronised by {name}: {status}"),
        (None, Some(Daemon { name, status: None })) => format!("synchronised by {name}"),
        (None, None) => "synchronised, says the kernel; by whom is not known".to_owned(),
    }
}

fn not_kept(chrony: Option<&Tracking>, daemon: Option<&Daemon>) -> String {
    match (chrony, daemon) {
        (Some(_), _) => "the clock is not synchronised: chrony runs and follows no server".to_owned(),
        (None, Some(Daemon { name, status: Some(status) })) => {
            format!("the clock is not synchronised: {name} runs and says: {status}")
        }
        (None, Some(Daemon { name, status: None })) => {
            format!("the clock is not synchronised, though {name} runs")
        }
        (None, None) => "the clock is not synchronised: nothing that is known keeps it right".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking(synchronised: bool) -> Option<Tracking> {
        let server = synchronised.then(|| "10.20.0.1".to_owned());
        Some(Tracking { synchronised, server, stratum: 3, offset_ms: -0.4213 })
    }

    fn daemon(status: Option<&str>) -> Option<Daemon> {
        Some(Daemon { name: "systemd-timesyncd".into(), status: status.map(ToOwned::to_owned) })
    }

    fn kernel(synchronised: bool) -> Option<Kernel> {
        Some(Kernel { synchronised, remaining_offset_ms: 0.0, max_error_ms: 3.0, estimated_error_ms: 0.0 })
    }

    #[test]
    fn the_best_witness_decides() {
        for (report, finding, words) in [
            (
                report(tracking(true), None, kernel(false)),
                Finding::Ok,
                "synchronised by chrony to 10.20.0.1, 0.421 ms behind",
            ),
            (
                report(tracking(false), None, kernel(true)),
                Finding::Attention,
                "the clock is not synchronised: chrony runs and follows no server",
            ),
            (
                report(None, daemon(Some("Contacted.")), kernel(true)),
                Finding::Ok,
                "synchronised by systemd-timesyncd: Contacted.",
            ),
            (
                report(None, daemon(None), kernel(false)),
                Finding::Attention,
                "the clock is not synchronised, though systemd-timesyncd runs",
            ),
            (
                report(None, None, kernel(false)),
                Finding::Attention,
                "the clock is not synchronised: nothing that is known keeps it right",
            ),
        ] {
            assert_eq!((report.result.finding, report.result.summary.as_str()), (finding, words));
        }
        assert!(!report(None, None, None).succeeded);
    }
}
