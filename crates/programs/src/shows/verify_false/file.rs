//! The file as bytes: cut at every kind of place, compressed, recoded, with something before or after it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Case, Exports, bytes_of, case};

pub(super) fn cases(exports: &Exports) -> anyhow::Result<Vec<Case>> {
    let mut cases = cut(&exports.whole);
    cases.extend(recoded(&exports.whole)?);
    Ok(cases)
}

fn cut(whole: &[String]) -> Vec<Case> {
    const GROUP: &str = "file cut";
    let bytes = bytes_of(whole);
    let middle = whole.len() / 4 * 2 + 1;
    let at = |what: &str, lines: usize| case(GROUP, what, &whole[..lines]);
    let bytes_at = |what: &str, length: usize| Case {
        group: GROUP,
        what: what.to_owned(),
        bytes: bytes[..length].to_vec(),
    };
    vec![
        bytes_at("to nothing", 0),
        bytes_at("within the first line", whole[0].len() / 2),
        at("after the first line", 1),
        at("after the first header", 2),
        at("after the first entry", 3),
        at("in the middle, after a header", middle + 1),
        at("in the middle, after an entry", middle),
        at("before the last entry", whole.len() - 2),
        at("before the last body", whole.len() - 1),
        bytes_at("within the last body", bytes.len() - 10),
        bytes_at("before the last brace", bytes.len() - 2),
    ]
}

fn recoded(whole: &[String]) -> anyhow::Result<Vec<Case>> {
    let bytes = bytes_of(whole);
    let text = String::from_utf8(bytes.clone())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&bytes)?;
    let new = |what: &str, bytes: Vec<u8>| Case { group: "file recoded", what: what.to_owned(), bytes };
    let around = |before: &[u8], after: &[u8]| [before, &bytes, after].concat();
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    Ok(vec![
        new("compressed with gzip", gzip.finish()?),
        new("with a byte order mark", around("\u{feff}".as_bytes(), b"")),
        new("as UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        new("with the line ends of Windows", text.replace('\n', "\r\n").into_bytes()),
        new("with an empty line before", around(b"\n", b"")),
        new("with an empty line after", around(b"", b"\n")),
        new("with two empty lines after", around(b"", b"\n\n")),
        new("with a zero after", around(b"", b"\0")),
        new("with garbage after", around(b"", b"garbage\n")),
        new("with an empty object after", around(b"", b"{}\n{}\n")),
        new("with one bit changed", flipped),
        new("in upper case", text.to_uppercase().into_bytes()),
        new("all on one line", text.replace('\n', " ").into_bytes()),
        new("twice", [&bytes[..], &bytes[..]].concat()),
    ])
}
