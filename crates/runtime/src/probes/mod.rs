//! The probes of this runtime. A probe is one file here and one line in `PROBES`.

mod connect;
mod disk_usage;
mod dns;
mod dns_lookup;
mod event_log;
mod file_facts;
mod http;
mod http_check;
mod lines;
#[cfg(target_os = "linux")]
mod linux;
mod masked;
mod network_config;
mod ping;
mod processes;
mod service_status;
mod shell;
mod system_info;
mod tail_file;
mod tcp_connect;
mod time_source;
mod words;

#[cfg(target_os = "linux")]
use linux as platform;

use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, ProbeSpec};
use tidegate_core::sequence::{Finding, Output, StepResult};

use crate::executor::StepContext;

/// In the order people see them.
static PROBES: &[&dyn Probe] = &[
    &system_info::SystemInfo,
    &ping::Ping,
    &tcp_connect::TcpConnect,
    &dns_lookup::DnsLookup,
    &http_check::HttpCheck,
    &network_config::NetworkConfig,
    &processes::Processes,
    &disk_usage::DiskUsage,
    &service_status::ServiceStatus,
    &event_log::EventLog,
    &time_source::TimeSource,
    &file_facts::FileFacts,
    &tail_file::TailFile,
    &shell::Shell,
];

/// What `system_info` finds, for the facts that the machine tells of itself.
pub(crate) fn machine_facts() -> Map<String, Value> {
    match serde_json::to_value(platform::facts()) {
        Ok(Value::Object(facts)) => facts,
        _ => Map::new(),
    }
}

/// The future of a probe at work.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One typed question or act.
pub trait Probe: Send + Sync {
    /// What people and forms see of it.
    fn spec(&self) -> ProbeSpec;

    /// Asks or acts. `with` has been judged by the [`spec`](Self::spec). Dropping the future ends the probe: that
    /// is what happens at its limit, unless a command of it is running, which is ended first.
    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>>;
}

/// What a probe brought back.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether the probe did its work, whatever it found.
    pub succeeded: bool,
    /// What it found; held to its bounds by the executor.
    pub result: StepResult,
    /// How many processes of it could not be ended.
    pub survivors: u32,
}

/// Why a probe would not run: its arguments do not make sense together.
#[derive(Clone, Debug)]
pub struct Refusal(pub String);

/// The probes as data.
pub fn catalogue() -> Catalogue {
    Catalogue(PROBES.iter().map(|probe| probe.spec()).collect())
}

/// The probe of that name.
pub fn find(name: &str) -> Option<&'static dyn Probe> {
    PROBES.iter().copied().find(|probe| probe.spec().name == name)
}

impl Report {
    /// A probe that did its work.
    pub fn done(finding: Finding, summary: impl Into<String>) -> Self {
        Self::new(true, finding, summary.into())
    }

    /// A probe that could not do its work.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::new(false, Finding::None, summary.into())
    }

    /// With a typed result, which must serialize to an object.
    #[must_use]
    pub fn data(mut self, data: &impl Serialize) -> Self {
        if let Ok(Value::Object(data)) = serde_json::to_value(data) {
            self.result.data = data;
        }
        self
    }

    /// With what it printed or read.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.result.output = output;
        self
    }

    /// With text made for people.
    #[must_use]
    pub fn text(self, text: String) -> Self {
        self.output(Output { bytes: text.len() as u64, head: text, ..Output::default() })
    }

    fn new(succeeded: bool, finding: Finding, summary: String) -> Self {
        let result =
            StepResult { summary, finding, data: Map::new(), output: Output::default(), error_output: None };
        Self { succeeded, result, survivors: 0 }
    }
}

/// The typed arguments of a probe.
fn arguments<T: DeserializeOwned>(with: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(with)).map_err(|error| Refusal(error.to_string()))
}

/// An argument that a step must give.
fn required(name: &str, kind: ArgumentKind, about: &str) -> ArgumentSpec {
    ArgumentSpec { name: name.into(), about: about.into(), kind, required: true, default: None }
}

/// An argument that may be left out; `Value::Null`: then nothing counts.
fn optional(name: &str, kind: ArgumentKind, default: impl Into<Value>, about: &str) -> ArgumentSpec {
    let default = Some(default.into()).filter(|default| !default.is_null());
    ArgumentSpec { name: name.into(), about: about.into(), kind, required: false, default }
}

/// A JSON object written as `json!`.
fn example(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_bounded_and_every_example_fits_it() {
        let catalogue = catalogue();
        assert!(catalogue.is_bounded());
        for probe in &catalogue.0 {
            assert!(
                probe.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{}",
                probe.name
            );
            probe.check(&probe.example).unwrap();
            assert!(probe.arguments.is_sorted_by_key(|argument| !argument.required), "{}", probe.name);
            for argument in &probe.arguments {
                assert!(argument.default.as_ref().is_none_or(|value| argument.kind.accepts(value)));
            }
        }
    }

    /// The policy finds what to judge by that name (`tidegate_core::runtime::policy`).
    #[test]
    fn an_argument_that_is_a_path_is_called_path() {
        let catalogue = catalogue();
        let arguments = catalogue.0.iter().flat_map(|probe| &probe.arguments);
        let mut paths = 0;
        for argument in arguments {
            let is_path = argument.name.contains("path")
                || argument.name.contains("file")
                || argument.about.to_lowercase().contains("path");
            assert!(!is_path || argument.name == "path", "{}", argument.name);
            paths += usize::from(is_path);
        }
        assert_eq!(paths, 3);
    }
}
