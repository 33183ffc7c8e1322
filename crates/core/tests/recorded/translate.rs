//! A recorded message as its sender would have sent it today: with the ids and hashes that it was given today.
//!
//! Where nothing differs these are the recorded bytes. Otherwise hashes are computed and signatures made again, with the
//! keys that all stories share. [`Translation::is_extended`] also adds a field that nobody knows to every object that may
//! grow, as a newer sender would.

use serde_json::{Value, json};
use tidegate_core::digest::Digest;

use crate::compare::{envelope, feed};
use crate::keys;
use crate::known::Known;

/// Objects whose names people choose, and the one object whose unknown fields are refused.
const NOT_EXTENDED: [&str; 5] = ["facts", "with", "data", "example", "policy"];

pub(crate) struct Translation<'a> {
    pub(crate) known: &'a mut Known,
    /// Whether to add a field of tomorrow to every object.
    pub(crate) is_extended: bool,
}

impl Translation<'_> {
    /// Translates a body of JSON lines.
    pub(crate) fn body(&mut self, recorded: &[u8]) -> Vec<u8> {
        let recorded = String::from_utf8(recorded.to_vec()).expect("bodies are text");
        let translated =
            if self.known.is_same() && !self.is_extended { recorded.clone() } else { self.lines(&recorded) };
        for (old, new) in recorded.lines().zip(translated.lines()) {
            if let (Ok(old), Ok(new)) = (serde_json::from_str(old), serde_json::from_str(new)) {
                feed(self.known, &old, &new);
            }
        }
        translated.into_bytes()
    }

    fn lines(&mut self, recorded: &str) -> String {
        let mut lines = recorded.split('\n');
        let first = lines.next().unwrap_or_default();
        let content: Vec<&str> = lines.collect();
        if content.is_empty() {
            return self.line(first);
        }
        let translated = self.content(&content).join("\n");
        let _ = self.known.learn_digests(content.join("\n").as_bytes(), translated.as_bytes());
        format!("{}\n{translated}", self.line(first))
    }

    /// Translates what follows the first line. A header comes with its body, whose digest it holds.
    fn content(&mut self, lines: &[&str]) -> Vec<String> {
        let mut translated = Vec::new();
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            let value: Value = serde_json::from_str(line).expect("lines are JSON");
            let Some(link) = value.get("link") else {
                translated.push(self.line(line));
                continue;
            };
            let old_body = *lines.next().expect("a header comes with a body");
            let body = self.line(old_body);
            let salt = self.known.apply(link["salt"].as_str().unwrap());
            let salt = data_encoding::HEXLOWER.decode(salt.as_bytes()).unwrap();
            let digest = Digest::of_parts(&[&salt, body.as_bytes()]).to_string();
            let _ = self.known.learn(link["body"].as_str().unwrap(), &digest);
            let header = self.line(line);
            let _ = self.known.learn_digests(line.as_bytes(), header.as_bytes());
            translated.extend([header, body]);
        }
        translated
    }

    /// Translates one JSON text, and keeps its exact form where nothing of it differs.
    fn line(&mut self, text: &str) -> String {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return self.known.apply(text) };
        let translated = self.value(&value, true);
        if translated == value { text.to_owned() } else { translated.to_string() }
    }

    fn value(&mut self, value: &Value, may_extend: bool) -> Value {
        match value {
            Value::Object(fields) => {
                let mut object = match envelope(value) {
                    Some(_) => self.envelope(value),
                    None => {
                        let mut object = serde_json::Map::new();
                        // An order names its work by the digest, so the work comes first.
                        let is_work = |name: &str| name == "work";
                        let ordered = fields
                            .iter()
                            .filter(|(name, _)| is_work(name))
                            .chain(fields.iter().filter(|(name, _)| !is_work(name)));
                        for (name, value) in ordered {
                            let may_extend = may_extend && !NOT_EXTENDED.contains(&name.as_str());
                            object.insert(name.clone(), self.value(value, may_extend));
                        }
                        object
                    }
                };
                if self.is_extended && may_extend {
                    object.insert("of_tomorrow".to_owned(), json!({ "figures": [1, 2] }));
                }
                Value::Object(object)
            }
            Value::Array(values) => values.iter().map(|value| self.value(value, may_extend)).collect(),
            Value::String(text) => self.known.apply(text).into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// The envelope as it came today, or with a translated payload and a signature over it.
    fn envelope(&mut self, value: &Value) -> serde_json::Map<String, Value> {
        let recorded = envelope(value).expect("an envelope");
        let mut object = value.as_object().expect("an envelope is an object").clone();
        let payload = String::from_utf8(recorded.payload_bytes().unwrap()).unwrap();
        let (payload, sig) =
            match (self.known.get(&recorded.payload), self.known.get(&recorded.signatures[0].sig)) {
                (Some(payload), Some(sig)) => (payload.to_owned(), sig.to_owned()),
                _ => {
                    let translated = self.line(&payload);
                    let again = keys::sign_again(&recorded, &translated);
                    let sig = again.signatures[0].sig.clone();
                    let _ = self.known.learn(&recorded.payload, &again.payload);
                    let _ = self.known.learn(&recorded.signatures[0].sig, &sig);
                    let _ = self.known.learn_digests(payload.as_bytes(), translated.as_bytes());
                    (again.payload, sig)
                }
            };
        object.insert("payload".to_owned(), payload.into());
        object["signatures"][0]["sig"] = sig.into();
        object
    }
}
