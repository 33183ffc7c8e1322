//! One machine as people read it.

use serde_json::Value;
use tidegate_core::api::{EndpointState, EndpointView, JournalState, Reachability, WorkState};
use tidegate_core::day::UtcDay;
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, Risk};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::words::path_closed;
use tidegate_core::zone::Zone;

use crate::screen::{Screen, Tone};
use crate::text::{bytes, one_line, shell_word, shortened, wrapped};
use crate::time;

/// Longest value of a fact shown, in characters.
const FACT_CHARACTERS_MAX: usize = 60;
/// Most spans without a path shown; `--json` has ten.
const OUTAGES_SHOWN_MAX: usize = 5;

/// Whether the machine was heard lately, or why it never will be.
pub(crate) fn path_word(endpoint: &EndpointView) -> &'static str {
    match (endpoint.state, endpoint.reachability) {
        (EndpointState::Retired, _) => "retired",
        (EndpointState::Revoked, _) => "revoked",
        (EndpointState::Active | EndpointState::Recovered, Reachability::Reachable) => "reachable",
        (EndpointState::Active | EndpointState::Recovered, Reachability::Quiet) => "quiet",
        (EndpointState::Active | EndpointState::Recovered, Reachability::NeverSeen) => "never seen",
    }
}

/// What its work does.
pub(crate) fn work_word(work: WorkState) -> &'static str {
    match work {
        WorkState::Idle => "idle",
        WorkState::Waiting => "waiting",
        WorkState::Running => "running",
        WorkState::Held => "held",
    }
}

/// Everything about one machine.
pub(crate) fn endpoint(endpoint: &EndpointView, place: &str, now: Timestamp, screen: &Screen) -> String {
    let mut text = format!("{}\n", screen.heading(&one_line(&endpoint.name)));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<11}{value}\n"));
    line("id", endpoint.id.to_string());
    line("site", one_line(place));
    if !endpoint.tags.is_empty() {
        line("tags", one_line(&endpoint.tags.join(", ")));
    }
    line("path", path_word(endpoint).to_owned());
    line("last seen", endpoint.last_seen_at.map_or_else(|| "never".to_owned(), time::full));
    if let Some(address) = &endpoint.address {
        line("address", one_line(address));
    }
    if let Some(usually) = usually(endpoint) {
        line("usually", usually);
    }
    line("work", work_word(endpoint.work).to_owned());
    if let Some(skew_ms) = endpoint.clock_skew_ms.filter(|skew_ms| skew_ms.unsigned_abs() > 5_000) {
        let span = time::span(Milliseconds(skew_ms.unsigned_abs()));
        line("clock", format!("{span} {}", if skew_ms > 0 { "ahead" } else { "behind" }));
    }
    if let Some(profile) = endpoint.facts.get("profile").and_then(Value::as_str) {
        line("profile", shortened(profile, FACT_CHARACTERS_MAX));
    }
    if let Some(traffic) = traffic(endpoint, now) {
        line("bytes", traffic);
    }
    if endpoint.claimed > 0 {
        let claimed =
            format!("{} that this record does not have and no signed work proves", endpoint.claimed);
        line("claimed", claimed);
    }
    line("enrolled", time::full(endpoint.enrolled_at));
    if !endpoint.attention.is_empty() {
        text.push_str("\nNeeds a person\n");
    }
    for attention in &endpoint.attention {
        let reason = format!("{} {}", Tone::Attention.mark(), one_line(&attention.reason));
        text.push_str(&format!("  {}\n", screen.paint(Tone::Attention, &reason)));
        text.push_str(&format!("    clears: {}\n", one_line(&attention.clears)));
    }
    if !endpoint.notes.is_empty() {
        text.push_str("\nNotes\n");
    }
    for note in &endpoint.notes {
        text.push_str(&format!("  {} by {}\n", time::full(note.at), one_line(&note.by)));
        let lines = wrapped(&one_line(&note.text), screen.width.saturating_sub(4));
        text.push_str(&format!("    {}\n", lines.join("\n    ")));
    }
    if !endpoint.outages.is_empty() {
        text.push_str("\nLast without a path\n");
    }
    for outage in endpoint.outages.iter().take(OUTAGES_SHOWN_MAX) {
        let lines = wrapped(&path_closed(outage, &Zone::named("UTC")), screen.width.saturating_sub(4));
        text.push_str(&format!("  {}\n", lines.join("\n    ")));
    }
    if !endpoint.journals.is_empty() {
        text.push_str(&format!("\nJournals\n{}\n", journals(endpoint)));
    }
    if !endpoint.facts.is_empty() {
        text.push_str("\nFacts\n");
    }
    // The profile stands above, beside what it is chosen for.
    for (name, value) in endpoint.facts.iter().filter(|(name, _)| *name != "profile") {
        let (name, value) = told(name, value);
        text.push_str(&format!("  {:<20} {value}\n", shortened(&name, 20)));
    }
    text
}

/// How often and when it is usually heard; `None`: not known yet.
fn usually(endpoint: &EndpointView) -> Option<String> {
    let interval = endpoint.usual_interval_ms?;
    let hours: Vec<_> = endpoint.usual_hours_utc.iter().map(|hour| format!("{hour:02}")).collect();
    let hours = if hours.is_empty() {
        String::new()
    } else {
        format!(", mostly in the hours {} UTC", hours.join(", "))
    };
    Some(format!("every {}{hours}", time::span(Milliseconds(interval))))
}

/// What its runtime sent and received: `yesterday 143 KB up, 61 KB down; 30 days 5.1 MB`. `None`: nothing is told.
fn traffic(endpoint: &EndpointView, now: Timestamp) -> Option<String> {
    let newest = endpoint.traffic.first()?;
    let day_ago = |days: i64| UtcDay::of(now.shifted_by_ms(-days * 86_400_000));
    let day = if newest.day == day_ago(1) { "yesterday".to_owned() } else { newest.day.to_string() };
    let month = endpoint.traffic.iter().filter(|told| told.day >= day_ago(30));
    let sum: u64 =
        month.fold(0, |sum, told| sum.saturating_add(told.up_bytes).saturating_add(told.down_bytes));
    let (up, down) = (bytes(newest.up_bytes), bytes(newest.down_bytes));
    Some(format!("{day} {up} up, {down} down; 30 days {}", bytes(sum)))
}

/// A line a journal: which machine wrote it, so that a person can tell two apart.
pub(crate) fn journals(endpoint: &EndpointView) -> String {
    let lines = endpoint.journals.iter().map(|journal| {
        let state = match journal.state {
            JournalState::Current => "current",
            JournalState::Candidate => "candidate",
            JournalState::Replaced => "replaced",
            JournalState::Forked => "written by two machines",
        };
        let address = journal.address.as_deref().map(|address| format!(" from {}", one_line(address)));
        // One journal's facts are the machine's, which stand below; of several each shows its own.
        let telling: Vec<_> = journal.facts.iter().filter(|_| endpoint.journals.len() > 1).collect();
        let telling: Vec<_> = telling.into_iter().filter(|(_, value)| !value.is_array()).collect();
        let facts: Vec<_> =
            telling.iter().take(4).map(|(name, value)| format!("{name} {}", fact(value))).collect();
        let facts =
            if facts.is_empty() { String::new() } else { format!("\n      {}", one_line(&facts.join(", "))) };
        format!(
            "  {}  {state}, {} entries, first seen {}{}{facts}",
            journal.id,
            journal.number,
            time::full(journal.first_seen_at),
            address.unwrap_or_default(),
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the machine's checks and actions are and take.
pub(crate) fn probes(catalogue: Option<Catalogue>, screen: &Screen) -> String {
    let Some(catalogue) = catalogue else {
        return "The machine has not told its checks and actions yet.\n".to_owned();
    };
    let mut text = String::new();
    for probe in &catalogue.0 {
        let risk = match probe.risk {
            Risk::Observe => "check",
            Risk::Change => "action: can change the machine",
        };
        text.push_str(&format!("{} ({risk})\n", screen.heading(&one_line(&probe.name))));
        text.push_str(&format!("  {}\n", one_line(&probe.about)));
        for argument in &probe.arguments {
            let needed = if argument.required { ", needed" } else { "" };
            text.push_str(&format!(
                "    {:<12} {} ({}{needed}{})\n",
                one_line(&argument.name),
                one_line(&argument.about),
                kind(&argument.kind),
                default(argument)
            ));
        }
        // In the order in which the probe tells its arguments, which is the order people think in.
        let given = probe.arguments.iter().filter_map(|argument| probe.example.get_key_value(&argument.name));
        let words: Vec<_> =
            given.map(|(name, value)| shell_word(&format!("{}={}", one_line(name), fact(value)))).collect();
        let example = format!("    e.g. --probe {} {}", one_line(&probe.name), words.join(" "));
        text.push_str(&format!("{}\n\n", example.trim_end()));
    }
    text
}

fn kind(kind: &ArgumentKind) -> String {
    match kind {
        ArgumentKind::Text { .. } => "text".into(),
        ArgumentKind::Integer { min, max } => format!("{min} to {max}"),
        ArgumentKind::Boolean => "true or false".into(),
        ArgumentKind::Choice { options } => one_line(&options.join("|")),
    }
}

fn default(argument: &ArgumentSpec) -> String {
    argument.default.as_ref().map(|value| format!(", else {}", fact(value))).unwrap_or_default()
}

/// A fact in the words and units of people.
fn told(name: &str, value: &Value) -> (String, String) {
    let plain = || (name.replace('_', " "), fact(value));
    match (name, value) {
        ("addresses", Value::Array(addresses)) => {
            let texts = addresses.iter().map(|address| {
                let text = |field| address.get(field).and_then(Value::as_str).unwrap_or("?");
                let prefix = address.get("prefix").and_then(Value::as_u64);
                let prefix = prefix.map(|prefix| format!("/{prefix}")).unwrap_or_default();
                format!("{} {}{prefix}", text("interface"), text("address"))
            });
            (name.to_owned(), one_line(&texts.collect::<Vec<_>>().join(", ")))
        }
        (_, Value::Number(bytes)) if name.ends_with("_bytes") => match bytes.as_f64() {
            Some(bytes) => {
                let name = name.trim_end_matches("_bytes").replace('_', " ");
                (name, format!("{:.1} GiB", bytes / f64::from(1 << 30)))
            }
            None => plain(),
        },
        _ => plain(),
    }
}

fn fact(value: &Value) -> String {
    match value {
        Value::String(text) => shortened(text, FACT_CHARACTERS_MAX),
        other => shortened(&other.to_string(), FACT_CHARACTERS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::json;

    #[test]
    fn a_machine_that_was_copied_shows_both_and_what_clears_it() {
        let view: EndpointView = serde_json::from_value(json!({
            "id": sample::endpoint(), "name": "hmi-3\u{1b}[2J", "client_id": "0000000000000001",
            "site_id": "0000000000000002", "state": "active", "reachability": "quiet", "work": "held",
            "attention": [{"code": "identity_conflict", "reason": "two machines wrote its journal",
                           "clears": "adopt one of the two"}],
            "last_seen_at": sample::at("14:03:05"), "clock_skew_ms": -65_000,
            "facts": {"os": "Windows 10 22H2", "memory_mb": 2048, "profile": "metered"},
            "usual_interval_ms": 240_000, "usual_hours_utc": [2, 14],
            "traffic": [{"day": "2026-11-22", "up_bytes": 143_012, "down_bytes": 61_440},
                        {"day": "2026-11-01", "up_bytes": 4_900_000, "down_bytes": 0},
                        {"day": "2026-10-23", "up_bytes": 1_000_000_000, "down_bytes": 0}],
            "outages": [{"closed_at": "2026-11-23T02:10:00Z", "opened_at": "2026-11-23T02:58:12Z", "attempts": 31,
                         "problem": "connection refused\u{1b}[2J"},
                        {"closed_at": "2026-11-20T22:00:00Z", "opened_at": "2026-11-21T05:00:00Z", "attempts": 1,
                         "problem": "the proxy 10.0.0.9:3128 asks for credentials that this machine was not given"}],
            "journals": [
                {"id": "0000000000000003", "current": false, "state": "forked",
                 "first_seen_at": sample::at("09:00:00"), "address": "10.0.0.7", "number": 41, "facts": {}},
                {"id": "0000000000000004", "current": false, "state": "candidate",
                 "first_seen_at": sample::at("14:03:00"), "number": 2, "facts": {"os": "Windows 10"}}
            ],
            "enrolled_at": sample::at("08:59:00"), "revision": 3
        }))
        .unwrap();
        let now = sample::at("15:00:00");
        insta::assert_snapshot!(endpoint(&view, "Plant 7 of Example Foods", now, &Screen::plain()));
    }

    #[test]
    fn the_probes_of_a_machine_teach_how_to_ask_them() {
        let catalogue = serde_json::from_value(json!([
            {"name": "tail_file", "about": "The last lines of a text file.", "risk": "observe",
             "arguments": [
                {"name": "path", "about": "Where it is.", "kind": "text", "bytes_max": 4096, "required": true},
                {"name": "lines", "about": "How many.", "kind": "integer", "min": 1, "max": 1000,
                 "required": false, "default": 20}],
             "example": {"path": "C:\\Motion\\app log.txt", "lines": 10}},
            {"name": "shell", "about": "Runs a command.", "risk": "change",
             "arguments": [], "example": {}}
        ]))
        .unwrap();
        insta::assert_snapshot!(probes(Some(catalogue), &Screen::plain()));
    }
}
