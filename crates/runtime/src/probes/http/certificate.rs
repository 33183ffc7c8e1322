//! What a certificate says of itself (X.509, RFC 5280), whether or not anybody believes it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tidegate_core::time::Timestamp;

use super::der::{Der, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE, SET};

/// Most names read; certificates of large sites have some hundred.
const NAMES_MAX: usize = 100;
/// Longest name or part of one that is shown, in characters.
const TEXT_CHARACTERS_MAX: usize = 256;
/// `subjectAltName` (RFC 5280, section 4.2.1.6).
const ALTERNATIVE_NAMES: &[u8] = b"\x55\x1D\x11";
/// What parts of a name are called (RFC 4514, section 3, and PKCS #9).
const ATTRIBUTES: [(&[u8], &str); 8] = [
    (b"\x55\x04\x03", "CN"),
    (b"\x55\x04\x06", "C"),
    (b"\x55\x04\x07", "L"),
    (b"\x55\x04\x08", "ST"),
    (b"\x55\x04\x0A", "O"),
    (b"\x55\x04\x0B", "OU"),
    (b"\x09\x92\x26\x89\x93\xF2\x2C\x64\x01\x19", "DC"),
    (b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x01", "emailAddress"),
];

/// A certificate, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probes) struct Certificate {
    /// `CN=plc7, O=Example`; empty where it has none.
    pub(in crate::probes) subject: String,
    pub(in crate::probes) issuer: String,
    /// Whether it names itself as its issuer.
    pub(in crate::probes) is_self_issued: bool,
    /// The names and addresses it is for, at most [`NAMES_MAX`].
    pub(in crate::probes) names: Vec<String>,
    pub(in crate::probes) not_before: Timestamp,
    pub(in crate::probes) not_after: Timestamp,
}

/// The SHA-256 of a certificate, in hexadecimal.
pub(in crate::probes) fn fingerprint(certificate: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(certificate))
}

/// `None`: it does not read.
pub(in crate::probes) fn read(certificate: &[u8]) -> Option<Certificate> {
    let mut body = Der(Der(Der(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    let _version = body.expect(0xA0);
    let _serial = body.expect(INTEGER)?;
    let _algorithm = body.expect(SEQUENCE)?;
    let issuer = body.whole(SEQUENCE)?;
    let mut validity = Der(body.expect(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
    let subject = body.whole(SEQUENCE)?;
    let _key = body.expect(SEQUENCE)?;
    let names = loop {
        match body.next() {
            Some((0xA3, extensions)) => break alternative_names(extensions).unwrap_or_default(),
            Some(_) => {}
            None => break Vec::new(),
        }
    };
    Some(Certificate {
        subject: name(subject)?,
        issuer: name(issuer)?,
        is_self_issued: subject == issuer,
        names,
        not_before,
        not_after,
    })
}

/// UTCTime or GeneralizedTime, in the one form each has here (RFC 5280, section 4.1.2.5).
fn time((tag, content): (u8, &[u8])) -> Option<Timestamp> {
    let text = str::from_utf8(content).ok().filter(|text| text.is_ascii())?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        0x18 => text.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest))?,
        _ => return None,
    };
    // "No well-defined expiration date" is the last second of 9999, later than a timestamp can be.
    if year == "9999" {
        return Some(Timestamp::from_milliseconds(i64::MAX));
    }
    let two = |at: usize| rest.get(at..at + 2);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

/// `CN=plc7, O=Example`, in the order written.
fn name(whole: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut parts = Der(Der(whole).expect(SEQUENCE)?);
    while let Some(part) = parts.expect(SET) {
        let mut pairs = Der(part);
        while let Some(pair) = pairs.expect(SEQUENCE) {
            let mut pair = Der(pair);
            let kind = pair.expect(OBJECT_ID)?;
            let value = string(pair.next()?);
            let known = ATTRIBUTES.iter().find(|(id, _)| *id == kind).map(|(_, known)| *known);
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = match known {
                Some(known) => write!(text, "{separator}{known}={value}"),
                None => write!(text, "{separator}#{}={value}", HEXLOWER.encode(kind)),
            };
        }
    }
    Some(text.chars().take(TEXT_CHARACTERS_MAX).collect())
}

/// Text of any of the kinds of X.509, without control characters.
fn string((tag, content): (u8, &[u8])) -> String {
    let text = match tag {
        // BMPString.
        0x1E => {
            let units = content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{FFFD}')).collect()
        }
        _ => String::from_utf8_lossy(content).into_owned(),
    };
    shown(&text)
}

fn shown(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .take(TEXT_CHARACTERS_MAX)
        .collect()
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(Der(extensions).expect(SEQUENCE)?);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.expect(OBJECT_ID)? != ALTERNATIVE_NAMES {
            continue;
        }
        let _is_critical = extension.expect(0x01);
        let mut names = Der(Der(extension.expect(OCTET_STRING)?).expect(SEQUENCE)?);
        let each = std::iter::from_fn(|| names.next());
        return Some(each.filter_map(alternative_name).take(NAMES_MAX).collect());
    }
    None
}

fn alternative_name((tag, content): (u8, &[u8])) -> Option<String> {
    match tag {
        // A mailbox, a name, a URI.
        0x81 | 0x82 | 0x86 => Some(shown(&String::from_utf8_lossy(content))),
        0x87 => {
            let four = <[u8; 4]>::try_from(content).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let six = || <[u8; 16]>::try_from(content).map(|bytes| Ipv6Addr::from(bytes).to_string());
            four.or_else(|_| six()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn made() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["plc7.plant".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([10, 20, 0, 5].into()));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "plc7");
        params.distinguished_name.push(DnType::OrganizationName, "Exämple");
        params.not_before = rcgen::date_time_ymd(1999, 1, 2);
        params.not_after = rcgen::date_time_ymd(2051, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_how_long() {
        let certificate = read(&made()).unwrap();
        assert_eq!(certificate.subject, "CN=plc7, O=Exämple");
        assert!(certificate.is_self_issued && certificate.issuer == certificate.subject);
        assert_eq!(certificate.names, ["plc7.plant", "10.20.0.5"]);
        assert_eq!(certificate.not_before.to_string(), "1999-01-02T00:00:00.000Z");
        assert_eq!(certificate.not_after.to_string(), "2051-03-04T00:00:00.000Z");
        // NIST's vector for an empty message (FIPS 180-4).
        assert!(fingerprint(b"").starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        let text = |tag, content: &[u8]| time((tag, content)).map(|time| time.to_string());
        assert_eq!(text(0x17, b"491231235959Z").unwrap(), "2049-12-31T23:59:59.000Z");
        assert_eq!(text(0x17, b"500101000000Z").unwrap(), "1950-01-01T00:00:00.000Z");
        assert!(text(0x18, b"99991231235959Z").unwrap().starts_with("9999-"));
        for wrong in [&b""[..], b"4912312359", b"491331235959Z", "4912312359é9Z".as_bytes()] {
            assert_eq!(text(0x17, wrong), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            cut in 0..1_000_usize,
            (at, value) in (0..1_000_usize, any::<u8>()),
        ) {
            let _ = read(&bytes);
            let mut damaged = made();
            let length = damaged.len();
            damaged[at % length] = value;
            damaged.truncate(cut);
            if let Some(certificate) = read(&damaged) {
                prop_assert!(certificate.names.len() <= NAMES_MAX);
                prop_assert!(!certificate.subject.contains(char::is_control));
            }
        }
    }
}
