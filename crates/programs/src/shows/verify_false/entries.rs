//! Entries blanked, changed, removed, moved, doubled and mixed with those of other files.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_core::digest::Digest;

use super::{Case, Exports, case};

/// Lines that stand for nothing to the eye, and are not empty.
const NEARLY_BLANK: [&str; 8] = [" ", "\t", "\r", "\u{a0}", "\u{200b}", "\u{feff}", "null", "{}"];

/// Texts of a header, and what a forger would rather read there.
const HEADER_EDITS: [(&str, &str); 8] = [
    ("\"actor\":\"", "\"actor\":\"x"),
    ("\"at\":\"2", "\"at\":\"1"),
    ("\"number\":", "\"number\":1"),
    ("\"kind\":\"", "\"kind\":\"x"),
    ("\"salt\":\"", "\"salt\":\"0"),
    ("\"previous\":\"", "\"previous\":\"0"),
    ("\"body\":\"", "\"body\":\"0"),
    ("{\"endpoint\"", "{ \"endpoint\""),
];

/// Texts of a body, and games with how they are written.
const BODY_EDITS: [(&str, &str); 6] = [
    ("echo one", "echo 0ne"),
    ("echo one", "echo \u{43e}ne"),
    ("echo one", "echo o\u{200b}ne"),
    ("echo one", "echo \\u006fne"),
    ("echo one", "echo one "),
    ("{\"kind\"", "{ \"kind\""),
];

pub(super) fn cases(exports: &Exports) -> Vec<Case> {
    let whole = &exports.whole;
    let mut cases = blanked(whole);
    cases.extend(changed(whole));
    cases.extend(moved(whole));
    cases.extend(mixed(exports));
    cases
}

fn entries_of(lines: &[String]) -> usize {
    (lines.len() - 1) / 2
}

fn kind_of(header: &str) -> String {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    header["kind"].as_str().unwrap_or_default().to_owned()
}

/// The line of the body of the first `queued` entry.
fn queued(lines: &[String]) -> usize {
    lines.iter().position(|line| line.starts_with("{\"kind\":\"queued\"")).unwrap_or(2)
}

fn blanked(whole: &[String]) -> Vec<Case> {
    const GROUP: &str = "bodies blanked";
    let mut cases = Vec::new();
    let mut kinds = BTreeSet::new();
    for entry in 1..=entries_of(whole) {
        let kind = kind_of(&whole[2 * entry - 1]);
        if kinds.insert(kind.clone()) {
            let mut lines = whole.to_vec();
            lines[2 * entry].clear();
            cases.push(case(GROUP, kind, &lines));
        }
    }
    let mut all = whole.to_vec();
    all.iter_mut().skip(2).step_by(2).for_each(String::clear);
    cases.push(case(GROUP, "all", &all));
    let mut last = whole.to_vec();
    last[whole.len() - 1].clear();
    cases.push(case(GROUP, "the last", &last));
    let mut steps = whole.to_vec();
    for line in (1..whole.len()).step_by(2).filter(|line| kind_of(&whole[*line]).contains("step_")) {
        steps[line + 1].clear();
    }
    cases.push(case(GROUP, "every step", &steps));
    for blank in NEARLY_BLANK {
        let mut lines = whole.to_vec();
        lines[queued(whole)] = blank.to_owned();
        cases.push(case(GROUP, format!("{blank:?}"), &lines));
    }
    cases
}

fn changed(whole: &[String]) -> Vec<Case> {
    const GROUP: &str = "texts changed";
    let body = queued(whole);
    let mut cases = Vec::new();
    for (line, edits) in [(body - 1, &HEADER_EDITS[..]), (body, &BODY_EDITS[..])] {
        for (from, to) in edits {
            let mut lines = whole.to_vec();
            lines[line] = lines[line].replacen(from, to, 1);
            if lines[line] != whole[line] {
                cases.push(case(GROUP, format!("{from} to {to}"), &lines));
            }
        }
    }
    let mut rewritten = whole.to_vec();
    rewritten[body - 1] = rewritten[body - 1].replacen("\"actor\":\"", "\"actor\":\"x", 1);
    for header in (body + 1..whole.len()).step_by(2) {
        let (genuine, forged) = (Digest::of(&whole[header - 2]), Digest::of(&rewritten[header - 2]));
        rewritten[header] = rewritten[header].replace(&genuine.to_string(), &forged.to_string());
    }
    cases.push(case(GROUP, "one header, and the chain after it made to fit", &rewritten));
    cases
}

fn moved(whole: &[String]) -> Vec<Case> {
    const GROUP: &str = "entries removed, moved, doubled";
    let (count, middle) = (entries_of(whole), entries_of(whole) / 2);
    let pair = |entry: usize| 2 * entry - 1..2 * entry + 1;
    let edited = |what: &str, edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines = whole.to_vec();
        edit(&mut lines);
        case(GROUP, what, &lines)
    };
    let copy = |entry: usize| whole[pair(entry)].to_vec();
    vec![
        edited("the first removed", &|lines| drop(lines.drain(pair(1)))),
        edited("one in the middle removed", &|lines| drop(lines.drain(pair(middle)))),
        edited("the last removed", &|lines| drop(lines.drain(pair(count)))),
        edited("two swapped", &|lines| {
            lines.swap(2 * middle - 1, 2 * middle + 1);
            lines.swap(2 * middle, 2 * middle + 2);
        }),
        edited("header and body swapped", &|lines| lines.swap(2 * middle - 1, 2 * middle)),
        edited("two bodies swapped", &|lines| lines.swap(2 * middle, 2 * middle + 2)),
        edited("all reversed", &|lines| lines[1..].reverse()),
        edited("the first moved to the end", &|lines| lines[1..].rotate_left(2)),
        edited("the last moved to the front", &|lines| lines[1..].rotate_right(2)),
        edited("one doubled", &|lines| drop(lines.splice(2 * middle + 1..2 * middle + 1, copy(middle)))),
        edited("the last doubled", &|lines| lines.extend(copy(count))),
        edited("all doubled", &|lines| lines.extend_from_within(1..)),
        edited("one body given to another header", &|lines| lines[2 * middle] = whole[2].clone()),
    ]
}

fn mixed(exports: &Exports) -> Vec<Case> {
    const GROUP: &str = "files mixed";
    let Exports { whole, older, other, foreign } = exports;
    let joined = |first: &[String], rest: &[String]| [&first[..1], &rest[1..]].concat();
    let mut last_of_other = whole.clone();
    last_of_other.splice(whole.len() - 2.., other[other.len() - 2..].iter().cloned());
    let mut entry_of_other = whole.clone();
    entry_of_other.splice(3..5, other[3..5].iter().cloned());
    let renamed = |lines: &[String]| {
        let (from, to) = (endpoint_of(lines), endpoint_of(whole));
        lines.iter().map(|line| line.replace(&from, &to)).collect::<Vec<_>>()
    };
    vec![
        case(GROUP, "the first line of an older export", &joined(older, whole)),
        case(GROUP, "the entries of an older export", &joined(whole, older)),
        case(GROUP, "the first line of another machine", &joined(other, whole)),
        case(GROUP, "the entries of another machine", &joined(whole, other)),
        case(GROUP, "one entry of another machine", &entry_of_other),
        case(GROUP, "the last entry of another machine", &last_of_other),
        case(GROUP, "another machine under this one's id", &renamed(other)),
        case(GROUP, "the record of another owner", foreign),
        case(GROUP, "the record of another owner under this machine's id", &renamed(foreign)),
        case(GROUP, "the first line of another owner", &joined(foreign, whole)),
        case(GROUP, "the entries of another owner", &joined(whole, foreign)),
        case(GROUP, "an older and a newer export, one after the other", &[&older[..], &whole[..]].concat()),
    ]
}

fn endpoint_of(lines: &[String]) -> String {
    let head: Value = serde_json::from_str(&lines[0]).unwrap_or_default();
    head["endpoint"].as_str().unwrap_or_default().to_owned()
}
