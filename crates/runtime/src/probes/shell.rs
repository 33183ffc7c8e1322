//! Runs a command line in the system's shell.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;

use super::{BoxFuture, Probe, Refusal, Report, arguments, example, required};
use crate::executor::{CommandEnd, CommandLine, StepContext};

/// Longest command line in bytes.
const COMMAND_BYTES_MAX: u32 = 16 * 1024;

/// `shell`: one command line, by `/bin/sh -c` on Linux.
///
/// Exit code 0 has succeeded, any other and a signal have failed. Standard output and standard error are kept
/// apart. Processes that the command leaves in the background are ended with it.
#[derive(Debug)]
pub(super) struct Shell;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    command: String,
}

#[derive(Debug, Serialize)]
struct Data {
    /// Absent where a signal ended the shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// Background processes ended with the command.
    ended_processes: u32,
}

impl Probe for Shell {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "shell".into(),
            about: "Runs a command line in the system's shell.".into(),
            risk: Risk::Change,
            arguments: vec![required(
                "command",
                ArgumentKind::Text { bytes_max: COMMAND_BYTES_MAX },
                "The command line, as the shell reads it.",
            )],
            example: example(json!({ "command": "ip addr" })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let Arguments { command } = arguments(with)?;
            let line = CommandLine { program: "/bin/sh".into(), arguments: vec!["-c".into(), command] };
            Ok(match cx.run_command(&line).await {
                Ok(end) => report(end),
                Err(error) => Report::failed(error.to_string()),
            })
        })
    }
}

fn report(end: CommandEnd) -> Report {
    let bytes = end.output.bytes + end.error_output.bytes;
    let mut summary = match (end.exit_code, end.signal) {
        (Some(code), _) => format!("exit code {code}, {bytes} bytes"),
        (None, Some(signal)) => format!("ended by signal {signal}, {bytes} bytes"),
        (None, None) => format!("ended, {bytes} bytes"),
    };
    if end.left_behind > 0 {
        summary += &format!("; {} background processes ended", end.left_behind);
    }
    let data = Data { exit_code: end.exit_code, signal: end.signal, ended_processes: end.left_behind };
    let mut report = Report::done(Finding::None, summary).data(&data).output(end.output);
    report.succeeded = end.exit_code == Some(0);
    report.result.error_output = Some(end.error_output);
    report.survivors = end.survivors;
    report
}
