//! A playbook as it is written: one shape in YAML files and in JSON alike.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::id::PlaybookId;
use crate::probe::ArgumentKind;
use crate::sequence::{StepSpec, StopOn};
use crate::time::Milliseconds;

/// Longest name of a playbook in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// Longest text in bytes that says what a playbook is for.
pub const ABOUT_BYTES_MAX: usize = 1_000;
/// Most parameters of a playbook: a form that nobody fills in at night is longer than this.
pub const PARAMETERS_MAX: usize = 30;
/// Longest name of a parameter in bytes.
pub const PARAMETER_NAME_BYTES_MAX: usize = 40;
/// Longest text in bytes that says what a parameter means.
pub const PARAMETER_ABOUT_BYTES_MAX: usize = 300;
/// Most words of a choice, and the bytes of one.
pub const OPTIONS_MAX: usize = 30;
/// The longest a text parameter may be declared, in bytes.
pub const TEXT_BYTES_MAX: u32 = 4_096;
/// The longest a text may be whose parameter names no `bytes_max`, in bytes: a DNS name has 253.
pub const TEXT_BYTES_DEFAULT: u32 = 253;
/// Largest playbook as JSON, in bytes: half of what a sequence may have, since values come on top.
pub const PLAYBOOK_BYTES_MAX: usize = 128 * 1024;

/// A playbook as written by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookSpec {
    /// What people call it, 1 to [`NAME_BYTES_MAX`] bytes; unique, whatever the case of its letters.
    pub name: String,
    /// What it is for and when to use it, up to [`ABOUT_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// What is asked before it runs, up to [`PARAMETERS_MAX`]; each stands somewhere as `{{name}}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// The sequence's title, may hold placeholders; absent: the playbook's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What ends the sequence early; absent: as with every sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_on: Option<StopOn>,
    /// How long after queueing it may still start; absent: as with every sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Milliseconds>,
    /// The steps; every text under `with` may hold placeholders.
    pub steps: Vec<StepSpec>,
}

/// Something that is asked before a playbook runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenParameter", into = "WrittenParameter")]
pub struct Parameter {
    /// What placeholders call it: a lower-case letter, then letters, digits and underscores.
    pub name: String,
    /// What it means, for whoever fills it in.
    pub about: String,
    /// What it accepts. Texts are one line.
    pub kind: ArgumentKind,
    /// What counts where nothing is given. `None` for one that is not required: the argument that it stands for is
    /// then left out.
    pub default: Option<Value>,
    /// A value that makes sense, for forms and help; never used by itself.
    pub example: Option<Value>,
    /// Whether it must be given; one with a default is not.
    pub required: bool,
}

/// Which playbook a sequence was made from, as whoever made it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookOrigin {
    /// Which.
    pub id: PlaybookId,
    /// What it was called then, 1 to [`NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// Which version of it, from 1.
    pub version: u64,
}

impl PlaybookSpec {
    /// The parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// A value for every parameter that has a default or, failing that, an example: for previews, estimates and tests.
    pub fn examples(&self) -> Map<String, Value> {
        let value = |parameter: &Parameter| parameter.default.clone().or(parameter.example.clone());
        self.parameters
            .iter()
            .filter_map(|parameter| Some((parameter.name.clone(), value(parameter)?)))
            .collect()
    }
}

impl Parameter {
    /// Whether `value` is of its kind and within its bounds.
    pub fn accepts(&self, value: &Value) -> bool {
        self.kind.accepts(value) && !value.as_str().is_some_and(|text| text.contains(char::is_control))
    }

    /// What it accepts, in words that complete "must be …".
    pub fn expected(&self) -> String {
        match &self.kind {
            ArgumentKind::Text { bytes_max } => format!("one line of text, 1 to {bytes_max} bytes"),
            ArgumentKind::Integer { .. } | ArgumentKind::Boolean | ArgumentKind::Choice { .. } => {
                self.kind.expected()
            }
        }
    }

    /// What a person typed, as a value of its kind; `null`, which counts as not given, for nothing. A text that is not
    /// of the kind stays text, so that [`super::fill`] can say what would do.
    pub fn read(&self, text: &str) -> Value {
        match text {
            "" => Value::Null,
            text => self.kind.read(text),
        }
    }
}

/// The words of `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindWord {
    Text,
    Integer,
    Boolean,
    Choice,
}

/// Something that is asked before a playbook runs.
// Flat, so that unknown fields and bounds of another kind are refused: serde cannot do that beside a flattened enum.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct WrittenParameter {
    /// What placeholders call it: a lower-case letter, then letters, digits and underscores; up to 40 bytes.
    name: String,
    /// What it means, for whoever fills it in; up to 300 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    /// What it accepts.
    kind: KindWord,
    /// Of a `text`: how long it may be, 1 to 4,096 bytes; absent: 253.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes_max: Option<u32>,
    /// Of an `integer`: the smallest; always given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    /// Of an `integer`: the largest; always given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
    /// Of a `choice`: the words, 1 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Vec<String>>,
    /// What counts where nothing is given; absent: the argument that it stands for is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    /// A value that makes sense, for forms and help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    example: Option<Value>,
    /// Whether it must be given; one with a default is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    required: bool,
}

impl TryFrom<WrittenParameter> for Parameter {
    type Error = String;

    fn try_from(written: WrittenParameter) -> Result<Self, String> {
        let WrittenParameter { name, about, kind, bytes_max, min, max, options, default, example, required } =
            written;
        let kind = match (kind, bytes_max, (min, max), options) {
            (KindWord::Text, bytes_max, (None, None), None) => {
                ArgumentKind::Text { bytes_max: bytes_max.unwrap_or(TEXT_BYTES_DEFAULT) }
            }
            (KindWord::Integer, None, (Some(min), Some(max)), None) => ArgumentKind::Integer { min, max },
            (KindWord::Boolean, None, (None, None), None) => ArgumentKind::Boolean,
            (KindWord::Choice, None, (None, None), Some(options)) => ArgumentKind::Choice { options },
            (_, _, _, _) => {
                let shown: String = name.chars().take(PARAMETER_NAME_BYTES_MAX).collect();
                return Err(format!(
                    "parameter `{shown}`: a `text` may have `bytes_max`, an `integer` has `min` and `max`, a `choice` \
                     has `options`, and none has those of another kind"
                ));
            }
        };
        Ok(Self { name, about, kind, default, example, required })
    }
}

impl From<Parameter> for WrittenParameter {
    fn from(parameter: Parameter) -> Self {
        let Parameter { name, about, kind, default, example, required } = parameter;
        let word = match kind {
            ArgumentKind::Text { .. } => KindWord::Text,
            ArgumentKind::Integer { .. } => KindWord::Integer,
            ArgumentKind::Boolean => KindWord::Boolean,
            ArgumentKind::Choice { .. } => KindWord::Choice,
        };
        let mut written = Self {
            name,
            about,
            kind: word,
            bytes_max: None,
            min: None,
            max: None,
            options: None,
            default,
            example,
            required,
        };
        match kind {
            ArgumentKind::Text { bytes_max } => written.bytes_max = Some(bytes_max),
            ArgumentKind::Integer { min, max } => (written.min, written.max) = (Some(min), Some(max)),
            ArgumentKind::Boolean => {}
            ArgumentKind::Choice { options } => written.options = Some(options),
        }
        written
    }
}

impl utoipa::PartialSchema for Parameter {
    fn schema() -> RefOr<Schema> {
        WrittenParameter::schema()
    }
}

impl utoipa::ToSchema for Parameter {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("KindWord".to_owned(), <KindWord as utoipa::PartialSchema>::schema()));
    }
}
