//! How `{{name}}` reads in a text: the only rule there is, so that a playbook needs no language.
//!
//! Spaces inside the braces do not count. `{{{{` stands for a literal `{{`; `}}` outside a placeholder is itself. Any
//! other `{{` is a mistake and refused, since a misspelt placeholder must not reach a machine as text.

use serde_json::Value;

use super::spec::PARAMETER_NAME_BYTES_MAX;

/// Longest part of a text that an error repeats, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// The value of the parameter of this name.
    Placeholder(&'a str),
}

/// A `{{` that begins no placeholder; the text from there on, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

/// Takes a text apart. Empty for an empty text.
///
/// # Errors
///
/// [`Malformed`] for `{{` without `}}`, or with something between that is no parameter's name.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        if let Some(after) = from.strip_prefix("{{{{") {
            pieces.push(Piece::Text(&from[..2]));
            rest = after;
            continue;
        }
        let malformed = || Malformed(from.chars().take(SHOWN_CHARACTERS_MAX).collect());
        let (inside, after) = from[2..].split_once("}}").ok_or_else(malformed)?;
        let name = inside.trim_matches(' ');
        if !is_name(name) {
            return Err(malformed());
        }
        pieces.push(Piece::Placeholder(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Whether a parameter can be called so.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= PARAMETER_NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Every text within a value, keys of objects not counted.
pub(super) fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_and_braces_can_be_written() {
        use Piece::{Placeholder as P, Text as T};
        for (text, expected) in [
            ("", vec![]),
            ("plain", vec![T("plain")]),
            ("{{a}}", vec![P("a")]),
            ("{{ a_1 }}", vec![P("a_1")]),
            ("x{{a}}{{b}}y", vec![T("x"), P("a"), P("b"), T("y")]),
            ("{\"a\":{{a}}}", vec![T("{\"a\":"), P("a"), T("}")]),
            ("{{{{.Names}}", vec![T("{{"), T(".Names}}")]),
            ("{{{{{{a}}", vec![T("{{"), P("a")]),
            ("a } b { c }}", vec![T("a } b { c }}")]),
        ] {
            assert_eq!(pieces(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_misspelt_placeholder_is_refused_and_not_passed_on_as_text() {
        for text in
            ["{{", "a {{b", "{{}}", "{{A}}", "{{a b}}", "{{1a}}", "{{_a}}", "{{{a}}}", "{{é}}", "{{a}"]
        {
            assert!(pieces(text).is_err(), "{text}");
        }
        let Err(Malformed(shown)) = pieces(&format!("x {{{{{}", "é".repeat(5_000))) else { panic!("read") };
        assert_eq!(shown.chars().count(), SHOWN_CHARACTERS_MAX);
    }
}
