//! What must not come home, in every form in which it could: raw, JSON, hexadecimal, base64, and its digest.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rusqlite::Connection;
use serde_json::Value;
use tidegate_core::digest::Digest;

use super::place::Place;

/// Shortest part of a key that counts as found, in bytes.
const PART_BYTES: usize = 12;

/// One form of one secret.
#[derive(Debug)]
struct Form {
    name: String,
    bytes: Vec<u8>,
    /// Whether the control plane's database holds it because it is its own.
    is_of_control_plane: bool,
}

/// All forms.
#[derive(Debug)]
pub(super) struct Secrets(Vec<Form>);

impl Secrets {
    /// The machine's keys, the control plane's key, and what the denied files hold.
    pub(super) fn of(state: &Path, data: &Path, place: &Place) -> anyhow::Result<Self> {
        let mut secrets = Self(Vec::new());
        let identity: Value = serde_json::from_str(&read_text(
            &state.join("state.db"),
            "SELECT value FROM document WHERE name = 'identity'",
        )?)?;
        for name in ["signing_seed", "sealing_seed"] {
            let seed: Vec<u8> = serde_json::from_value(identity[name].clone())
                .with_context(|| format!("the identity has a {name}"))?;
            secrets.add(name, &seed, false);
        }
        let order_seed: Vec<u8> = Connection::open(data.join("tidegate.db"))?.query_row(
            "SELECT order_seed FROM order_key ORDER BY serial DESC LIMIT 1",
            [],
            |row| row.get(0),
        )?;
        secrets.add("order_seed", &order_seed, true);
        secrets.add("canary", place.canary.as_bytes(), false);
        for path in place.denied_files() {
            let digest = Digest::of(std::fs::read(&path)?).to_string();
            secrets.0.push(Form {
                name: format!("digest of {}", path.display()),
                bytes: digest.into_bytes(),
                is_of_control_plane: false,
            });
        }
        Ok(secrets)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The names of those that `text` holds.
    pub(super) fn found_in(&self, text: &[u8], is_of_control_plane: bool) -> Vec<&str> {
        let counts = |form: &&Form| !(is_of_control_plane && form.is_of_control_plane);
        self.0
            .iter()
            .filter(counts)
            .filter(|form| has(text, &form.bytes))
            .map(|form| form.name.as_str())
            .collect()
    }

    /// Parts from the beginning, the middle and the end, since a cut result would hold one of them.
    fn add(&mut self, name: &str, secret: &[u8], is_of_control_plane: bool) {
        let length = secret.len();
        for start in [0, (length - PART_BYTES) / 2, length - PART_BYTES] {
            let part = &secret[start..start + PART_BYTES];
            let numbers: Vec<String> = part.iter().map(u8::to_string).collect();
            let hexadecimal: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            let escaped: String = part.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            let mut forms = vec![
                ("raw", part.to_vec()),
                ("JSON", numbers.join(",").into_bytes()),
                ("JSON with spaces", numbers.join(", ").into_bytes()),
                ("escaped", escaped.into_bytes()),
                ("hexadecimal in capitals", hexadecimal.to_uppercase().into_bytes()),
                ("hexadecimal", hexadecimal.into_bytes()),
            ];
            // Whole groups of three from each of the three places where a group can begin.
            for skipped in 0..3 {
                let group = &part[skipped..][..(PART_BYTES - skipped) / 3 * 3];
                forms.push(("base64", STANDARD_NO_PAD.encode(group).into_bytes()));
                forms.push(("base64 for URLs", URL_SAFE_NO_PAD.encode(group).into_bytes()));
            }
            self.0.extend(forms.into_iter().map(|(form, bytes)| Form {
                name: format!("{name} from {start} as {form}"),
                bytes,
                is_of_control_plane,
            }));
        }
    }
}

/// Whether `text` holds `part`.
pub(super) fn has(text: &[u8], part: &[u8]) -> bool {
    let first = part.first().copied().unwrap_or_default();
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn read_text(file: &Path, query: &str) -> anyhow::Result<String> {
    Ok(Connection::open(file)?.query_row(query, [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let mut secrets = Secrets(Vec::new());
        let seed: Vec<u8> = (100..132).collect();
        secrets.add("seed", &seed, false);
        let json = serde_json::to_string(&seed).unwrap();
        for text in [&seed[..], json.as_bytes(), STANDARD_NO_PAD.encode(&seed).as_bytes(), &seed[8..]] {
            assert!(!secrets.found_in(&[b"before", text].concat(), false).is_empty());
        }
        assert!(secrets.found_in(b"nothing of it", false).is_empty());
        assert!(has(b"aab", b"ab") && !has(b"", b"a"));
    }
}
