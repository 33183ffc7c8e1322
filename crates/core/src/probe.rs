//! What a probe is, as data: its name, risk, arguments and bounds.
//!
//! The program on the endpoint owns its probes and publishes this catalogue of them. The control plane
//! judges a draft against the catalogue of the very machine it is for, so a runtime of another version
//! needs no new control plane, and an unknown probe or field is refused before it is queued.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most probes a catalogue may name; the rest of a hostile one is refused.
pub const PROBES_MAX: usize = 128;
/// Longest name of a probe or argument in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Largest arguments of one step as JSON, in bytes.
pub const ARGUMENTS_BYTES_MAX: usize = 32 * 1024;

/// Whether a probe can change the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// It cannot change the machine: people read "check".
    Observe,
    /// It can: people read "action".
    Change,
}

/// The probes of one runtime, in the order people see them.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(pub Vec<ProbeSpec>);

/// One probe as people and forms see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// What sequences call it: lower case with underscores.
    pub name: String,
    /// One sentence that says what it asks or does.
    pub about: String,
    /// Whether it can change the machine.
    pub risk: Risk,
    /// Its arguments, the required ones first.
    pub arguments: Vec<ArgumentSpec>,
    /// Arguments that make sense, for forms and help.
    pub example: Map<String, Value>,
}

/// One argument of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArgumentSpec {
    /// Its key under `with`.
    pub name: String,
    /// One sentence, with the unit where it is a number.
    pub about: String,
    /// What it accepts.
    #[serde(flatten)]
    pub kind: ArgumentKind,
    /// Whether a step must give it.
    pub required: bool,
    /// What counts where a step does not give it; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// What an argument accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ArgumentKind {
    /// Text without NUL, not empty.
    Text {
        /// Longest in bytes.
        bytes_max: u32,
    },
    /// A whole number, both bounds included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// True or false.
    Boolean,
    /// One of a few words.
    Choice {
        /// The words.
        options: Vec<String>,
    },
}

/// Why a step does not fit the catalogue. Each names the place, so that a form can show it there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// No probe of that name.
    #[error("unknown probe `{probe}`; this runtime has: {known}")]
    UnknownProbe {
        /// The name given.
        probe: String,
        /// The names it could have been.
        known: String,
    },
    /// No argument of that name.
    #[error("`{probe}` has no argument `{argument}`; it has: {known}")]
    UnknownArgument {
        /// The probe.
        probe: String,
        /// The name given.
        argument: String,
        /// The names it could have been.
        known: String,
    },
    /// A required argument is not there.
    #[error("`{probe}` needs `{argument}`: {about}")]
    Missing {
        /// The probe.
        probe: String,
        /// The argument.
        argument: String,
        /// What it means.
        about: String,
    },
    /// An argument of the wrong type or out of bounds.
    #[error("`{argument}` of `{probe}` must be {expected}")]
    Invalid {
        /// The probe.
        probe: String,
        /// The argument.
        argument: String,
        /// What would do.
        expected: String,
    },
}

impl Catalogue {
    /// The probe called `name`.
    pub fn find(&self, name: &str) -> Option<&ProbeSpec> {
        self.0.iter().find(|probe| probe.name == name)
    }

    /// Judges the arguments of one step.
    ///
    /// # Errors
    ///
    /// The first [`ArgumentError`] in the order of the arguments.
    pub fn check(&self, probe: &str, with: &Map<String, Value>) -> Result<Risk, ArgumentError> {
        let Some(spec) = self.find(probe) else {
            return Err(ArgumentError::UnknownProbe {
                probe: probe.chars().take(NAME_BYTES_MAX).collect(),
                known: join(self.0.iter().map(|probe| probe.name.as_str())),
            });
        };
        spec.check(with).map(|()| spec.risk)
    }

    /// Whether the catalogue itself stays within bounds: it comes from a machine and is hostile until read.
    pub fn is_bounded(&self) -> bool {
        self.0.len() <= PROBES_MAX && serde_json::to_string(self).is_ok_and(|text| text.len() <= 256 * 1024)
    }
}

impl ProbeSpec {
    /// Judges `with`: every argument known, of its kind, within bounds, the required ones there.
    ///
    /// # Errors
    ///
    /// The first [`ArgumentError`].
    pub fn check(&self, with: &Map<String, Value>) -> Result<(), ArgumentError> {
        if let Some(unknown) = with.keys().find(|key| self.arguments.iter().all(|known| known.name != **key))
        {
            return Err(ArgumentError::UnknownArgument {
                probe: self.name.clone(),
                argument: unknown.chars().take(NAME_BYTES_MAX).collect(),
                known: join(self.arguments.iter().map(|argument| argument.name.as_str())),
            });
        }
        for argument in &self.arguments {
            match with.get(&argument.name) {
                None if argument.required => {
                    return Err(ArgumentError::Missing {
                        probe: self.name.clone(),
                        argument: argument.name.clone(),
                        about: argument.about.clone(),
                    });
                }
                Some(value) if !argument.kind.accepts(value) => {
                    return Err(ArgumentError::Invalid {
                        probe: self.name.clone(),
                        argument: argument.name.clone(),
                        expected: argument.kind.expected(),
                    });
                }
                None | Some(_) => {}
            }
        }
        Ok(())
    }
}

impl ArgumentKind {
    /// Whether `value` is of this kind and within its bounds.
    pub fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Text { bytes_max } => value.as_str().is_some_and(|text| {
                !text.is_empty() && text.len() <= *bytes_max as usize && !text.contains('\0')
            }),
            Self::Integer { min, max } => {
                value.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            Self::Boolean => value.is_boolean(),
            Self::Choice { options } => {
                value.as_str().is_some_and(|text| options.iter().any(|option| option == text))
            }
        }
    }

    /// What a person typed, as a value of this kind; as text where it is not of it, so that who judges can name the place.
    pub fn read(&self, text: &str) -> Value {
        let read = match self {
            Self::Integer { .. } => text.parse::<i64>().ok().map(Value::from),
            Self::Boolean => match text {
                "true" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Text { .. } | Self::Choice { .. } => None,
        };
        read.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    /// What it accepts, in words that complete "must be …".
    pub fn expected(&self) -> String {
        match self {
            Self::Text { bytes_max } => format!("text of 1 to {bytes_max} bytes without NUL"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Boolean => "true or false".into(),
            Self::Choice { options } => format!("one of {}", join(options.iter().map(String::as_str))),
        }
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.take(PROBES_MAX).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
