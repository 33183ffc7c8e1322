//! Asks what runs.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::words::{amount, counted};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, platform};
use crate::executor::StepContext;

/// Longest part of a name in bytes.
const NAME_BYTES_MAX: u32 = 64;
/// How long it is watched who is busy: 50 of the kernel's usual ticks.
const WATCHED: Duration = Duration::from_millis(500);

/// `processes`: the busiest or largest processes, or those of a name.
///
/// With a name: `ok` where one runs and `attention` where none does; without: `none`. Command lines are not told, because
/// they hold passwords. Takes half a second.
#[derive(Debug)]
pub(super) struct Processes;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    name: Option<String>,
    #[serde(default = "top_default")]
    top: usize,
    #[serde(default)]
    sort: Sort,
}

fn top_default() -> usize {
    10
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Cpu,
    Memory,
}

#[derive(Debug, Serialize)]
struct Data {
    /// How many run, and how many of them have the name.
    total: usize,
    matched: usize,
    /// Of one processor each, while it was watched.
    watched_ms: u64,
    processes: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    /// Of the program; what follows it on the command line is never told.
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<u32>,
    /// `R` running, `S` sleeping, `D` waiting for a device, `Z` ended and not collected, … (proc(5)).
    pub(super) state: char,
    /// Of one processor.
    pub(super) cpu_percent: f64,
    /// Resident.
    pub(super) memory_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<Timestamp>,
}

impl Probe for Processes {
    fn spec(&self) -> ProbeSpec {
        let sorts = ["cpu", "memory"].map(Into::into).into();
        ProbeSpec {
            name: "processes".into(),
            about: "Says what runs: the busiest or largest processes, or those of a name.".into(),
            risk: Risk::Observe,
            arguments: vec![
                optional(
                    "name",
                    ArgumentKind::Text { bytes_max: NAME_BYTES_MAX },
                    Value::Null,
                    "Only programs with this in their name, upper or lower case.",
                ),
                optional(
                    "top",
                    ArgumentKind::Integer { min: 1, max: 100 },
                    top_default(),
                    "How many to bring back.",
                ),
                optional("sort", ArgumentKind::Choice { options: sorts }, "cpu", "Which come first."),
            ],
            example: example(json!({ "sort": "memory", "top": 5 })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        _: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let arguments: Arguments = arguments(with)?;
            Ok(watch(&arguments).await.unwrap_or_else(|error| Report::failed(error.to_string())))
        })
    }
}

async fn watch(arguments: &Arguments) -> Result<Report, tokio::task::JoinError> {
    let before = tokio::task::spawn_blocking(platform::sample).await?;
    tokio::time::sleep(WATCHED).await;
    let seen = tokio::task::spawn_blocking(move || platform::processes(&before, &platform::sample()));
    Ok(report(arguments, seen.await?))
}

fn report(arguments: &Arguments, mut processes: Vec<Process>) -> Report {
    let total = processes.len();
    if let Some(name) = &arguments.name {
        let name = name.to_lowercase();
        processes.retain(|process| process.name.to_lowercase().contains(&name));
    }
    let matched = processes.len();
    processes.sort_by_key(|process| {
        // In thousandths: a float has no order.
        let busy = (process.cpu_percent * 1_000.0) as u64;
        let first = if arguments.sort == Sort::Cpu { busy } else { process.memory_bytes };
        (Reverse(first), Reverse(process.memory_bytes), process.pid)
    });
    let memory: u64 = processes.iter().map(|process| process.memory_bytes).sum();
    let busy: f64 = processes.iter().map(|process| process.cpu_percent).sum();
    let load = format!("{busy:.1} % of a processor, {}", amount(memory));
    let (finding, summary) = match (&arguments.name, processes.first()) {
        (Some(name), None) => (Finding::Attention, format!("no process is called {name}")),
        (Some(name), Some(_)) => {
            let runs = if matched == 1 { "runs" } else { "run" };
            let processes = words(matched, "process", "processes");
            (Finding::Ok, format!("{processes} called {name} {runs}: {load}"))
        }
        (None, first) => {
            let first = first.map(|first| format!("; first {}", first.name)).unwrap_or_default();
            (Finding::None, format!("{}: {load}{first}", words(total, "process", "processes")))
        }
    };
    processes.truncate(arguments.top);
    let data = Data { total, matched, watched_ms: WATCHED.as_millis() as u64, processes };
    Report::done(finding, summary).data(&data).text(lines(&data))
}

fn words(count: usize, one: &str, many: &str) -> String {
    if count == 1 { counted(1, one) } else { format!("{count} {many}") }
}

/// A table for people.
fn lines(data: &Data) -> String {
    let mut text = "    pid  parent   user state   cpu %      memory  name\n".to_owned();
    for process in &data.processes {
        let user = process.user_id.map_or_else(|| "-".to_owned(), |user| user.to_string());
        let memory = amount(process.memory_bytes);
        let _ = writeln!(
            text,
            "{:>7} {:>7} {user:>6} {:>5} {:>7.1} {memory:>11}  {}",
            process.pid, process.parent_pid, process.state, process.cpu_percent, process.name
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, cpu_percent: f64, memory_bytes: u64) -> Process {
        Process {
            pid,
            parent_pid: 1,
            name: name.into(),
            user_id: Some(0),
            state: 'S',
            cpu_percent,
            memory_bytes,
            started_at: None,
        }
    }

    fn three() -> Vec<Process> {
        vec![
            process(1, "systemd", 0.0, 12_000_000),
            process(7, "OpcUaClient", 1.5, 400_000_000),
            process(9, "labeller", 98.0, 3_000_000),
        ]
    }

    fn asked(with: Value) -> Arguments {
        let with = example(with);
        Processes.spec().check(&with).unwrap();
        arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    #[test]
    fn the_first_are_the_busiest_or_the_largest() {
        let pids = |with| {
            let data = report(&asked(with), three()).result.data;
            let list = data["processes"].as_array().unwrap().clone();
            list.iter().map(|process| process["pid"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(pids(json!({})), [9, 7, 1]);
        assert_eq!(pids(json!({ "sort": "memory", "top": 2 })), [7, 1]);
        let result = report(&asked(json!({})), three()).result;
        assert_eq!(result.summary, "3 processes: 99.5 % of a processor, 415.0 MB; first labeller");
        assert_eq!(result.finding, Finding::None);
    }

    #[test]
    fn a_name_that_nobody_has_needs_attention() {
        let result = report(&asked(json!({ "name": "opcua" })), three()).result;
        let words = "1 process called opcua runs: 1.5 % of a processor, 400.0 MB";
        assert_eq!((result.finding, result.summary.as_str()), (Finding::Ok, words));
        let result = report(&asked(json!({ "name": "motion" })), three()).result;
        assert_eq!(
            (result.finding, result.summary.as_str()),
            (Finding::Attention, "no process is called motion")
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_password_on_a_command_line_is_not_told() {
        let mut child = std::process::Command::new("sleep").arg("600.0314159").spawn().unwrap();
        let report = watch(&asked(json!({ "name": "sleep", "top": 100 }))).await.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let text = serde_json::to_string(&report.result).unwrap();
        assert!(text.contains(&format!("\"pid\":{}", child.id())) && !text.contains("0314159"), "{text}");
    }
}
