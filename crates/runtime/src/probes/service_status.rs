//! Asks whether a service runs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::{BoxFuture, Probe, Refusal, Report, arguments, example, platform, required, words};
use crate::clock;
use crate::executor::StepContext;

/// Longest name of a unit in bytes (systemd.unit(5)).
const NAME_BYTES_MAX: u32 = 255;

/// `service_status`: what the service manager says of one service, by systemd on Linux.
///
/// Running, or meant to run once and done well: `ok`. Stopped, failed, still starting or unknown: `attention`. It fails
/// only where there is no service manager to ask.
#[derive(Debug)]
pub(super) struct ServiceStatus;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    name: String,
}

/// A service, in the service manager's own words.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    pub(super) unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// `loaded`, `not-found`, `masked`, `error`, …
    pub(super) load_state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_error: Option<String>,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`.
    pub(super) active_state: String,
    pub(super) sub_state: String,
    /// Whether it starts with the machine: `enabled`, `disabled`, `static`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<String>,
    /// `simple`, `notify`, `oneshot`, …; of a mount its file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// How the last run ended: `success`, `exit-code`, `oom-kill`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) main_pid: Option<u64>,
    /// Exit code or signal of the main process's last end; 0 also where it has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i64>,
    /// How many times it was started again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restarts: Option<u64>,
    /// By the machine's own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_bytes: Option<u64>,
}

impl Probe for ServiceStatus {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "service_status".into(),
            about: "Asks whether a service runs.".into(),
            risk: Risk::Observe,
            arguments: vec![required(
                "name",
                ArgumentKind::Text { bytes_max: NAME_BYTES_MAX },
                "The service, such as `OpcUaClient`; other units with their suffix, such as `data.mount`.",
            )],
            example: example(json!({ "name": "OpcUaClient" })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let Arguments { name } = arguments(with)?;
            let unit = platform::unit_name(&name)
                .ok_or_else(|| Refusal(format!("`{name}` cannot be the name of a service")))?;
            Ok(match platform::service(&unit, cx).await {
                Ok(service) => report(&name, &service),
                Err(words) => Report::failed(words),
            })
        })
    }
}

fn report(name: &str, service: &Service) -> Report {
    let since = service.state_since.map(|since| clock::wall().since(since).0 / 1_000);
    let since = since.map(|seconds| format!(", for {}", words::span(seconds))).unwrap_or_default();
    let result = service.result.as_deref().unwrap_or_default();
    let (finding, summary) = match (service.load_state.as_str(), service.active_state.as_str()) {
        ("not-found", "inactive") => (Finding::Attention, format!("no service of the name {name}")),
        ("masked", "inactive") => {
            (Finding::Attention, format!("service {name} is masked: it cannot be started"))
        }
        (_, "active" | "reloading") if service.sub_state == "running" => {
            (Finding::Ok, format!("service {name} is running{since}"))
        }
        (_, "active" | "reloading") => {
            (Finding::Ok, format!("service {name} is active ({}){since}", service.sub_state))
        }
        (_, "inactive") if has_run_once(service) => {
            (Finding::Ok, format!("service {name} has run and ended well"))
        }
        (_, "inactive") => (Finding::Attention, format!("service {name} is stopped{since}")),
        (_, "failed") => {
            let code = service.exit_code.filter(|code| *code != 0);
            let code = code.map(|code| format!(" {code}")).unwrap_or_default();
            (Finding::Attention, format!("service {name} has failed ({result}{code}){since}"))
        }
        (_, "activating") if service.sub_state == "auto-restart" => {
            (Finding::Attention, format!("service {name} ended ({result}) and is about to be started again"))
        }
        (_, state) => {
            (Finding::Attention, format!("service {name} is {state} ({}){since}", service.sub_state))
        }
    };
    let summary = match &service.load_error {
        Some(error) if service.load_state != "not-found" => format!("{summary}; {error}"),
        Some(_) | None => summary,
    };
    Report::done(finding, summary).data(service)
}

/// Whether it does one thing and ends, and did so well.
fn has_run_once(service: &Service) -> bool {
    service.kind.as_deref() == Some("oneshot")
        && service.result.as_deref() == Some("success")
        && service.state_since.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(load_state: &str, active_state: &str, sub_state: &str) -> Service {
        Service {
            unit: "OpcUaClient.service".into(),
            description: None,
            load_state: load_state.into(),
            load_error: None,
            active_state: active_state.into(),
            sub_state: sub_state.into(),
            enabled: None,
            kind: Some("simple".into()),
            result: Some("success".into()),
            main_pid: None,
            exit_code: Some(0),
            restarts: None,
            state_since: Some(clock::wall().shifted_by_ms(-3 * 3_600_000 - 500)),
            memory_bytes: None,
        }
    }

    #[test]
    fn each_state_has_its_words_and_its_finding() {
        let failed = Service {
            exit_code: Some(7),
            result: Some("exit-code".into()),
            ..service("loaded", "failed", "failed")
        };
        let once = Service { kind: Some("oneshot".into()), ..service("loaded", "inactive", "dead") };
        let cases = [
            (service("loaded", "active", "running"), Finding::Ok, "service x is running, for 3 h"),
            (service("loaded", "active", "exited"), Finding::Ok, "service x is active (exited), for 3 h"),
            (service("loaded", "inactive", "dead"), Finding::Attention, "service x is stopped, for 3 h"),
            (once, Finding::Ok, "service x has run and ended well"),
            (failed, Finding::Attention, "service x has failed (exit-code 7), for 3 h"),
            (service("not-found", "inactive", "dead"), Finding::Attention, "no service of the name x"),
            (
                service("loaded", "activating", "auto-restart"),
                Finding::Attention,
                "service x ended (success) and is about to be started again",
            ),
        ];
        for (service, finding, summary) in cases {
            let report = report("x", &service);
            assert_eq!((report.result.finding, report.result.summary.as_str()), (finding, summary));
        }
    }
}
