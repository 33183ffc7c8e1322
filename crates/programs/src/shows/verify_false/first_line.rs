//! The first line: keys, certificates, statements and signatures stripped, cut, moved, doubled or replaced.

use anyhow::Context as _;
use serde_json::{Value, json};
use tidegate_core::envelope::EnvelopeSignature;
use tidegate_core::export::ExportHead;
use tidegate_core::journal::JournalBody;
use tidegate_core::transcript::TranscriptBody;
use tidegate_core::wire::TranscriptHead;

use super::{Case, Exports, case};

/// An edit of the parsed first line; the other three are those of the older export, another machine and another owner.
type Edit = fn(&mut ExportHead, &[ExportHead; 3]);

const EDITS: [(&str, Edit); 29] = [
    ("journals stripped", |head, _| head.journals.clear()),
    ("the last journal cut", |head, _| drop(head.journals.pop())),
    ("the first journal cut", |head, _| drop(head.journals.remove(0))),
    ("journals reordered", |head, _| head.journals.reverse()),
    ("a journal doubled", |head, _| head.journals.push(head.journals[0].clone())),
    ("one journal in the place of both", |head, _| head.journals[1] = head.journals[0].clone()),
    ("the first statement removed", |head, _| head.journals[0].line = None),
    ("the last statement removed", |head, _| head.journals[1].line = None),
    ("every statement removed", |head, _| head.journals.iter_mut().for_each(|journal| journal.line = None)),
    ("statements swapped", |head, _| {
        let first = head.journals[0].line.clone();
        head.journals[0].line = std::mem::replace(&mut head.journals[1].line, first);
    }),
    ("the keys of journals swapped", |head, _| {
        let first = head.journals[0].key;
        head.journals[0].key = std::mem::replace(&mut head.journals[1].key, first);
    }),
    ("the journals of an older export", |head, [older, ..]| head.journals.clone_from(&older.journals)),
    ("the journals of another machine", |head, [_, other, _]| head.journals.clone_from(&other.journals)),
    ("certificates stripped", |head, _| head.enrolments.clear()),
    ("the last certificate cut", |head, _| drop(head.enrolments.pop())),
    ("certificates reordered", |head, _| head.enrolments.reverse()),
    ("a certificate doubled", |head, _| head.enrolments.push(head.enrolments[0].clone())),
    ("the certificates of another machine", |head, [_, other, _]| {
        head.enrolments.clone_from(&other.enrolments);
    }),
    ("a certificate of another machine added", |head, [_, other, _]| {
        head.enrolments.extend(other.enrolments.clone());
    }),
    ("the authority of another owner", |head, [.., foreign]| head.authority = foreign.authority.clone()),
    ("the order key of another owner", |head, [.., foreign]| {
        head.authority.certificate = foreign.authority.certificate.clone();
    }),
    ("the head of an older export", |head, [older, ..]| head.head = older.head.clone()),
    ("the head of another machine", |head, [_, other, _]| head.head = other.head.clone()),
    ("the head of another owner", |head, [.., foreign]| head.head = foreign.head.clone()),
    ("a further signature on the head", |head, _| {
        let junk = EnvelopeSignature { keyid: "0123456789abcdef".into(), sig: "anything".into() };
        head.head.signatures.push(junk);
    }),
    ("the head signed twice", |head, _| head.head.signatures.push(head.head.signatures[0].clone())),
    ("a further signature on the authority", |head, _| {
        let signature = head.head.signatures[0].clone();
        head.authority.certificate.signatures.push(signature);
    }),
    ("the head without its signature", |head, _| head.head.signatures.clear()),
    ("a later time of export", |head, _| head.exported_at = head.exported_at.shifted_by_ms(86_400_000)),
];

/// Ways to write the same values otherwise, or nearly the same.
const WRITINGS: [(&str, &str, &str); 9] = [
    ("a space after a colon", ":", ": "),
    ("an escaped letter", "tidegate_export", "tidegate\\u005fexport"),
    ("another writing of the time", "Z\",\"authority\"", "+00:00\",\"authority\""),
    ("an unknown field", "{\"tidegate_export\"", "{\"note\":1,\"tidegate_export\""),
    ("a field given twice", "{\"tidegate_export\":2,", "{\"tidegate_export\":2,\"tidegate_export\":2,"),
    ("the version before", "\"tidegate_export\":2", "\"tidegate_export\":1"),
    ("a version to come", "\"tidegate_export\":2", "\"tidegate_export\":3"),
    ("a version as text", "\"tidegate_export\":2", "\"tidegate_export\":\"2\""),
    ("an escaped slash", "application/vnd", "application\\/vnd"),
];

pub(super) fn cases(exports: &Exports) -> anyhow::Result<Vec<Case>> {
    let mut cases = edited(exports)?;
    cases.extend(written(exports));
    cases.extend(heads_twice(exports));
    cases.push(cut_to_a_journals_head(&exports.whole)?);
    cases.push(cut_to_an_older_head(exports)?);
    Ok(cases)
}

fn parsed(lines: &[String]) -> anyhow::Result<ExportHead> {
    serde_json::from_str(&lines[0]).context("the first line of a true export")
}

fn with(lines: &[String], head: &ExportHead) -> anyhow::Result<Vec<String>> {
    Ok([vec![serde_json::to_string(head)?], lines[1..].to_vec()].concat())
}

fn edited(exports: &Exports) -> anyhow::Result<Vec<Case>> {
    let others = [parsed(&exports.older)?, parsed(&exports.other)?, parsed(&exports.foreign)?];
    let genuine = parsed(&exports.whole)?;
    anyhow::ensure!(genuine.journals.len() == 2 && genuine.journals.iter().all(|it| it.line.is_some()));
    let mut cases = Vec::new();
    for (what, edit) in EDITS {
        let mut head = genuine.clone();
        edit(&mut head, &others);
        anyhow::ensure!(head != genuine, "{what} changes nothing");
        cases.push(case("first line edited", what, &with(&exports.whole, &head)?));
    }
    Ok(cases)
}

fn written(exports: &Exports) -> Vec<Case> {
    let written = |(what, from, to): &(&str, &str, &str)| {
        let mut lines = exports.whole.clone();
        lines[0] = lines[0].replacen(from, to, 1);
        (lines[0] != exports.whole[0]).then(|| case("first line written otherwise", *what, &lines))
    };
    WRITINGS.iter().filter_map(written).collect()
}

fn heads_twice(exports: &Exports) -> Vec<Case> {
    const GROUP: &str = "first lines doubled, missing, moved";
    let (whole, older) = (&exports.whole, &exports.older);
    let twice = [&whole[..1], &whole[..]].concat();
    let two = [&older[..1], &whole[..]].concat();
    let last = [&whole[1..], &whole[..1]].concat();
    let mut stripped: Value = serde_json::from_str(&whole[0]).unwrap_or_default();
    stripped["journals"] = json!([]);
    let reordered = [vec![stripped.to_string()], whole[1..].to_vec()].concat();
    vec![
        case(GROUP, "the same twice", &twice),
        case(GROUP, "an older one before it", &two),
        case(GROUP, "none", &whole[1..]),
        case(GROUP, "at the end", &last),
        case(GROUP, "written by another program, without journals", &reordered),
    ]
}

/// The record cut to a head that a sync sent, which the control plane signed as well.
fn cut_to_a_journals_head(whole: &[String]) -> anyhow::Result<Case> {
    let is_head = |line: &&String| line.contains("\"kind\":\"journal.head\"");
    let at = whole.iter().position(|line| is_head(&line)).context("the machine endorsed the record")?;
    let TranscriptBody::Journal { body, .. } = serde_json::from_str(&whole[at + 1])? else {
        anyhow::bail!("a journal entry");
    };
    let JournalBody::Head { head } = serde_json::from_str(&body)? else { anyhow::bail!("a head") };
    let statement: TranscriptHead = head.peek()?;
    let mut first = parsed(whole)?;
    (first.head, first.exported_at) = (head, statement.at);
    first.journals.truncate(1);
    first.journals[0].line = None;
    let cut = with(&whole[..=2 * usize::try_from(statement.number)?], &first)?;
    Ok(case("file cut", "to a head from the machine's journal", &cut))
}

/// The record cut to the head of an older export, with the newer keys and statements.
fn cut_to_an_older_head(exports: &Exports) -> anyhow::Result<Case> {
    let (older, mut first) = (parsed(&exports.older)?, parsed(&exports.whole)?);
    (first.head, first.exported_at) = (older.head, older.exported_at);
    let cut = with(&exports.whole[..exports.older.len()], &first)?;
    Ok(case("file cut", "to the head of an older export", &cut))
}
