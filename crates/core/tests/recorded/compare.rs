//! Whether a message of today holds everything that the recorded one held.
//!
//! Every field must be there again with the same meaning. A further field is allowed where the recorded programs do not
//! know it; one that they know, and that was absent for a reason, is not.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use serde_json::Value;
use tidegate_core::envelope::Envelope;

use crate::keys;
use crate::known::{Known, is_drawn};
use crate::problem::Place;
use crate::story::{Item, Story, recorded_names};

/// Compares one message after the other of a story.
pub(crate) struct Comparison<'a> {
    pub(crate) known: &'a mut Known,
    pub(crate) vocabulary: &'a BTreeSet<String>,
    pub(crate) place: &'a Place,
    pub(crate) problems: Vec<String>,
}

impl Comparison<'_> {
    /// Compares two bodies line by line; `what` begins the name of every field.
    pub(crate) fn bodies(&mut self, what: &str, recorded: &[u8], today: &[u8]) {
        let [recorded, today] = [recorded, today].map(|body| String::from_utf8_lossy(body).into_owned());
        let [old, new] = [&recorded, &today].map(|body| body.lines().collect::<Vec<_>>());
        if old.len() != new.len() {
            let counts = format!("{} lines were recorded, {} are sent today: {today}", old.len(), new.len());
            self.problem(what, &counts);
            return;
        }
        for (old, new) in old.into_iter().zip(new) {
            let (Ok(old_value), Ok(new_value)) = (serde_json::from_str(old), serde_json::from_str(new))
            else {
                self.problem(what, &format!("not JSON: {old} or {new}"));
                continue;
            };
            let field = line_name(what, &old_value);
            self.values(&field, &old_value, &new_value);
            if old_value.get("link").is_some() {
                self.learn(&field, |known| known.learn_digests(old.as_bytes(), new.as_bytes()));
            }
        }
    }

    fn values(&mut self, field: &str, recorded: &Value, today: &Value) {
        match (recorded, today) {
            (Value::Object(_), Value::Object(_)) if envelope(recorded).is_some() => {
                self.envelopes(field, recorded, today);
            }
            (Value::Object(old), Value::Object(new)) => {
                for (name, old) in old {
                    let field = format!("{field}.{name}");
                    match new.get(name) {
                        Some(new) => self.values(&field, old, new),
                        None => self.problem(&field, &format!("recorded as {old}, and missing today")),
                    }
                }
                for (name, new) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                    let field = format!("{field}.{name}");
                    if self.vocabulary.contains(&field) {
                        let what =
                            format!("absent when it was recorded, {new} today: recorded programs act on it");
                        self.problem(&field, &what);
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                for (old, new) in old.iter().zip(new) {
                    self.values(&format!("{field}[]"), old, new);
                }
            }
            (Value::String(old), Value::String(new)) => self.texts(field, old, new),
            // The transcript may tell more of the same story.
            (Value::Number(_), Value::Number(_)) if field.ends_with("<transcript-head>.number") => {}
            (old, new) if old == new => {}
            (old, new) => self.problem(field, &format!("recorded as {old}, {new} today")),
        }
    }

    fn texts(&mut self, field: &str, recorded: &str, today: &str) {
        let is_repeated = self.known.get(recorded).is_some();
        if !is_repeated && is_drawn(recorded) && is_drawn(today) && recorded.len() == today.len() {
            self.learn(field, |known| known.learn(recorded, today));
        } else if self.known.apply(recorded) != today {
            self.problem(field, &format!("recorded as `{recorded}`, `{today}` today"));
        }
    }

    fn envelopes(&mut self, field: &str, recorded: &Value, today: &Value) {
        let Some(old) = envelope(recorded) else { return };
        let Some(new) = envelope(today) else { return self.problem(field, "no envelope today") };
        let field = format!("{field}<{}>", short_type(&old));
        if old.payload_type != new.payload_type {
            return self.problem(&field, &format!("the payload type is `{}` today", new.payload_type));
        }
        if old.signatures[0].keyid != new.signatures.first().map_or("", |signature| &signature.keyid) {
            return self.problem(&field, "signed by another key today");
        }
        if !keys::holds(&new) {
            return self.problem(&field, "the signature does not hold");
        }
        let [old_payload, new_payload] = [&old, &new].map(|envelope| envelope.payload_bytes().unwrap());
        match (serde_json::from_slice(&old_payload), serde_json::from_slice(&new_payload)) {
            (Ok(old), Ok(new)) => self.values(&field, &old, &new),
            _ => return self.problem(&field, "the payload is not JSON"),
        }
        self.learn(&field, |known| {
            known.learn(&old.payload, &new.payload)?;
            known.learn(&old.signatures[0].sig, &new.signatures[0].sig)?;
            known.learn_digests(&old_payload, &new_payload)
        });
    }

    fn learn(&mut self, field: &str, learn: impl FnOnce(&mut Known) -> Result<(), String>) {
        if let Err(conflict) = learn(self.known) {
            self.problem(field, &conflict);
        }
    }

    fn problem(&mut self, field: &str, what: &str) {
        self.problems.push(self.place.problem(field, what));
    }
}

/// Notes the drawn values of a message that the recorded side sent: the other side repeats them as they are.
pub(crate) fn feed(known: &mut Known, recorded: &Value, today: &Value) {
    match (recorded, today) {
        (Value::Object(old), Value::Object(new)) => {
            if let (Some(old), Some(new)) = (envelope(recorded), envelope(today)) {
                let [old, new] =
                    [old, new].map(|envelope| serde_json::from_slice(&envelope.payload_bytes().unwrap()));
                if let (Ok(old), Ok(new)) = (old, new) {
                    feed(known, &old, &new);
                }
                return;
            }
            for (name, old) in old {
                feed(known, old, new.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            old.iter().zip(new).for_each(|(old, new)| feed(known, old, new));
        }
        (Value::String(old), Value::String(new)) if is_drawn(old) => {
            // What was known before stays: it is what this text was made from.
            let _ = known.learn(old, new);
        }
        _ => {}
    }
}

/// The envelope in a JSON value, where there is one.
pub(crate) fn envelope(value: &Value) -> Option<Envelope> {
    value.get("payloadType")?;
    let envelope: Envelope = serde_json::from_value(value.clone()).ok()?;
    (!envelope.signatures.is_empty() && envelope.payload_bytes().is_ok()).then_some(envelope)
}

fn short_type(envelope: &Envelope) -> &str {
    let name =
        envelope.payload_type.strip_prefix("application/vnd.tidegate.").unwrap_or(&envelope.payload_type);
    name.split('.').next().unwrap_or(name)
}

/// What a line of a body is, by its shape.
fn line_name(what: &str, line: &Value) -> String {
    let kind = line.get("kind").and_then(Value::as_str).unwrap_or_default();
    if line.get("link").is_some() {
        "journal header".to_owned()
    } else if line.get("known").is_some() && line.get("number").is_some() {
        "gap".to_owned()
    } else if what == "sync request" && line.get("sequence").is_some() && kind.is_empty() {
        "proof".to_owned()
    } else if kind.is_empty() {
        what.to_owned()
    } else {
        format!("journal body `{kind}`")
    }
}

/// The orders and the work in a line of JSON, as text.
pub(crate) fn orders(line: &str) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        if let Some(envelope) = envelope(value) {
            if !["order", "work", "void"].contains(&short_type(&envelope)) {
                return;
            }
            let bytes = BASE64.decode(envelope.payload.as_bytes()).unwrap();
            found.push(String::from_utf8_lossy(&bytes).into_owned());
        } else if let Value::Object(fields) = value {
            fields.values().for_each(|value| walk(value, found));
        } else if let Value::Array(values) = value {
            values.iter().for_each(|value| walk(value, found));
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(line) {
        walk(&value, &mut found);
    }
    found
}

/// The names of all fields in any recorded message: what the recorded programs know.
pub(crate) fn vocabulary() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for story in recorded_names().iter().filter_map(|name| Story::load(name)) {
        for item in story.0 {
            let Item::Exchange(exchange) = item else { continue };
            let [request, answer] = exchange.names();
            for (what, body) in [(request, exchange.plain_request()), (answer, exchange.answer.clone())] {
                for line in String::from_utf8_lossy(&body).lines() {
                    let Ok(value) = serde_json::from_str(line) else { continue };
                    fields(&line_name(&what, &value), &value, &mut names);
                }
            }
        }
    }
    names
}

fn fields(field: &str, value: &Value, names: &mut BTreeSet<String>) {
    if let Some(envelope) = envelope(value) {
        if let Ok(payload) = serde_json::from_slice(&envelope.payload_bytes().unwrap()) {
            fields(&format!("{field}<{}>", short_type(&envelope)), &payload, names);
        }
        return;
    }
    match value {
        Value::Object(values) => {
            for (name, value) in values {
                let field = format!("{field}.{name}");
                fields(&field, value, names);
                names.insert(field);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(&format!("{field}[]"), value, names)),
        _ => {}
    }
}
