//! Domain names: written into a query, read out of an answer that may be hostile.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::message::Malformed;

/// Longest name as it travels, in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// Longest label in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A name as a query carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probes) struct Name {
    /// Labels with their lengths, the root's included.
    wire: Vec<u8>,
}

/// Why a text is no name, as part of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::probes) enum InvalidName {
    /// Two dots in a row, or one at the beginning.
    #[error("it has an empty part")]
    Empty,
    /// A label of more than 63 bytes or a name of more than 255.
    #[error("it is too long")]
    TooLong,
    /// Other characters than letters, digits and signs of ASCII.
    #[error("it has characters that names do not have; write international names as xn--…")]
    Characters,
}

impl Name {
    /// Reads a name as people write it, with or without the dot at its end.
    pub(in crate::probes) fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::new();
        for label in text.split('.').filter(|_| !text.is_empty()) {
            match label.len() {
                0 => return Err(InvalidName::Empty),
                1..=LABEL_BYTES_MAX => {}
                _ => return Err(InvalidName::TooLong),
            }
            if !label.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
                return Err(InvalidName::Characters);
            }
            wire.push(label.len() as u8);
            wire.extend(label.bytes());
        }
        wire.push(0);
        if wire.len() > NAME_BYTES_MAX { Err(InvalidName::TooLong) } else { Ok(Self { wire }) }
    }

    /// The name under which an address has its own name (RFC 1035, section 3.5; RFC 3596, section 2.5).
    pub(in crate::probes) fn reverse(address: IpAddr) -> Self {
        let (labels, zone): (Vec<String>, _) = match address {
            IpAddr::V4(address) => (address.octets().iter().map(u8::to_string).collect(), "in-addr"),
            IpAddr::V6(address) => {
                let halves = address.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                (halves.map(|half| format!("{half:x}")).collect(), "ip6")
            }
        };
        let mut wire = Vec::new();
        for label in labels.iter().rev().map(String::as_str).chain([zone, "arpa"]) {
            wire.push(label.len() as u8);
            wire.extend(label.bytes());
        }
        wire.push(0);
        Self { wire }
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// As people read it, like the names of an answer.
    pub(in crate::probes) fn text(&self) -> String {
        read(&self.wire, &mut 0).unwrap_or_default()
    }
}

/// Reads the name at `at` and moves behind it. A pointer must lead before the place where its name began, so that
/// no chain of them can loop (RFC 1035, section 4.1.4).
pub(super) fn read(message: &[u8], at: &mut usize) -> Result<String, Malformed> {
    let (mut text, mut bytes) = (String::new(), 1);
    let (mut place, mut floor, mut jumped) = (*at, *at, false);
    loop {
        let length = *message.get(place).ok_or(Malformed)?;
        match (length & 0xC0, usize::from(length & 0x3F)) {
            (0, 0) => break,
            (0, length) => {
                let label = message.get(place + 1..place + 1 + length).ok_or(Malformed)?;
                bytes += length + 1;
                if bytes > NAME_BYTES_MAX {
                    return Err(Malformed);
                }
                append(&mut text, label);
                place += 1 + length;
            }
            (0xC0, high) => {
                let low = *message.get(place + 1).ok_or(Malformed)?;
                let target = high << 8 | usize::from(low);
                if target >= floor {
                    return Err(Malformed);
                }
                if !jumped {
                    *at = place + 2;
                }
                (place, floor, jumped) = (target, target, true);
            }
            // 0x40 and 0x80 were never given a meaning that lasted.
            _ => return Err(Malformed),
        }
    }
    if !jumped {
        *at = place + 1;
    }
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}

/// A label in the form of zone files: a dot within it and bytes that cannot be shown are escaped
/// (RFC 1035, section 5.1).
fn append(text: &mut String, label: &[u8]) {
    if !text.is_empty() {
        text.push('.');
    }
    for byte in label {
        let _ = match byte {
            b'.' | b'\\' => write!(text, "\\{}", *byte as char),
            0x21..=0x7E => write!(text, "{}", *byte as char),
            _ => write!(text, "\\{byte:03}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        assert_eq!(Name::parse("a.bc.").unwrap().wire(), b"\x01a\x02bc\0");
        assert_eq!(Name::parse("_opcua._tcp.plant").unwrap().text(), "_opcua._tcp.plant");
        assert_eq!(Name::parse(".").unwrap().wire(), b"\0");
        assert_eq!(Name::parse("a..b"), Err(InvalidName::Empty));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(InvalidName::TooLong));
        assert_eq!(Name::parse(&"abcdefg.".repeat(32)), Err(InvalidName::TooLong));
        assert_eq!(Name::parse("bücher.example"), Err(InvalidName::Characters));
        assert_eq!(Name::reverse([10, 20, 0, 5].into()).text(), "5.0.20.10.in-addr.arpa");
        let six = Name::reverse("2001:db8::1".parse().unwrap()).text();
        assert!(six.starts_with("1.0.0.0.") && six.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
    }

    #[test]
    fn a_pointer_cannot_loop() {
        // To itself; to each other; a label and then back to the label's own start.
        for message in [&b"\xC0\x00"[..], b"\xC0\x02\xC0\x00", b"\x01a\xC0\x00"] {
            assert_eq!(read(message, &mut 0), Err(Malformed));
        }
        let message = b"\x01a\0\x01b\xC0\x00\x01c\xC0\x03";
        let mut at = 7;
        assert_eq!(read(message, &mut at), Ok("c.b.a".to_owned()));
        assert_eq!(at, 11);
    }

    #[test]
    fn bytes_that_would_mislead_are_escaped() {
        assert_eq!(read(b"\x04a.\x1Bb\0", &mut 0), Ok(r"a\.\027b".to_owned()));
    }
}
