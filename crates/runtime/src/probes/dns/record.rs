//! One record of an answer, its content as zone files write it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::message::{Kind, Malformed};
use super::name;

/// Most bytes shown of a record whose form is not known.
const UNKNOWN_BYTES_MAX: usize = 64;

/// A record.
#[derive(Clone, Debug)]
pub(in crate::probes) struct Record {
    pub(in crate::probes) name: String,
    pub(in crate::probes) kind: Kind,
    /// For how long it may be kept.
    pub(in crate::probes) ttl_seconds: u32,
    /// Its content, without control characters.
    pub(in crate::probes) value: String,
}

/// Reads the record at `at` and moves behind it.
pub(super) fn read(message: &[u8], at: &mut usize) -> Result<Record, Malformed> {
    let name = name::read(message, at)?;
    let fixed: [u8; 10] =
        message.get(*at..*at + 10).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed)?;
    let [kind_high, kind_low, _, _, a, b, c, d, high, low] = fixed;
    let start = *at + fixed.len();
    let end = start + usize::from(u16::from_be_bytes([high, low]));
    // Names within the content may point before it, but must not reach beyond it.
    let until_end = message.get(..end).ok_or(Malformed)?;
    *at = end;
    let kind = Kind(u16::from_be_bytes([kind_high, kind_low]));
    let value = value(kind, until_end, start)?;
    Ok(Record { name, kind, ttl_seconds: u32::from_be_bytes([a, b, c, d]), value })
}

/// The content from `start` to the end of `message`.
fn value(kind: Kind, message: &[u8], start: usize) -> Result<String, Malformed> {
    let content = message.get(start..).ok_or(Malformed)?;
    let mut at = start;
    let number = |at: &mut usize| {
        let bytes = message.get(*at..*at + 2).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
        *at += 2;
        bytes.map(u16::from_be_bytes).ok_or(Malformed)
    };
    match kind.name().as_str() {
        "A" => {
            <[u8; 4]>::try_from(content).map(|bytes| Ipv4Addr::from(bytes).to_string()).map_err(|_| Malformed)
        }
        "AAAA" => <[u8; 16]>::try_from(content)
            .map(|bytes| Ipv6Addr::from(bytes).to_string())
            .map_err(|_| Malformed),
        "NS" | "CNAME" | "PTR" => name::read(message, &mut at),
        "MX" => Ok(format!("{} {}", number(&mut at)?, name::read(message, &mut at)?)),
        "SRV" => {
            let (priority, weight, port) = (number(&mut at)?, number(&mut at)?, number(&mut at)?);
            Ok(format!("{priority} {weight} {port} {}", name::read(message, &mut at)?))
        }
        "SOA" => {
            let (server, person) = (name::read(message, &mut at)?, name::read(message, &mut at)?);
            let numbers = message.get(at..).filter(|bytes| bytes.len() == 20).ok_or(Malformed)?;
            let numbers = numbers.chunks(4).filter_map(|four| four.try_into().ok().map(u32::from_be_bytes));
            Ok(numbers.fold(format!("{server} {person}"), |text, number| format!("{text} {number}")))
        }
        "TXT" => text(content),
        _ => Ok(unknown(content)),
    }
}

/// One or more strings, each in quotes.
fn text(mut content: &[u8]) -> Result<String, Malformed> {
    let mut text = String::new();
    while let Some((length, rest)) = content.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Malformed)?;
        content = rest;
        text.push_str(if text.is_empty() { "\"" } else { " \"" });
        for byte in string {
            let _ = match byte {
                b'"' | b'\\' => write!(text, "\\{}", *byte as char),
                0x20..=0x7E => write!(text, "{}", *byte as char),
                _ => write!(text, "\\{byte:03}"),
            };
        }
        text.push('"');
    }
    Ok(text)
}

/// RFC 3597, section 5: length, then hexadecimal.
fn unknown(content: &[u8]) -> String {
    let shown = &content[..content.len().min(UNKNOWN_BYTES_MAX)];
    let mut text = format!("\\# {} ", content.len());
    for byte in shown {
        let _ = write!(text, "{byte:02x}");
    }
    if shown.len() < content.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, content: &[u8]) -> Result<String, Malformed> {
        value(Kind::named(kind).unwrap(), content, 0)
    }

    #[test]
    fn each_kind_is_written_as_zone_files_do() {
        assert_eq!(told("MX", b"\0\x0A\x04mail\0"), Ok("10 mail".into()));
        assert_eq!(told("SRV", b"\0\x01\0\x02\x12\xFD\x03plc\0"), Ok("1 2 4861 plc".into()));
        assert_eq!(told("TXT", b"\x03a\"b\x02\xC3\xA9"), Ok(r#""a\"b" "\195\169""#.into()));
        assert_eq!(told("AAAA", &[0; 16]), Ok("::".into()));
        let numbers: Vec<u8> = (1..=5_u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(told("SOA", &[b"\x01a\0\x01b\0", &numbers[..]].concat()), Ok("a b 1 2 3 4 5".into()));
        assert_eq!(told("DS", b"\x01\xFF"), Ok("\\# 2 01ff".into()));
    }

    #[test]
    fn content_of_the_wrong_length_is_refused() {
        for (kind, content) in
            [("A", &b"\x01\x02\x03"[..]), ("MX", b"\0"), ("SRV", b"\0\x01\0"), ("TXT", b"\x09a")]
        {
            assert_eq!(told(kind, content), Err(Malformed), "{kind}");
        }
    }
}
