//! States as people read them: a mark, a word, and what makes it particular. Never a colour alone.

use maud::{Markup, html};
use serde_json::{Map, Value};
use tidegate_core::api::{EndpointState, EndpointView, Reachability, WorkState};
use tidegate_core::window::Window;
use tidegate_core::words::{Tone, Verdict, is_unsafe, one_line, shortened};

use super::moment::Moment;

/// The class that colours a tone.
pub(super) fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Attention => "attention",
        Tone::Bad => "bad",
        Tone::Active => "active",
        Tone::Quiet => "quiet-tone",
    }
}

/// A verdict with its mark.
pub(super) fn verdict(verdict: &Verdict) -> Markup {
    html! {
        span .verdict .(tone_class(verdict.tone)) {
            span .mark aria-hidden="true" { (verdict.tone.mark()) }
            // Kept on one line with its word.
            "\u{a0}"
            strong { (verdict.word) }
            @if !verdict.detail.is_empty() { ": " (verdict.detail) }
        }
    }
}

/// Whether a machine is heard, with how long ago that was.
pub(super) fn reachability(endpoint: &EndpointView, moment: &Moment) -> Markup {
    let (tone, word) = match (endpoint.state, endpoint.reachability) {
        (EndpointState::Revoked, _) => (Tone::Bad, "Revoked"),
        (EndpointState::Retired, _) => (Tone::Quiet, "Retired"),
        (_, Reachability::Reachable) => (Tone::Good, "Reachable"),
        (_, Reachability::Quiet) => (Tone::Quiet, "Quiet"),
        (_, Reachability::NeverSeen) => (Tone::Quiet, "Never heard"),
    };
    html! {
        span .(tone_class(tone)) { (word) }
        @if let Some(at) = endpoint.last_seen_at { ", heard " (moment.ago(at)) }
    }
}

/// Links to the other machines of its site that have its name.
pub(super) fn namesakes(endpoint: &EndpointView) -> Markup {
    html! {
        @if !endpoint.same_name.is_empty() {
            "(see "
            @for (place, other) in endpoint.same_name.iter().enumerate() {
                @if place > 0 { ", " }
                a href={ "/machines/" (other.id) } { code { (other.id) } }
            }
            ")"
        }
    }
}

/// What the work of a machine does, in words.
pub(super) fn work(work: WorkState) -> Markup {
    let (tone, word) = match work {
        WorkState::Idle => (Tone::Quiet, "Nothing queued"),
        WorkState::Waiting => (Tone::Active, "Work waits"),
        WorkState::Running => (Tone::Active, "Working"),
        WorkState::Held => (Tone::Attention, "Work is held"),
    };
    html! { span .(tone_class(tone)) { (word) } }
}

/// The arguments of a step in one line: `host=10.20.0.5 count=4`.
pub(super) fn arguments(with: &Map<String, Value>) -> String {
    let pairs = with.iter().map(|(name, value)| match value {
        Value::String(text) if name == "command" => text.clone(),
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    shortened(&pairs.collect::<Vec<_>>().join(" "), 120)
}

/// A fact as one line.
pub(super) fn fact(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        // An address with its interface and prefix: people compare the address.
        Value::Object(fields) if fields.get("address").is_some_and(Value::is_string) => {
            fact(&fields["address"])
        }
        Value::Array(items) => shortened(&items.iter().map(fact).collect::<Vec<_>>().join(", "), 300),
        other => shortened(&other.to_string(), 300),
    }
}

/// `text` on one line, closed with one full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = one_line(text.trim_end());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// `1 step`, `3 steps`.
pub(super) fn count(count: usize, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

/// `clock_skew_ms` as `clock skew ms`.
pub(super) fn label(name: &str) -> String {
    one_line(&name.replace('_', " "))
}

/// `Mon-Fri 02:00-02:12, Sat 20:00-04:00`, none of them broken over two lines.
pub(super) fn windows(windows: &[Window]) -> Markup {
    html! {
        @for (place, window) in windows.iter().enumerate() {
            @if place > 0 { ", " }
            span .whole { (window.to_string()) }
        }
    }
}

/// `text` for a field to edit it in: as it is, or with visible escapes where it has characters that reorder or hide text.
pub(crate) fn in_field(text: &str) -> String {
    if text.contains(is_unsafe) { one_line(text) } else { text.to_owned() }
}

/// The same for a field of several lines, in which tabs and ends of lines stay as they are.
pub(crate) fn in_area(text: &str) -> String {
    let line = |line: &str| {
        let hides = line.contains(|character| is_unsafe(character) && !matches!(character, '\t' | '\r'));
        if hides { one_line(line) } else { line.to_owned() }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}
