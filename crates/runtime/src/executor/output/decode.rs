//! Bytes as text: UTF-8, UTF-16 with or without a byte order mark, else what the machine is set to.
//!
//! Bytes are read one character at a time, so that every cut falls between characters and counts exactly
//! the bytes it drops. What cannot be read is shown as `\xNN`; nothing is replaced by a mark that hides it.

use std::fmt::Write as _;

use super::code_page::CodePage;

/// How many bytes of a stream are looked at for UTF-16.
const SAMPLE_BYTES: usize = 4096;

/// How bytes that are neither UTF-8 nor UTF-16 are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// As `\xNN`, the UTF-8 around them as it is.
    Escape,
    /// The whole stream in this code page; what it lacks as `\xNN`.
    CodePage(CodePage),
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16 { big_endian: bool },
    CodePage(CodePage),
}

/// The text of one end of a stream.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// How many bytes of the stream the text stands for.
    pub(super) raw_bytes: usize,
    /// How many of them are shown as `\xNN`.
    pub(super) escaped: usize,
}

impl Encoding {
    /// Judges by both ends of the stream; an empty `tail` says that `head` is all of it.
    pub(super) fn detect(head: &[u8], tail: &[u8], undecodable: Undecodable) -> Self {
        if let Some(big_endian) = utf_16(head) {
            return Self::Utf16 { big_endian };
        }
        match undecodable {
            Undecodable::CodePage(page) if !is_utf_8(head, tail) => Self::CodePage(page),
            Undecodable::Escape | Undecodable::CodePage(_) => Self::Utf8,
        }
    }

    /// The name for the record; `None` for plain UTF-8.
    pub(super) fn label(&self, escaped: usize) -> Option<String> {
        match self {
            Self::Utf8 if escaped == 0 => None,
            Self::Utf8 => Some("utf-8 with other bytes".into()),
            Self::Utf16 { big_endian: false } => Some("utf-16le".into()),
            Self::Utf16 { big_endian: true } => Some("utf-16be".into()),
            Self::CodePage(page) => Some(page.name()),
        }
    }

    /// Appends the first character of `raw` and says how many bytes it took. 0: `raw` ends within a
    /// character.
    fn next(self, raw: &[u8], text: &mut String) -> usize {
        match self {
            Self::Utf8 => next_utf_8(raw, text),
            Self::Utf16 { big_endian } => next_utf_16(raw, big_endian, text),
            Self::CodePage(page) => page.next(raw, text),
        }
    }
}

/// As much of the beginning of `raw` as becomes at most `limit` bytes of text. A character that `raw` cuts
/// is left out, unless the stream ends there too.
pub(super) fn beginning(raw: &[u8], encoding: &Encoding, ends_here: bool, limit: usize) -> Decoded {
    let mut end = Decoded::default();
    let mut unit = String::new();
    while let Some((taken, escaped)) = unit_at(&raw[end.raw_bytes..], encoding, ends_here, &mut unit) {
        if end.text.len() + unit.len() > limit {
            break;
        }
        end.text.push_str(&unit);
        end.raw_bytes += taken;
        end.escaped += escaped;
    }
    end
}

/// As much of the end of `raw`, which is the end of its stream, as becomes at most `limit` bytes of text.
///
/// `on_boundary`: `raw` starts with a character; otherwise the rest of a cut one is left out. `odd`: it starts
/// at an odd place of the stream, which matters to UTF-16.
pub(super) fn ending(raw: &[u8], encoding: &Encoding, on_boundary: bool, odd: bool, limit: usize) -> Decoded {
    let start = if on_boundary { 0 } else { cut_bytes(raw, encoding, odd) };
    let (mut text, mut unit, mut units) = (String::new(), String::new(), Vec::new());
    let mut at = start;
    while let Some((taken, escaped)) = unit_at(&raw[at..], encoding, true, &mut unit) {
        text.push_str(&unit);
        at += taken;
        units.push((taken, unit.len(), escaped));
    }
    let mut end = Decoded::default();
    let mut length = 0;
    for (taken, bytes, escaped) in units.into_iter().rev() {
        if length + bytes > limit {
            break;
        }
        length += bytes;
        end.raw_bytes += taken;
        end.escaped += escaped;
    }
    end.text = text.split_off(text.len() - length);
    end
}

/// The next character in `unit`, with how many bytes it took and how many of them are escaped.
fn unit_at(raw: &[u8], encoding: &Encoding, ends_here: bool, unit: &mut String) -> Option<(usize, usize)> {
    unit.clear();
    let first = *raw.first()?;
    match encoding.next(raw, unit) {
        0 if raw.len() < 4 && !ends_here => None,
        0 => {
            let _ = write!(unit, "\\x{first:02X}");
            Some((1, 1))
        }
        taken => Some((taken, 0)),
    }
}

/// How many bytes at the start of `raw` belong to a character that began before it.
fn cut_bytes(raw: &[u8], encoding: &Encoding, odd: bool) -> usize {
    match encoding {
        Encoding::Utf8 => raw.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count(),
        Encoding::Utf16 { big_endian } => {
            let start = usize::from(odd).min(raw.len());
            let high = raw.get(start + usize::from(!big_endian)).copied().unwrap_or(0);
            if (0xDC..=0xDF).contains(&high) { (start + 2).min(raw.len()) } else { start }
        }
        Encoding::CodePage(_) => 0,
    }
}

fn next_utf_8(raw: &[u8], text: &mut String) -> usize {
    let length = match raw[0] {
        0x00..=0x7F => 1,
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 0,
    };
    let character = raw.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or("");
    text.push_str(character);
    character.len()
}

fn next_utf_16(raw: &[u8], big_endian: bool, text: &mut String) -> usize {
    let unit = |at: usize| {
        let bytes = [*raw.get(at)?, *raw.get(at + 1)?];
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let units = [unit(0), unit(2)].into_iter().map_while(|unit| unit);
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => {
            text.push(character);
            2 * character.len_utf16()
        }
        Some(Err(_)) | None => 0,
    }
}

/// The byte order (true: big endian), where these bytes are UTF-16: by their mark, or because most of one half of the units is
/// zero and hardly any of the other, as in text of Latin letters.
pub(crate) fn utf_16(sample: &[u8]) -> Option<bool> {
    let sample = &sample[..sample.len().min(SAMPLE_BYTES)];
    match sample {
        [0xFF, 0xFE, ..] => return Some(false),
        [0xFE, 0xFF, ..] => return Some(true),
        _ => {}
    }
    let units = sample.len() / 2;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    match units {
        0..2 => None,
        _ if second * 10 >= units * 7 && first * 20 <= units => Some(false),
        _ if first * 10 >= units * 7 && second * 20 <= units => Some(true),
        _ => None,
    }
}

/// Whether the beginning and the end of one stream are UTF-8, but for a character cut where bytes are missing
/// between them; an empty `tail` says that none are.
fn is_utf_8(head: &[u8], tail: &[u8]) -> bool {
    let is_cut = |error: std::str::Utf8Error| !tail.is_empty() && error.error_len().is_none();
    let start = cut_bytes(tail, &Encoding::Utf8, false);
    str::from_utf8(head).map_or_else(is_cut, |_| true) && str::from_utf8(&tail[start..]).is_ok()
}
