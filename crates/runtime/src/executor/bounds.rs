//! The one place where a result is held to the bounds of the record: no probe can break them.

use serde_json::{Map, Value};
use tidegate_core::sequence::{DATA_BYTES_MAX, OUTPUT_END_BYTES_MAX, Output, SUMMARY_BYTES_MAX, StepResult};

/// Under which key `data` says how many bytes (as JSON) it lost; absent where it lost none.
const DROPPED_KEY: &str = "dropped_bytes";
/// Longest name of an encoding in bytes.
const ENCODING_BYTES_MAX: usize = 40;

/// Cuts what is too long, on character boundaries, and counts what it cut.
pub(super) fn enforce(mut result: StepResult) -> StepResult {
    result.summary = line(&result.summary);
    result.data = bounded_data(result.data);
    enforce_output(&mut result.output);
    result.error_output = result.error_output.filter(|output| output.bytes > 0);
    if let Some(output) = &mut result.error_output {
        enforce_output(output);
    }
    result
}

/// One line of at most [`SUMMARY_BYTES_MAX`] bytes; a cut one ends in `…`.
fn line(text: &str) -> String {
    let text: String =
        text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.len() <= SUMMARY_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(SUMMARY_BYTES_MAX - '…'.len_utf8());
    format!("{}…", &text[..end])
}

fn enforce_output(output: &mut Output) {
    let before = output.head.len() + output.tail.len();
    output.head.truncate(output.head.floor_char_boundary(OUTPUT_END_BYTES_MAX));
    let start = output.tail.len().saturating_sub(OUTPUT_END_BYTES_MAX);
    output.tail.drain(..output.tail.ceil_char_boundary(start));
    output.dropped_bytes += (before - output.head.len() - output.tail.len()) as u64;
    if let Some(encoding) = &mut output.encoding {
        encoding.truncate(encoding.floor_char_boundary(ENCODING_BYTES_MAX));
    }
}

/// Shortens the largest member until the whole fits: a list loses its end, a text its end, anything else
/// goes.
fn bounded_data(mut data: Map<String, Value>) -> Map<String, Value> {
    let whole = bytes(&data);
    if whole <= DATA_BYTES_MAX {
        return data;
    }
    // Room for the count itself.
    let limit = DATA_BYTES_MAX - 64;
    while bytes(&data) > limit {
        let excess = bytes(&data) - limit;
        let largest = data.iter().max_by_key(|(_, value)| bytes(value)).map(|(key, _)| key.clone());
        let Some(key) = largest else { break };
        if !data.get_mut(&key).is_some_and(|value| shorten(value, excess)) {
            data.remove(&key);
        }
    }
    let dropped = whole - bytes(&data);
    data.insert(DROPPED_KEY.into(), dropped.into());
    data
}

/// Takes at least something off; false when there is nothing that can be taken off by parts.
fn shorten(value: &mut Value, excess: usize) -> bool {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let mut gone = 0;
            while gone < excess {
                let Some(item) = items.pop() else { break };
                gone += bytes(&item) + 1;
            }
            true
        }
        Value::String(text) if !text.is_empty() => {
            // An escaped byte takes up to six: cutting too little only means another round.
            let end = text.floor_char_boundary(text.len().saturating_sub(excess.div_ceil(6)));
            text.truncate(end.min(text.len().saturating_sub(1)));
            true
        }
        Value::Array(_) | Value::String(_) | Value::Object(_) | Value::Null | Value::Bool(_) => false,
        Value::Number(_) => false,
    }
}

/// Size as JSON.
fn bytes<T: serde::Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tidegate_core::sequence::Finding;

    #[test]
    fn a_result_over_every_bound_is_cut_and_says_so() {
        let long = "é\u{0}".repeat(40_000);
        let mut data = Map::new();
        data.insert("list".into(), json!(vec!["x".repeat(100); 2_000]));
        data.insert("text".into(), json!(long));
        data.insert("count".into(), json!(7));
        let output = Output { head: long.clone(), tail: long.clone(), bytes: 240_000, ..Output::default() };
        let result = enforce(StepResult {
            summary: format!("a\nb{long}"),
            finding: Finding::None,
            data,
            output: output.clone(),
            error_output: Some(output),
        });
        assert!(result.summary.len() <= SUMMARY_BYTES_MAX && result.summary.starts_with("a bé "));
        assert!(result.summary.ends_with('…'));
        assert!(bytes(&result.data) <= DATA_BYTES_MAX, "{}", bytes(&result.data));
        assert_eq!(result.data["count"], 7);
        assert!(result.data[DROPPED_KEY].as_u64().unwrap() > 300_000);
        for output in [&result.output, result.error_output.as_ref().unwrap()] {
            assert!(output.head.len() <= OUTPUT_END_BYTES_MAX && output.tail.len() <= OUTPUT_END_BYTES_MAX);
            assert_eq!(output.dropped_bytes as usize, 240_000 - output.head.len() - output.tail.len());
        }
        assert!(bytes(&result) <= tidegate_core::journal::BODY_BYTES_MAX);
    }

    #[test]
    fn a_result_within_bounds_stays_as_it_is() {
        let result = StepResult {
            summary: "fine".into(),
            finding: Finding::Ok,
            data: Map::new(),
            output: Output { head: "text".into(), bytes: 4, ..Output::default() },
            error_output: None,
        };
        assert_eq!(enforce(result.clone()), result);
    }
}
