//! Asks what the machine wrote into its log.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::{Milliseconds, Timestamp};

use super::platform::{self, Asked, ENTRIES_MAX};
use super::words::counted;
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional};
use crate::executor::StepContext;
use crate::executor::output::Capture;

/// Longest name of a unit, provider or channel, and longest text to look for, in bytes.
const TEXT_BYTES_MAX: u32 = 256;
/// Longest span in bytes.
const SPAN_BYTES_MAX: u32 = 16;

/// `event_log`: the last entries of the machine's log, by journald on Linux.
///
/// All entries that fit are counted, up to [`ENTRIES_MAX`] of the newest; the last few come back. One of level `error` or
/// `critical` among them: `attention`. It fails where there is no log to read.
#[derive(Debug)]
pub(super) struct EventLog;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default = "level_default")]
    level: Level,
    #[serde(default = "since_default")]
    since: String,
    #[serde(default = "last_default")]
    last: usize,
    #[serde(default)]
    contains: Option<String>,
}

fn level_default() -> Level {
    Level::Warning
}

fn since_default() -> String {
    "24h".to_owned()
}

fn last_default() -> usize {
    20
}

/// How bad an entry is, in the words of Windows' log; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Critical,
    Error,
    Warning,
    Info,
    Debug,
}

/// All of them, the worst first.
pub(super) const LEVELS: [Level; 5] =
    [Level::Critical, Level::Error, Level::Warning, Level::Info, Level::Debug];

/// One entry.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// By the machine's own clock.
    pub(super) at: Timestamp,
    pub(super) level: Level,
    /// Who wrote it; empty where it does not say.
    pub(super) provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<u64>,
    pub(super) message: String,
}

/// What became of the entries that were read, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    /// How many entries were looked at, and how many of them contain the text.
    pub(super) read: u64,
    pub(super) matched: u64,
    /// How many of these are errors or worse.
    pub(super) errors: u64,
    /// How many entries did not read.
    pub(super) unreadable: u64,
    /// The newest of those that matched, the newest first.
    #[serde(rename = "entries")]
    pub(super) kept: Vec<Entry>,
    #[serde(skip)]
    last: usize,
    #[serde(skip)]
    contains: Option<String>,
}

impl Tally {
    /// Keeps `last` entries of those that contain the text.
    pub(super) fn new(last: usize, contains: Option<String>) -> Self {
        Self { read: 0, matched: 0, errors: 0, unreadable: 0, kept: Vec::new(), last, contains }
    }

    /// Takes the next older entry.
    pub(super) fn take(&mut self, entry: Entry) {
        self.read += 1;
        if self.contains.as_ref().is_some_and(|text| !entry.message.contains(text)) {
            return;
        }
        self.matched += 1;
        self.errors += u64::from(entry.level <= Level::Error);
        if self.kept.len() < self.last {
            self.kept.push(entry);
        }
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Probe for EventLog {
    fn spec(&self) -> ProbeSpec {
        let text = || ArgumentKind::Text { bytes_max: TEXT_BYTES_MAX };
        let levels = LEVELS.map(|level| level.name().to_owned()).into();
        ProbeSpec {
            name: "event_log".into(),
            about: "Asks what the machine wrote into its log.".into(),
            risk: Risk::Observe,
            arguments: vec![
                optional("unit", text(), Value::Null, "Only of this service."),
                optional("provider", text(), Value::Null, "Only of this program, by the name it logs under."),
                optional(
                    "channel",
                    text(),
                    Value::Null,
                    "`Kernel`: only the kernel's; on Linux any other is the whole journal.",
                ),
                optional(
                    "level",
                    ArgumentKind::Choice { options: levels },
                    level_default().name(),
                    "Only entries as bad as this or worse.",
                ),
                optional(
                    "since",
                    ArgumentKind::Text { bytes_max: SPAN_BYTES_MAX },
                    since_default(),
                    "How far back, such as `30m`, `24h` or `7d`.",
                ),
                optional(
                    "last",
                    ArgumentKind::Integer { min: 1, max: 200 },
                    last_default(),
                    "How many entries to bring back; all are counted.",
                ),
                optional("contains", text(), Value::Null, "Only messages with this text, as it is written."),
            ],
            example: example(json!({ "unit": "OpcUaClient", "level": "error", "since": "24h" })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let arguments: Arguments = arguments(with)?;
            let since = Milliseconds::parse(&arguments.since).map_err(|error| Refusal(error.to_string()))?;
            let mut tally = Tally::new(arguments.last, arguments.contains.clone());
            let unit = match &arguments.unit {
                Some(name) => Some(
                    platform::unit_name(name)
                        .ok_or_else(|| Refusal(format!("`{name}` cannot be the name of a service")))?,
                ),
                None => None,
            };
            let asked = Asked {
                unit: unit.as_deref(),
                provider: arguments.provider.as_deref(),
                channel: arguments.channel.as_deref(),
                level: arguments.level,
                since,
            };
            Ok(match platform::read_log(&asked, &mut tally, cx).await {
                Ok(said) => {
                    let mut report = report(&arguments, &tally);
                    report.result.output = lines(&tally, cx.capture()).finish(cx.undecodable());
                    report.result.error_output = Some(said);
                    report
                }
                Err(words) => Report::failed(words),
            })
        })
    }
}

fn report(arguments: &Arguments, tally: &Tally) -> Report {
    let finding = if tally.errors > 0 { Finding::Attention } else { Finding::Ok };
    Report::done(finding, summary(arguments, tally)).data(tally)
}

/// `3 errors in the last 24 h`, `no error and 12 other entries of OpcUaClient in the last 24 h`.
fn summary(arguments: &Arguments, tally: &Tally) -> String {
    let errors = if tally.errors == 0 { "no error".to_owned() } else { counted(tally.errors, "error") };
    let others = match tally.matched - tally.errors {
        0 => String::new(),
        1 => " and 1 other entry".to_owned(),
        others => format!(" and {others} other entries"),
    };
    let source = arguments.unit.as_ref().or(arguments.provider.as_ref());
    let source = source.map(|source| format!(" of {source}")).unwrap_or_default();
    let text = arguments.contains.as_ref().map(|text| format!(" with \"{text}\"")).unwrap_or_default();
    let period = if tally.read >= ENTRIES_MAX {
        format!("among the newest {ENTRIES_MAX} entries")
    } else {
        format!("in the last {}", in_words(&arguments.since))
    };
    format!("{errors}{others}{source}{text} {period}")
}

/// `24 h` for `24h`.
fn in_words(span: &str) -> String {
    let digits = span.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = span.split_at(digits);
    let unit = match unit {
        "m" => "min",
        "d" if number == "1" => "day",
        "d" => "days",
        other => other,
    };
    format!("{number} {unit}")
}

/// A line for each entry, the newest last, as people read a log.
fn lines(tally: &Tally, mut capture: Capture) -> Capture {
    for entry in tally.kept.iter().rev() {
        let mut line = format!("{} {:<8} {}", entry.at, entry.level.name(), entry.provider);
        let _ = writeln!(line, ": {}", entry.message.trim_end());
        capture.push(line.as_bytes());
    }
    capture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::output::Undecodable;

    fn entry(level: Level, message: &str) -> Entry {
        let at = Timestamp::from_milliseconds(1_795_452_872_706);
        let (provider, message) = ("opcua".into(), message.into());
        Entry { at, level, provider, unit: None, pid: None, message }
    }

    fn asked(with: Value) -> Arguments {
        let with: Map<String, Value> = example(with);
        EventLog.spec().check(&with).unwrap();
        arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    #[test]
    fn errors_need_attention_and_warnings_do_not() {
        let mut tally = Tally::new(9, None);
        tally.take(entry(Level::Warning, "slow"));
        let calm = report(&asked(json!({ "unit": "OpcUaClient" })), &tally).result;
        let words = "no error and 1 other entry of OpcUaClient in the last 24 h";
        assert_eq!((calm.finding, calm.summary.as_str()), (Finding::Ok, words));
        tally.take(entry(Level::Critical, "gone"));
        tally.take(entry(Level::Error, "lost"));
        let bad = report(&asked(json!({ "since": "7d" })), &tally).result;
        let words = "2 errors and 1 other entry in the last 7 days";
        assert_eq!((bad.finding, bad.summary.as_str()), (Finding::Attention, words));
        let text = lines(&tally, Capture::new(1_000)).finish(Undecodable::Escape).head;
        assert_eq!(
            text,
            "2026-11-23T16:54:32.706Z error    opcua: lost\n2026-11-23T16:54:32.706Z critical opcua: gone\n\
             2026-11-23T16:54:32.706Z warning  opcua: slow\n"
        );
    }

    #[test]
    fn nothing_found_says_for_what_was_looked() {
        let summary = summary(&asked(json!({ "contains": "x", "since": "30m" })), &Tally::new(9, None));
        assert_eq!(summary, "no error with \"x\" in the last 30 min");
        let mut many = Tally::new(1, None);
        (many.read, many.matched, many.errors) = (ENTRIES_MAX, 5, 5);
        assert_eq!(super::summary(&asked(json!({})), &many), "5 errors among the newest 20000 entries");
    }
}
