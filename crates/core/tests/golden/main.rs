//! Holds `docs/protocol.md` to the code: every message in it is compared byte for byte with what the code writes.
//!
//! Keys, ids and times are fixed, so the bytes are too. `TIDEGATE_BLESS=1` rewrites the blocks of the document
//! instead of comparing them.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod entries;
mod fixed;
mod messages;
mod orders;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The golden texts by the name of their block.
type Goldens = BTreeMap<String, String>;

const FENCE: &str = "```";

fn goldens() -> Goldens {
    let mut goldens = Goldens::new();
    messages::add(&mut goldens);
    orders::add(&mut goldens);
    entries::add(&mut goldens);
    goldens
}

fn document_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md")
}

/// The document with every golden block replaced, and the names of its blocks.
fn blessed(document: &str, goldens: &Goldens) -> (String, Vec<String>) {
    let (mut text, mut names) = (String::new(), Vec::new());
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(name) = line.strip_prefix(FENCE).and_then(|tag| tag.split_once(" golden=")) else {
            continue;
        };
        names.push(name.1.to_owned());
        if let Some(golden) = goldens.get(name.1) {
            text.push_str(golden);
            text.push('\n');
        }
        text.push_str(FENCE);
        text.push('\n');
        lines.find(|line| *line == FENCE).expect("every block ends");
    }
    (text, names)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the document is rewritten on request")]
fn the_document_shows_exactly_the_bytes_that_are_sent() {
    let goldens = goldens();
    let document = std::fs::read_to_string(document_path()).unwrap();
    let (expected, names) = blessed(&document, &goldens);
    for name in &names {
        assert!(goldens.contains_key(name), "the code has no `{name}`");
    }
    for name in goldens.keys() {
        let shown = names.iter().filter(|shown| *shown == name).count();
        assert_eq!(shown, 1, "the document shows `{name}` {shown} times");
    }
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        std::fs::write(document_path(), expected).unwrap();
        return;
    }
    for (line, (shown, sent)) in document.lines().zip(expected.lines()).enumerate() {
        assert_eq!(shown, sent, "line {}: run again with TIDEGATE_BLESS=1", line + 1);
    }
    assert_eq!(document, expected);
}
