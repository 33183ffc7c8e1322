//! The journal of journald, read through journalctl(1), newest first.
//!
//! `journalctl` is asked for whole entries: leaving out fields is an option that systemd has only had since version 236.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use tidegate_core::time::{Milliseconds, Timestamp};

use super::systemd;
use crate::executor::output::{Capture, Intake, Undecodable};
use crate::executor::{CommandLine, StepContext};
use crate::probes::event_log::{Entry, LEVELS, Level, Tally};

/// Most entries read. They take one or two seconds, and at 2 KB each 40 MB pass through.
pub(in crate::probes) const ENTRIES_MAX: u64 = 20_000;
/// Longest line read; journalctl itself leaves out what is longer than 4 KiB in a field.
const LINE_BYTES_MAX: usize = 256 * 1024;
/// Most bytes kept of a message.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// Where journald keeps its files (systemd-journald.service(8)).
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What the channels of Windows' log are called that Linux keeps apart too.
const KERNEL: &str = "kernel";

/// Which entries are asked for.
#[derive(Debug)]
pub(in crate::probes) struct Asked<'a> {
    /// With its suffix.
    pub(in crate::probes) unit: Option<&'a str>,
    pub(in crate::probes) provider: Option<&'a str>,
    pub(in crate::probes) channel: Option<&'a str>,
    pub(in crate::probes) level: Level,
    pub(in crate::probes) since: Milliseconds,
}

/// One entry as journalctl writes it (systemd.journal-fields(7)).
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    realtime_us: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Value,
    #[serde(rename = "_COMM", default)]
    program: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    #[serde(rename = "_PID", default)]
    pid: Value,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
}

/// Hands the entries to `tally`, newest first; what journalctl said besides comes back.
///
/// # Errors
///
/// In words, where this machine has no journal or it cannot be read.
pub(in crate::probes) async fn read_log(
    asked: &Asked<'_>,
    tally: &mut Tally,
    cx: &StepContext,
) -> Result<tidegate_core::sequence::Output, String> {
    let line = CommandLine { program: "journalctl".into(), arguments: options(asked) };
    let mut lines = Lines { tally, undecodable: cx.undecodable(), line: Vec::new(), is_too_long: false };
    let end = cx.read_command(&line, &mut lines).await.map_err(|error| error.to_string())?;
    systemd::judge("journalctl", &end)?;
    if lines.tally.read == 0 && !FOLDERS.iter().any(|folder| has_files(folder)) {
        return Err(format!("this machine keeps no journal: there is none in {}", FOLDERS.join(" or ")));
    }
    Ok(end.error_output)
}

fn options(asked: &Asked<'_>) -> Vec<String> {
    let mut options = vec![
        "--output=json".to_owned(),
        "--no-pager".to_owned(),
        "--reverse".to_owned(),
        format!("--lines={ENTRIES_MAX}"),
        format!("--since=-{}s", asked.since.0.div_ceil(1_000)),
        format!("--priority={}", priority_of(asked.level)),
    ];
    options.extend(asked.unit.map(|unit| format!("--unit={unit}")));
    options.extend(asked.provider.map(|provider| format!("--identifier={provider}")));
    if asked.channel.is_some_and(|channel| channel.eq_ignore_ascii_case(KERNEL)) {
        options.push("_TRANSPORT=kernel".to_owned());
    }
    options
}

fn has_files(folder: &str) -> bool {
    let machines = fs::read_dir(folder).into_iter().flatten().flatten();
    machines.filter_map(|machine| fs::read_dir(machine.path()).ok()).any(|mut files| files.next().is_some())
}

/// The least important priority of syslog(3) that still counts as `level`: 5 (notice) is information.
fn priority_of(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug => 7,
    }
}

fn level_of(priority: u64) -> Level {
    let level = LEVELS.into_iter().find(|level| priority <= u64::from(priority_of(*level)));
    level.unwrap_or(Level::Debug)
}

/// Cuts the stream into lines and reads each.
struct Lines<'a> {
    tally: &'a mut Tally,
    undecodable: Undecodable,
    line: Vec<u8>,
    /// The line is longer than can be kept; it is skipped to its end.
    is_too_long: bool,
}

impl Intake for Lines<'_> {
    fn push(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.is_too_long |= self.line.len() + part.len() > LINE_BYTES_MAX;
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                match entry(&self.line, self.undecodable).filter(|_| !self.is_too_long) {
                    Some(entry) => self.tally.take(entry),
                    None => self.tally.unreadable += 1,
                }
                self.line.clear();
                self.is_too_long = false;
            }
        }
    }
}

/// `None`: not what journalctl writes.
fn entry(line: &[u8], undecodable: Undecodable) -> Option<Entry> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let text = |value: &Value| text(value, undecodable);
    let number = |value: &Value| text(value).and_then(|text| text.parse::<u64>().ok());
    let at_ms = i64::try_from(number(&line.realtime_us)? / 1_000).ok()?;
    Some(Entry {
        at: Timestamp::from_milliseconds(at_ms),
        // An entry without one is what its program printed: information.
        level: number(&line.priority).map_or(Level::Info, level_of),
        provider: text(&line.identifier).or_else(|| text(&line.program)).unwrap_or_default(),
        unit: text(&line.unit),
        pid: number(&line.pid),
        message: text(&line.message).unwrap_or_else(|| "(longer than journalctl shows)".to_owned()),
    })
}

/// A field: text, the numbers of its bytes where it is not UTF-8, or several of these where it is there several times.
fn text(value: &Value, undecodable: Undecodable) -> Option<String> {
    let mut capture = Capture::new(MESSAGE_BYTES_MAX / 2);
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    match value {
        Value::String(text) => capture.push(text.as_bytes()),
        Value::Array(items) => {
            for item in items {
                match (byte(item), item) {
                    (Some(byte), _) => capture.push(&[byte]),
                    (None, Value::String(text)) => capture.push(format!("{text}\n").as_bytes()),
                    (None, _) => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    }
    let output = capture.finish(undecodable);
    let gap = if output.dropped_bytes > 0 { " … " } else { "" };
    Some(format!("{}{gap}{}", output.head, output.tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What journalctl 252 wrote, newest first: a message too long to be shown, one that is not UTF-8, a warning of
    /// systemd, an error of a service.
    const RECORDED: &str = concat!(
        r#"{"__MONOTONIC_TIMESTAMP":"23380316827","_COMM":"cat","SYSLOG_IDENTIFIER":"long","_PID":"84","PRIORITY":"3","__CURSOR":"s=e3eef0fad2af4414b0e2068f9de8002e;i=40;b=2756e92b27a1462bbaf55e14a2370ae1;m=57193529b;t=660f472c16857;x=4dad2586c2d9afc6","MESSAGE":null,"_BOOT_ID":"2756e92b27a1462bbaf55e14a2370ae1","__REALTIME_TIMESTAMP":"1795452873828439"}"#,
        "\n",
        r#"{"MESSAGE":[102,114,111,109,32,108,111,103,103,101,114,32,255],"PRIORITY":"3","_BOOT_ID":"2756e92b27a1462bbaf55e14a2370ae1","_COMM":"logger","SYSLOG_IDENTIFIER":"root","__MONOTONIC_TIMESTAMP":"23380303453","_PID":"80","__REALTIME_TIMESTAMP":"1795452873815065"}"#,
        "\n",
        r#"{"_PID":"1","PRIORITY":"4","_TRANSPORT":"journal","_BOOT_ID":"2756e92b27a1462bbaf55e14a2370ae1","__REALTIME_TIMESTAMP":"1795452872707032","MESSAGE":"opcua.service: Failed with result 'exit-code'.","__MONOTONIC_TIMESTAMP":"23379195420","_COMM":"systemd","_SYSTEMD_UNIT":"init.scope","SYSLOG_IDENTIFIER":"systemd"}"#,
        "\n",
        r#"{"PRIORITY":"3","__MONOTONIC_TIMESTAMP":"23379194517","_COMM":"sh","_TRANSPORT":"stdout","SYSLOG_IDENTIFIER":"opcua","MESSAGE":"opcua: lost the server","_BOOT_ID":"2756e92b27a1462bbaf55e14a2370ae1","__REALTIME_TIMESTAMP":"1795452872706128","_SYSTEMD_UNIT":"opcua.service","_PID":"64"}"#,
        "\n",
    );

    fn tallied(stream: &[u8], step: usize, last: usize, contains: Option<&str>) -> Tally {
        let mut tally = Tally::new(last, contains.map(ToOwned::to_owned));
        let mut lines = Lines {
            tally: &mut tally,
            undecodable: Undecodable::Escape,
            line: Vec::new(),
            is_too_long: false,
        };
        stream.chunks(step).for_each(|chunk| lines.push(chunk));
        tally
    }

    #[test]
    fn recorded_entries_are_read_however_the_stream_is_cut() {
        for step in [1, 7, 100_000] {
            let tally = tallied(RECORDED.as_bytes(), step, 20, None);
            assert_eq!((tally.read, tally.matched, tally.errors, tally.unreadable), (4, 4, 3, 0));
            let told: Vec<_> = tally.kept.iter().map(|entry| entry.message.as_str()).collect();
            assert_eq!(
                told,
                [
                    "(longer than journalctl shows)",
                    r"from logger \xFF",
                    "opcua.service: Failed with result 'exit-code'.",
                    "opcua: lost the server"
                ]
            );
            let last = &tally.kept[3];
            assert_eq!((last.level, last.provider.as_str(), last.pid), (Level::Error, "opcua", Some(64)));
            assert_eq!(last.unit.as_deref(), Some("opcua.service"));
            assert_eq!(last.at.to_string(), "2026-11-23T16:54:32.706Z");
        }
    }

    #[test]
    fn all_are_counted_the_newest_kept_and_only_those_that_contain_the_text() {
        let tally = tallied(RECORDED.as_bytes(), 64, 1, None);
        assert_eq!((tally.matched, tally.kept.len(), tally.kept[0].provider.as_str()), (4, 1, "long"));
        let tally = tallied(RECORDED.as_bytes(), 64, 9, Some("lost the"));
        assert_eq!((tally.read, tally.matched, tally.errors), (4, 1, 1));
    }

    #[test]
    fn a_line_without_end_is_counted_and_kept_nowhere() {
        let long = [&vec![b'x'; 3 * LINE_BYTES_MAX][..], b"\n", RECORDED.as_bytes()].concat();
        let tally = tallied(&long, 1_000, 20, None);
        assert_eq!((tally.read, tally.unreadable), (4, 1));
    }

    #[test]
    fn a_channel_is_the_kernel_or_the_whole_journal() {
        let asked = |channel| Asked {
            unit: Some("opcua.service"),
            provider: Some("-x"),
            channel: Some(channel),
            level: Level::Error,
            since: Milliseconds::from_days(1),
        };
        let options_of = |channel| options(&asked(channel));
        assert_eq!(options_of("Kernel").last().unwrap(), "_TRANSPORT=kernel");
        assert_eq!(options_of("System").last().unwrap(), "--identifier=-x");
        assert!(options_of("System").contains(&"--unit=opcua.service".to_owned()));
        assert!(options_of("System").contains(&"--since=-86400s".to_owned()));
    }

    #[test]
    fn a_field_that_is_there_twice_is_read_twice() {
        let value = serde_json::json!(["one", "two"]);
        assert_eq!(text(&value, Undecodable::Escape).unwrap(), "one\ntwo\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_counted(bytes in proptest::collection::vec(any::<u8>(), 0..500), step in 1..50_usize) {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            let tally = tallied(&bytes, step, 5, None);
            prop_assert_eq!(tally.read + tally.unreadable, lines);
        }

        #[test]
        fn any_entry_is_held_to_its_bounds(message in any::<String>(), priority in "[0-9]{0,3}", time in any::<u64>()) {
            let line = serde_json::json!({
                "MESSAGE": message.repeat(99), "PRIORITY": priority, "__REALTIME_TIMESTAMP": time.to_string()
            });
            if let Some(entry) = entry(line.to_string().as_bytes(), Undecodable::Escape) {
                prop_assert!(entry.message.len() <= MESSAGE_BYTES_MAX + 9);
            }
        }
    }
}
