//! Values in, a sequence out. Pages, the API and the command line all fill here.
//!
//! A text that others choose must not become part of a program. In a `shell` step's command a value is therefore one
//! plain word or it is refused; it is never quoted, because what quoting needs depends on a shell (`sh`, `cmd.exe`) and
//! on quotes that stand around the placeholder, and both are unknown here.

use serde_json::{Map, Value};

use crate::sequence::{SequenceSpec, SpecError, StepSpec};

use super::check::PlaybookError;
use super::placeholder::{Malformed, Piece, pieces};
use super::spec::{NAME_BYTES_MAX, PlaybookSpec};

/// The probe whose text a shell reads.
pub const SHELL_PROBE: &str = "shell";

/// Why a playbook cannot be filled with these values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The playbook itself does not hold together.
    #[error("the playbook does not hold: {0}")]
    Playbook(#[from] PlaybookError),
    /// A value that no parameter takes.
    #[error("there is no parameter `{parameter}`; this playbook has: {declared}")]
    Unknown {
        /// The name given.
        parameter: String,
        /// The names there are.
        declared: String,
    },
    /// A parameter that must be given.
    #[error("parameter `{parameter}` is missing: it must be {expected}{about}")]
    Missing {
        /// Which.
        parameter: String,
        /// What would do.
        expected: String,
        /// What it means, behind a separator; may be empty.
        about: String,
    },
    /// A value of another kind or out of bounds.
    #[error("parameter `{parameter}` must be {expected}")]
    Invalid {
        /// Which.
        parameter: String,
        /// What would do.
        expected: String,
    },
    /// A text that a shell would read as more than a word.
    #[error(
        "parameter `{parameter}` stands in the command of step {step}, so it must be one plain word: letters, digits and \
         . _ : / \\ @ -, not beginning with - or @ and not ending with \\"
    )]
    ShellWord {
        /// Which.
        parameter: String,
        /// The step, counted from 1.
        step: usize,
    },
    /// With these values the sequence goes out of bounds.
    #[error("with these values the sequence does not hold: {0}")]
    Sequence(#[from] SpecError),
}

/// Makes the sequence that `playbook` becomes with `values`. `null` counts as not given. The sequence says nothing of
/// where it came from; whoever knows the playbook's id adds that.
///
/// # Errors
///
/// [`FillError`], which names the parameter and what it accepts.
pub fn fill(playbook: &PlaybookSpec, values: &Map<String, Value>) -> Result<SequenceSpec, FillError> {
    playbook.check()?;
    let values = resolve(playbook, values)?;
    let title = match &playbook.title {
        Some(title) => text_filled(title, &values).map_err(|malformed| malformed_in("`title`", malformed))?,
        None => playbook.name.clone(),
    };
    let mut steps = Vec::with_capacity(playbook.steps.len());
    for (index, step) in playbook.steps.iter().enumerate() {
        steps.push(step_filled(step, index + 1, &values)?);
    }
    let spec = SequenceSpec { title: Some(title), steps, ..playbook.as_sequence() };
    spec.check_bounds()?;
    Ok(spec)
}

/// Whether every shell we know reads `text` as one word that is nothing but itself: no quotes, variables, separators,
/// redirections, wildcards or blanks. It must not begin like an option, and not end with what would take the meaning from
/// the character behind it.
pub(super) fn is_shell_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/\\@-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with(['-', '@']) && !text.ends_with('\\')
}

/// A parameter's name and its value; `None`: left out.
type Resolved<'a> = Vec<(&'a str, Option<Value>)>;

fn resolve<'a>(playbook: &'a PlaybookSpec, values: &Map<String, Value>) -> Result<Resolved<'a>, FillError> {
    if let Some(unknown) = values.keys().find(|key| playbook.parameter(key).is_none()) {
        return Err(FillError::Unknown {
            parameter: unknown.chars().take(NAME_BYTES_MAX).collect(),
            declared: playbook.declared(),
        });
    }
    let mut resolved = Vec::with_capacity(playbook.parameters.len());
    for parameter in &playbook.parameters {
        let given = values.get(&parameter.name).filter(|value| !value.is_null());
        if given.is_some_and(|value| !parameter.accepts(value)) {
            return Err(FillError::Invalid {
                parameter: parameter.name.clone(),
                expected: parameter.expected(),
            });
        }
        let value = given.or(parameter.default.as_ref());
        if value.is_none() && parameter.required {
            let about = match parameter.about.as_str() {
                "" => String::new(),
                about => format!(" ({})", about.trim_end_matches('.')),
            };
            return Err(FillError::Missing {
                parameter: parameter.name.clone(),
                expected: parameter.expected(),
                about,
            });
        }
        resolved.push((parameter.name.as_str(), value.cloned()));
    }
    Ok(resolved)
}

fn step_filled(step: &StepSpec, number: usize, values: &Resolved<'_>) -> Result<StepSpec, FillError> {
    if step.probe == SHELL_PROBE {
        check_shell(step, number, values)?;
    }
    let mut with = Map::new();
    for (key, value) in &step.with {
        let filled = value_filled(value, values)
            .map_err(|malformed| malformed_in(&format!("step {number}"), malformed))?;
        if let Some(filled) = filled {
            with.insert(key.clone(), filled);
        }
    }
    Ok(StepSpec { with, ..step.clone() })
}

/// Refuses every text that a shell would read as more than a word, wherever in the step it stands.
fn check_shell(step: &StepSpec, number: usize, values: &Resolved<'_>) -> Result<(), FillError> {
    let mut texts = Vec::new();
    step.with.values().for_each(|value| super::placeholder::texts(value, &mut texts));
    for text in texts {
        for piece in pieces(text).map_err(|malformed| malformed_in(&format!("step {number}"), malformed))? {
            let Piece::Placeholder(name) = piece else { continue };
            let value = value_of(name, values).and_then(Value::as_str);
            if value.is_some_and(|text| !is_shell_word(text)) {
                return Err(FillError::ShellWord { parameter: name.to_owned(), step: number });
            }
        }
    }
    Ok(())
}

/// A value with its placeholders filled; `None` where it was one that is left out.
fn value_filled(value: &Value, values: &Resolved<'_>) -> Result<Option<Value>, Malformed> {
    Ok(match value {
        Value::String(text) => match pieces(text)?.as_slice() {
            // Alone it keeps its type: `count: "{{count}}"` is a number.
            [Piece::Placeholder(name)] => value_of(name, values).cloned(),
            _ => Some(Value::String(text_filled(text, values)?)),
        },
        Value::Array(items) => {
            let mut filled = Vec::with_capacity(items.len());
            for item in items {
                filled.extend(value_filled(item, values)?);
            }
            Some(Value::Array(filled))
        }
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, field) in fields {
                if let Some(field) = value_filled(field, values)? {
                    filled.insert(key.clone(), field);
                }
            }
            Some(Value::Object(filled))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
    })
}

fn text_filled(text: &str, values: &Resolved<'_>) -> Result<String, Malformed> {
    let mut filled = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder(name) => match value_of(name, values) {
                Some(Value::String(text)) => filled.push_str(text),
                Some(other) => filled.push_str(&other.to_string()),
                None => {}
            },
        }
    }
    Ok(filled)
}

fn value_of<'a>(name: &str, values: &'a Resolved<'_>) -> Option<&'a Value> {
    values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_ref())
}

fn malformed_in(place: &str, Malformed(text): Malformed) -> FillError {
    PlaybookError::Placeholder { place: place.to_owned(), text }.into()
}
