//! Playbooks as YAML text: what `import`, `export` and the pages' upload and download read and write.
//!
//! It is here and not with the command line because the control plane reads such files too, and there they are hostile.

use core::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::check::PlaybookError;
use super::spec::{PLAYBOOK_BYTES_MAX, PlaybookSpec};

/// Longest file in bytes: a playbook at its bound, generously commented.
pub const YAML_BYTES_MAX: usize = 2 * PLAYBOOK_BYTES_MAX;
/// How much a file may stand for, in bytes and values, once its references (`*name`) are followed. Without references a
/// file stands for hardly more than itself; with them a few lines can stand for gigabytes.
const EXPANDED_MAX: usize = 2 * YAML_BYTES_MAX;

/// Most brackets that open, whether they mean something or are part of a text: which, only the parser knows, and it looks
/// at every one that stands open again with each word that follows. Without a bound a file of brackets takes it minutes.
const BRACKETS_MAX: usize = 1_000;
/// Most directives that name a prefix of tags. A playbook has no tags, and each prefix is compared with all before it.
const TAG_DIRECTIVES_MAX: usize = 16;

/// Why a text is not a playbook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Too long, by itself or once its references are followed.
    #[error("a playbook's file has at most {YAML_BYTES_MAX} bytes, its references followed")]
    Bytes,
    /// More brackets than a playbook needs.
    #[error(
        "a playbook's file has at most {BRACKETS_MAX} opening brackets (`[` and `{{`), those in its texts included"
    )]
    Brackets,
    /// No YAML, or not of a playbook's shape.
    #[error("{message}")]
    Shape {
        /// What is wrong, with line and column where they are known.
        message: String,
        /// The line it is at, from 1, where it is known.
        line: Option<usize>,
    },
    /// A playbook that does not hold together.
    #[error("{0}")]
    Playbook(#[from] PlaybookError),
}

/// Reads one playbook.
///
/// # Errors
///
/// [`YamlError`].
pub fn read(text: &str) -> Result<PlaybookSpec, YamlError> {
    if text.len() > YAML_BYTES_MAX {
        return Err(YamlError::Bytes);
    }
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > BRACKETS_MAX {
        return Err(YamlError::Brackets);
    }
    if text.lines().filter(|line| line.starts_with("%TAG")).count() > TAG_DIRECTIVES_MAX {
        return Err(YamlError::Shape {
            message: "a playbook is plain YAML without tags".to_owned(),
            line: None,
        });
    }
    let mut left = EXPANDED_MAX;
    let walked = Walk(&mut left).deserialize(serde_norway::Deserializer::from_str(text));
    if left == 0 {
        return Err(YamlError::Bytes);
    }
    let spec = walked.and_then(|()| serde_norway::from_str::<PlaybookSpec>(text));
    let spec = spec.map_err(|error| shape(text, &error))?;
    spec.check()?;
    Ok(spec)
}

/// Writes a playbook so that [`read`] gives the same.
pub fn write(spec: &PlaybookSpec) -> String {
    serde_norway::to_string(spec).expect("a playbook has texts as keys and nothing that YAML cannot say")
}

fn shape(text: &str, error: &serde_norway::Error) -> YamlError {
    // `host: {{name}}` is a mapping to YAML, and what the parser says of it helps nobody.
    let unquoted = text.lines().any(|line| line.contains(": {{"));
    let hint = if unquoted { "; a placeholder is written between quotes: \"{{name}}\"" } else { "" };
    YamlError::Shape { message: format!("{error}{hint}"), line: error.location().map(|place| place.line()) }
}

/// Follows every reference of a document, keeps nothing, and stops when what it stands for is used up.
struct Walk<'a>(&'a mut usize);

impl Walk<'_> {
    fn spend<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        *self.0 = self.0.saturating_sub(bytes + 1);
        if *self.0 == 0 { Err(E::custom("it stands for too much")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("plain YAML without tags")
    }

    fn visit_bool<E: serde::de::Error>(mut self, _: bool) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_i64<E: serde::de::Error>(mut self, _: i64) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_u64<E: serde::de::Error>(mut self, _: u64) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_f64<E: serde::de::Error>(mut self, number: f64) -> Result<(), E> {
        // JSON has no such numbers, so what was read could not be written.
        if number.is_finite() { self.spend(1) } else { Err(E::custom("numbers are finite")) }
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.spend(text.len())
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_none<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.spend(1)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.spend::<A::Error>(1)?;
        while items.next_element_seed(Walk(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.spend::<A::Error>(1)?;
        while fields.next_key_seed(Walk(self.0))?.is_some() {
            fields.next_value_seed(Walk(self.0))?;
        }
        Ok(())
    }
}
