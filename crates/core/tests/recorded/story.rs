//! The file of a story: text that a person can read, and exact bytes.
//!
//! | line begins | meaning |
//! |---|---|
//! | `#` | for people: what a signed order or work of the message above says |
//! | `~ ` | what happens, as the script says it |
//! | `= ` | what the control plane holds then |
//! | `! ` | what the machine does then |
//! | `>> ` | a request: path, headers; its body follows in `>` lines |
//! | `<< ` | the answer: status, content type; its body follows in `<` lines |
//! | `>` or `<` | a line of the body as it is, joined by line feeds |
//! | `>64 ` or `<64 ` | the whole body in base 64, where it is not text |

use std::collections::BTreeSet;
use std::path::PathBuf;

use data_encoding::BASE64;
use tidegate_core::wire::PROTOCOL_VERSION;

use crate::exchange::Exchange;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Happens(String),
    Plane(String),
    Machine(String),
    Exchange(Exchange),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Story(pub(crate) Vec<Item>);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/v{PROTOCOL_VERSION}"))
}

/// The names of all stories that have a file.
pub(crate) fn recorded_names() -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

impl Story {
    /// Reads the file of a story; `None`: it was not recorded.
    pub(crate) fn load(name: &str) -> Option<Self> {
        let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).ok()?;
        Some(Self::parse(&text))
    }

    #[allow(clippy::disallowed_methods, reason = "a story is written on request")]
    pub(crate) fn save(&self, name: &str) {
        std::fs::write(folder().join(format!("{name}.txt")), self.written(name)).unwrap();
    }

    fn parse(text: &str) -> Self {
        let mut items = Vec::new();
        let mut first = [true; 2];
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = line.strip_prefix(">> ") {
                let mut parts = rest.split(" | ").map(str::to_owned);
                let path = parts.next().unwrap_or_default();
                items.push(Item::Exchange(Exchange {
                    path,
                    headers: parts.collect(),
                    ..Exchange::default()
                }));
                first = [true; 2];
                continue;
            }
            let simple =
                [("~ ", Item::Happens as fn(String) -> Item), ("= ", Item::Plane), ("! ", Item::Machine)];
            if let Some((item, rest)) =
                simple.iter().find_map(|(mark, item)| Some((item, line.strip_prefix(mark)?)))
            {
                items.push(item(rest.to_owned()));
                continue;
            }
            let Some(Item::Exchange(exchange)) = items.last_mut() else { panic!("no exchange for: {line}") };
            if let Some(rest) = line.strip_prefix("<< ") {
                let (status, content_type) = rest.split_once(' ').map_or((rest, None), |(a, b)| (a, Some(b)));
                exchange.status = status.parse().unwrap();
                exchange.content_type = content_type.map(str::to_owned);
            } else if let Some(base64) = line.strip_prefix(">64 ") {
                exchange.request = BASE64.decode(base64.as_bytes()).unwrap();
            } else if let Some(base64) = line.strip_prefix("<64 ") {
                exchange.answer = BASE64.decode(base64.as_bytes()).unwrap();
            } else if let Some(text) = line.strip_prefix('>') {
                push_line(&mut exchange.request, text, &mut first[0]);
            } else if let Some(text) = line.strip_prefix('<') {
                push_line(&mut exchange.answer, text, &mut first[1]);
            } else {
                panic!("not a line of a story: {line}");
            }
        }
        Self(items)
    }

    fn written(&self, name: &str) -> String {
        let mut text = format!(
            "# Story `{name}`, recorded by tidegate-core {}, protocol {PROTOCOL_VERSION}.\n\
             # Never change this file: programs that send and read these bytes are in the field.\n",
            env!("CARGO_PKG_VERSION")
        );
        for item in &self.0 {
            match item {
                Item::Happens(what) => text.push_str(&format!("\n~ {what}\n")),
                Item::Plane(what) => text.push_str(&format!("= {what}\n")),
                Item::Machine(what) => text.push_str(&format!("! {what}\n")),
                Item::Exchange(exchange) => exchange.write(&mut text),
            }
        }
        text
    }
}

impl Exchange {
    fn write(&self, text: &mut String) {
        let head: Vec<&str> =
            std::iter::once(self.path.as_str()).chain(self.headers.iter().map(String::as_str)).collect();
        text.push_str(&format!(">> {}\n", head.join(" | ")));
        body_write(text, '>', &self.request);
        let content_type = self.content_type.iter().map(|content_type| format!(" {content_type}"));
        text.push_str(&format!("<< {}{}\n", self.status, content_type.collect::<String>()));
        body_write(text, '<', &self.answer);
    }
}

fn push_line(body: &mut Vec<u8>, line: &str, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        body.push(b'\n');
    }
    body.extend_from_slice(line.as_bytes());
}

fn body_write(text: &mut String, mark: char, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let Ok(lines) = std::str::from_utf8(body) else {
        text.push_str(&format!("{mark}64 {}\n", BASE64.encode(body)));
        return;
    };
    for line in lines.split('\n') {
        text.push_str(&format!("{mark}{line}\n"));
    }
    for line in lines.split('\n') {
        for payload in crate::compare::orders(line) {
            text.push_str(&format!("#   {payload}\n"));
        }
    }
}
