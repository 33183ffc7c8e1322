//! How long a sequence takes and what it costs to bring back, before anybody queued it.
//!
//! It knows the steps and nothing else: no machine, no link, no history. So the typical figures are rounded hard and are
//! said with "about". What is not guessed is the longest: every step ends by its time limit.

use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::probe::Catalogue;
use crate::sequence::{SequenceSpec, StepSpec, TIMEOUT_DEFAULT};
use crate::time::Milliseconds;

/// What a sequence of one small step costs on the wire, from the order to the acknowledged result, in bytes
/// (`docs/bytes.md`). It is counted once: further steps share the messages.
const SEQUENCE_BYTES: u64 = 6_200;
/// What each step adds to that besides its result: its order, its start and its end, in bytes.
const STEP_BYTES: u64 = 700;

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Estimate {
    /// How long it takes on a machine where all is well, in milliseconds, once it has started.
    pub typical_ms: u64,
    /// The longest its attempts can take together: the sum of the steps' time limits, in milliseconds. One that may be
    /// rerun after an interruption counts twice.
    pub longest_ms: u64,
    /// What it costs on the link, both ways, in bytes, headers included and compression not.
    pub typical_bytes: u64,
    /// Whether a step is of a kind whose duration and size nobody can tell, such as a command.
    pub is_open: bool,
}

/// Estimates `sequence`. What a step leaves out counts as `catalogue` says; without one as the probes of this version.
pub fn estimate(sequence: &SequenceSpec, catalogue: Option<&Catalogue>) -> Estimate {
    let mut estimate =
        Estimate { typical_ms: 0, longest_ms: 0, typical_bytes: SEQUENCE_BYTES, is_open: false };
    for step in &sequence.steps {
        let limit_ms = step.timeout.unwrap_or(TIMEOUT_DEFAULT).0;
        let attempts = if step.rerun { 2 } else { 1 };
        let typical = typical(step, catalogue);
        estimate.typical_ms = estimate.typical_ms.saturating_add(typical.ms.min(limit_ms));
        estimate.longest_ms = estimate.longest_ms.saturating_add(limit_ms.saturating_mul(attempts));
        estimate.typical_bytes = estimate.typical_bytes.saturating_add(STEP_BYTES + typical.bytes);
        estimate.is_open |= typical.is_open;
    }
    estimate
}

impl fmt::Display for Estimate {
    /// Writes it for people: `about 20 s, at most 5 min; about 6 KB`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (typical, longest) = (span(self.typical_ms), span_up(self.longest_ms));
        write!(formatter, "about {typical}, at most {longest}; about {}", size(self.typical_bytes))?;
        if self.is_open { formatter.write_str(", more if a command prints more") } else { Ok(()) }
    }
}

/// What one step usually takes.
struct Typical {
    ms: u64,
    /// Of the result, as it is stored: summary, data and text.
    bytes: u64,
    is_open: bool,
}

/// A small table. The figures are of one Linux machine that asked itself and found nothing wrong; those of what it had no
/// part of (a journal, a network) are guesses. Sizes are before compression: rather too much than too little. A probe
/// that is not here is taken for a short question.
fn typical(step: &StepSpec, catalogue: Option<&Catalogue>) -> Typical {
    // A machine judges its own bounds; here they only keep a hostile number from meaning anything.
    let number =
        |name: &str, otherwise: u64| argument(step, catalogue, name).unwrap_or(otherwise).min(100_000);
    let closed = |ms, bytes| Typical { ms, bytes, is_open: false };
    match step.probe.as_str() {
        "system_info" => closed(10, 800),
        // The last request is not waited after, only answered.
        "ping" => closed(
            number("count", 4).saturating_sub(1) * number("interval_ms", 200) + 20,
            350 + 55 * number("count", 4).min(100),
        ),
        "tcp_connect" => {
            closed(number("repeat", 1).saturating_sub(1) * 200 + 20, 300 + 120 * number("repeat", 1).min(100))
        }
        "dns_lookup" => closed(50, 400),
        "http_check" => closed(300, 1_000),
        "network_config" => closed(50, 1_500),
        // The processor's use is measured over half a second.
        "processes" => closed(520, 250 + 240 * number("top", 10).min(1_000)),
        "disk_usage" => closed(30, 1_600),
        "service_status" => closed(100, 600),
        "event_log" => closed(1_000, 300 + 200 * number("last", 20).min(1_000)),
        "time_source" => closed(100, 400),
        "file_facts" => closed(50, 600),
        "tail_file" => closed(20, 200 + 50 * number("lines", 50).min(1_000)),
        "shell" => Typical { ms: 1_000, bytes: 1_500, is_open: true },
        _ => closed(1_000, 1_000),
    }
}

/// An argument that is a whole number: as given, else as the machine's own probes have it.
fn argument(step: &StepSpec, catalogue: Option<&Catalogue>, name: &str) -> Option<u64> {
    let given = |with: &Map<String, Value>| with.get(name).and_then(Value::as_u64);
    let declared = || {
        let probe = catalogue?.find(&step.probe)?;
        probe.arguments.iter().find(|argument| argument.name == name)?.default.as_ref()?.as_u64()
    };
    given(&step.with).or_else(declared)
}

/// A span to the nearest figure that says no more than is known.
fn span(milliseconds: u64) -> String {
    match milliseconds.div_ceil(1_000).max(1) {
        seconds @ 0..10 => format!("{seconds} s"),
        seconds @ 10..95 => format!("{} s", nearest(seconds, 5)),
        seconds @ 95..5_400 => format!("{} min", nearest(seconds, 60) / 60),
        seconds => format!("{} h", nearest(seconds, 3_600) / 3_600),
    }
}

/// A limit: never below what it is.
fn span_up(milliseconds: u64) -> String {
    match milliseconds.div_ceil(1_000) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds @ 7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        seconds => format!("{} d", seconds.div_ceil(Milliseconds::from_days(1).0 / 1_000)),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} KB", nearest(bytes, 1_000).max(1_000) / 1_000),
        10_000..100_000 => format!("{} KB", nearest(bytes, 5_000) / 1_000),
        100_000..1_000_000 => format!("{} KB", nearest(bytes, 50_000) / 1_000),
        1_000_000.. => format!("{} MB", nearest(bytes, 1_000_000) / 1_000_000),
    }
}

/// `value` rounded to a multiple of `step`.
fn nearest(value: u64, step: u64) -> u64 {
    value.saturating_add(step / 2) / step * step
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::playbook::{fill, starters};

    fn of(steps: &Value) -> SequenceSpec {
        serde_json::from_value(json!({ "steps": steps })).unwrap()
    }

    #[test]
    fn the_longest_is_the_sum_of_the_time_limits_and_a_rerun_counts_twice() {
        let sequence = of(&json!([
            { "probe": "system_info" },
            { "probe": "ping", "with": { "host": "a" }, "timeout": "30s" },
            { "probe": "shell", "with": { "command": "x" }, "timeout": "2m", "rerun": true },
        ]));
        let estimate = estimate(&sequence, None);
        assert_eq!(estimate.longest_ms, 60_000 + 30_000 + 2 * 120_000);
        assert!(estimate.is_open);
        assert_eq!(
            estimate.to_string(),
            "about 2 s, at most 6 min; about 10 KB, more if a command prints more"
        );
    }

    #[test]
    fn arguments_count_as_given_and_else_as_the_machine_has_them() {
        let pinged = |with: Value, catalogue: Option<&Catalogue>| {
            estimate(&of(&json!([{ "probe": "ping", "with": with }])), catalogue).typical_ms
        };
        let own: Catalogue = serde_json::from_value(json!([{
            "name": "ping", "about": "", "risk": "observe", "example": {},
            "arguments": [{ "name": "count", "about": "", "kind": "integer", "min": 1, "max": 20, "required": false,
                "default": 11 }],
        }]))
        .unwrap();
        assert_eq!(pinged(json!({ "count": 20, "interval_ms": 1_000 }), None), 19_020);
        assert_eq!(pinged(json!({}), None), 620);
        assert_eq!(pinged(json!({}), Some(&own)), 2_020);
        assert_eq!(pinged(json!({ "count": 1 }), Some(&own)), 20);
    }

    #[test]
    fn what_is_typical_is_never_longer_than_what_is_allowed() {
        let slow =
            json!([{ "probe": "ping", "with": { "count": 20, "interval_ms": 10_000 }, "timeout": "5s" }]);
        let estimate = estimate(&of(&slow), None);
        assert_eq!((estimate.typical_ms, estimate.longest_ms), (5_000, 5_000));
    }

    #[test]
    fn the_starters_read_as_a_person_would_say_it() {
        let said: Vec<_> = starters()
            .iter()
            .map(|starter| {
                let filled = fill(starter, &starter.examples()).unwrap();
                format!("{}: {}", starter.name, estimate(&filled, None))
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn spans_and_sizes_are_round() {
        let spans = [0, 1, 1_400, 9_001, 12_000, 61_000, 94_000, 96_000, 3_599_000, 5_500_000].map(span);
        assert_eq!(spans, ["1 s", "1 s", "2 s", "10 s", "10 s", "60 s", "95 s", "2 min", "60 min", "2 h"]);
        let limits = [1_000, 90_000, 119_001, 121_000, 7_200_000, 172_800_000, 86_400_000 * 100].map(span_up);
        assert_eq!(limits, ["1 s", "90 s", "2 min", "3 min", "2 h", "2 d", "100 d"]);
        let sizes = [0, 6_900, 12_000, 98_000, 120_000, 3_400_000].map(size);
        assert_eq!(sizes, ["1 KB", "7 KB", "10 KB", "100 KB", "100 KB", "3 MB"]);
    }

    proptest! {
        #[test]
        fn a_limit_is_never_said_to_be_shorter_than_it_is(milliseconds in 0_u64..86_400_000 * 366) {
            let said = span_up(milliseconds);
            let (number, unit) = said.split_once(' ').unwrap();
            let unit_ms = match unit { "s" => 1_000, "min" => 60_000, "h" => 3_600_000, _ => 86_400_000 };
            prop_assert!(number.parse::<u64>().unwrap() * unit_ms >= milliseconds);
        }

        #[test]
        fn hostile_arguments_are_estimated_too(count: u64, interval: u64) {
            let with = json!({ "count": count, "interval_ms": interval });
            let estimate = estimate(&of(&json!([{ "probe": "ping", "with": with }])), None);
            prop_assert!(estimate.typical_ms <= 60_000 && estimate.typical_bytes < 20_000);
        }
    }
}
