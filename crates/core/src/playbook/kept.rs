//! A sequence in, a playbook out: what proved itself on one machine is kept for the next.

use serde_json::Value;

use crate::sequence::{SequenceSpec, StepSpec};

use super::spec::PlaybookSpec;

/// The playbook without parameters that becomes `sequence` again. Times that made sense once (`expires_at`,
/// `not_before`) are left out. Whether it holds is judged when it is saved.
pub fn of_sequence(sequence: &SequenceSpec, name: String, about: String) -> PlaybookSpec {
    let title = sequence.title.as_deref().map(literal).filter(|title| *title != name);
    PlaybookSpec {
        name,
        about,
        parameters: Vec::new(),
        title,
        stop_on: sequence.stop_on,
        expires_in: sequence.expires_in,
        steps: sequence.steps.iter().map(step_kept).collect(),
    }
}

fn step_kept(step: &StepSpec) -> StepSpec {
    let with = step.with.iter().map(|(name, value)| (name.clone(), value_kept(value))).collect();
    StepSpec { with, ..step.clone() }
}

fn value_kept(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(literal(text)),
        Value::Array(items) => Value::Array(items.iter().map(value_kept).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), value_kept(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// `text` written so that nothing in it is read as a placeholder, as with `docker ps --format '{{.Names}}'`.
fn literal(text: &str) -> String {
    text.replace("{{", "{{{{")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::playbook::fill;

    fn sequence(command: &str) -> SequenceSpec {
        serde_json::from_value(json!({
            "title": "Names {{of}} it", "stop_on": "attention", "not_before": "2026-11-23T14:00:00Z",
            "steps": [
                { "probe": "shell", "with": { "command": command, "more": [{ "deep": command }] }, "timeout": "30s" },
                { "probe": "ping", "with": { "host": "hmi", "count": 4 }, "rerun": true },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn what_was_kept_becomes_the_same_steps_again() {
        let asked = sequence("docker ps --format '{{.Names}}'");
        let kept = of_sequence(&asked, "Names".to_owned(), String::new());
        let again = fill(&kept, &Map::new()).unwrap();
        assert_eq!(again, SequenceSpec { not_before: None, ..asked });
    }

    #[test]
    fn a_title_that_is_the_name_is_said_once() {
        let mut asked = sequence("true");
        asked.title = Some("Names".to_owned());
        assert_eq!(of_sequence(&asked, "Names".to_owned(), String::new()).title, None);
    }

    proptest! {
        #[test]
        fn no_text_is_read_as_a_placeholder(command in "[{}a.]{0,12}") {
            let asked = sequence(&command);
            let kept = of_sequence(&asked, "Names".to_owned(), String::new());
            prop_assert_eq!(fill(&kept, &Map::new()).unwrap().steps, asked.steps);
        }
    }
}
