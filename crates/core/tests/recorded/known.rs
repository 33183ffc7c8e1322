//! What is called how in the recording and today.
//!
//! Ids, salts and hashes are drawn or computed by one side and repeated by the other. Where today's program draws
//! another one than the recorded program did, or adds a field to something that is hashed, the recorded side is given
//! the value of today in its place. Anything else must be equal.

use std::collections::BTreeMap;

use tidegate_core::digest::Digest;

/// The value of today for each recorded one.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<String, String>);

impl Known {
    /// Notes that the recorded value is another one today; says so if it was known as a third one.
    pub(crate) fn learn(&mut self, recorded: &str, today: &str) -> Result<(), String> {
        let known = self.0.entry(recorded.to_owned()).or_insert_with(|| today.to_owned());
        if known == today {
            return Ok(());
        }
        Err(format!("`{recorded}` was `{known}` before and is `{today}` now"))
    }

    /// Notes the digests of two texts that stand for each other.
    pub(crate) fn learn_digests(&mut self, recorded: &[u8], today: &[u8]) -> Result<(), String> {
        self.learn(&Digest::of(recorded).to_string(), &Digest::of(today).to_string())
    }

    pub(crate) fn get(&self, recorded: &str) -> Option<&str> {
        self.0.get(recorded).map(String::as_str)
    }

    /// Whether nothing differs, so recorded bytes can be used as they are.
    pub(crate) fn is_same(&self) -> bool {
        self.0.iter().all(|(recorded, today)| recorded == today)
    }

    /// A recorded text with every value of today. Values are long and random, so none is part of another word.
    pub(crate) fn apply(&self, text: &str) -> String {
        let differing =
            self.0.iter().filter(|(recorded, today)| recorded != today && text.contains(*recorded));
        // A sequence's id begins with its endpoint's, so longer values come first.
        let mut differing: Vec<_> = differing.collect();
        differing.sort_by_key(|(recorded, _)| std::cmp::Reverse(recorded.len()));
        differing.into_iter().fold(text.to_owned(), |text, (recorded, today)| text.replace(recorded, today))
    }
}

/// Whether a value is drawn or computed rather than meant: an id, a salt, a digest, a ticket.
pub(crate) fn is_drawn(text: &str) -> bool {
    let crockford = |text: &str| {
        text.len() == 16 && text.bytes().all(|byte| b"0123456789abcdefghjkmnpqrstvwxyz".contains(&byte))
    };
    let hexadecimal = |length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ticket = text.len() == 27
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_sequence = text.split_once('-').is_some_and(|(one, two)| crockford(one) && crockford(two));
    crockford(text) || is_sequence || hexadecimal(64) || hexadecimal(32) || is_ticket
}
