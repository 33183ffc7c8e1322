//! Blank bodies: erased by an entry that says so, or removed by somebody.

use insta::assert_snapshot;
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::transcript::{TranscriptBody, TranscriptHeader};

use crate::forge::{append, entry_of, rechain, sign_last};
use crate::world::World;
use crate::{genuine, order_keys, shown, told, verify};

/// A record with two bodies erased, and endorsed since.
pub(crate) fn genuine_with_erased() -> Vec<String> {
    let mut world = World::new();
    world.settle();
    world.queue();
    world.settle();
    let lines = world.export();
    world.erase(entry_of(&lines, "queued"));
    world.erase(entry_of(&lines, "journal.step_finished"));
    world.settle();
    world.export()
}

/// The `erased` entry about entry `number` of `lines`, as a body.
fn erased(lines: &[String], number: usize) -> String {
    let header: TranscriptHeader = serde_json::from_str(&lines[2 * number - 1]).unwrap();
    body(number as u64, header.link.body)
}

fn body(number: u64, body: Digest) -> String {
    serde_json::to_string(&TranscriptBody::Erased { number, body, reason: None }).unwrap()
}

/// The record with this body at the end, signed by the control plane.
fn with(mut lines: Vec<String>, erased: &str) -> Vec<String> {
    append(&mut lines, "erased", erased);
    sign_last(&mut lines, &order_keys());
    lines
}

#[test]
fn a_body_that_a_later_entry_names_is_erased_and_breaks_nothing() {
    let report = verify(&genuine_with_erased());
    assert!(report.is_sound() && report.is_fully_endorsed(), "{}", shown(&report));
    assert_eq!((report.erased, report.erased_unendorsed), (2, 0));
    assert!(report.journals[0].signed_from > Some(1), "it cuts the signature off from the entries before it");
}

#[test]
fn a_blank_body_of_any_entry_is_a_fault() {
    let lines = genuine();
    for entry in 1..=(lines.len() - 1) / 2 {
        let mut lines = lines.clone();
        lines[2 * entry].clear();
        let report = verify(&lines);
        assert!(!report.is_sound(), "entry {entry}");
        assert_eq!(
            (report.problems[0].line, report.problems[0].entry),
            (2 * entry as u64 + 1, Some(entry as u64))
        );
        assert!(report.complete_to < entry as u64 && report.erased == 0, "entry {entry}: {}", shown(&report));
    }
}

#[test]
fn all_bodies_blank_prove_nothing() {
    let mut lines = genuine();
    lines.iter_mut().skip(2).step_by(2).for_each(String::clear);
    let report = verify(&lines);
    assert_eq!((report.complete_to, report.endorsed_to), (0, None));
    assert_eq!(report.problems.len() as u64, report.entries);
}

#[test]
fn a_line_of_white_space_is_no_erased_body() {
    for blank in [" ", "\t", "\r", "\u{a0}", "\u{feff}", "\0", "null", "{}", "\"\""] {
        let mut lines = genuine_with_erased();
        let queued = entry_of(&lines, "queued");
        lines[2 * queued] = blank.into();
        assert!(!verify(&lines).is_sound(), "{blank:?}");
    }
}

#[test]
fn an_erased_entry_that_the_machine_has_not_heard_of_is_counted_as_such() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    let erased = erased(&lines, queued);
    lines[2 * queued].clear();
    let report = verify(&with(lines, &erased));
    assert!(report.is_sound() && !report.is_fully_endorsed(), "{}", shown(&report));
    assert_eq!((report.erased, report.erased_unendorsed), (1, 1));
}

#[test]
fn an_erased_entry_about_another_number_or_digest_explains_nothing() {
    let lines = genuine();
    let queued = entry_of(&lines, "queued");
    let mut blank = lines.clone();
    blank[2 * queued].clear();
    let other_number = erased(&lines, queued).replace(":10,", ":9,");
    assert_snapshot!(told(&with(blank.clone(), &other_number)), @r"
    complete to 9, endorsed by the endpoint to 9
    - line 37, entry 18: it says that the body of entry 9 was erased, and no such body is blank before it
    - line 21, entry 10: the body is blank and no later entry says that it was erased: it was removed
    ");
    let other_digest = body(queued as u64, Digest::of("another"));
    assert_snapshot!(told(&with(blank, &other_digest)), @r"
    complete to 9, endorsed by the endpoint to 9
    - line 37, entry 18: it says that the body of entry 10 was erased, and no such body is blank before it
    - line 21, entry 10: the body is blank and no later entry says that it was erased: it was removed
    ");
}

#[test]
fn an_erased_entry_before_the_blank_body_explains_nothing() {
    let mut lines = genuine();
    append(&mut lines, "erased", &body(0, Digest::ZERO));
    append(&mut lines, "noted", r#"{"kind":"noted","text":"secret"}"#);
    let noted = (lines.len() - 1) / 2;
    lines[2 * noted - 2] = erased(&lines, noted);
    let before: TranscriptHeader = serde_json::from_str(&lines[2 * noted - 1]).unwrap();
    rechain(&mut lines, noted - 1);
    // The chain holds again, and the last entry's digest is the one that the entry before it names.
    let previous = Digest::of(&lines[2 * noted - 3]);
    let link = Link { previous, ..before.link };
    lines[2 * noted - 1] = serde_json::to_string(&TranscriptHeader { link, ..before }).unwrap();
    lines[2 * noted].clear();
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 37, entry 18: it says that the body of entry 19 was erased, and no such body is blank before it
    - line 39, entry 19: the body is blank and no later entry says that it was erased: it was removed
    ");
}

#[test]
fn an_erased_entry_about_itself_is_a_fault() {
    let lines = genuine();
    let own = body((lines.len() as u64 - 1) / 2 + 1, Digest::of("own"));
    assert_snapshot!(told(&with(lines, &own)), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 37, entry 18: it says that the body of entry 18 was erased, and no such body is blank before it
    ");
}

#[test]
fn an_erased_entry_that_is_blank_itself_explains_nothing() {
    let mut lines = genuine_with_erased();
    let erasure = entry_of(&lines, "erased");
    lines[2 * erasure].clear();
    assert_snapshot!(told(&lines), @r"
    complete to 9, endorsed by the endpoint to 9
    - line 37, entry 18: the body is blank, and bodies of this kind are never erased: it was removed
    - line 21, entry 10: the body is blank and no later entry says that it was erased: it was removed
    ");
    // Also where another entry names it.
    let erased = erased(&lines, erasure);
    assert!(!verify(&with(lines, &erased)).is_sound());
}

#[test]
fn an_erased_entry_about_a_body_that_is_there_or_that_was_named_before_is_a_fault() {
    let lines = genuine();
    let erased_queued = erased(&lines, entry_of(&lines, "queued"));
    assert_snapshot!(told(&with(lines, &erased_queued)), @r"
complete to 17, endorsed by the endpoint to 16
- line 37, entry 18: it says that the body of entry 10 was erased, and no such body is blank before it
");
    let lines = genuine_with_erased();
    let again = erased(&lines, entry_of(&lines, "queued"));
    assert_snapshot!(told(&with(lines, &again)), @r"
    complete to 20, endorsed by the endpoint to 19
    - line 43, entry 21: it says that the body of entry 10 was erased, and no such body is blank before it
    ");
}

#[test]
fn a_body_put_back_after_it_was_erased_is_a_fault() {
    let mut lines = genuine_with_erased();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = genuine()[2 * queued].clone();
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 17
    - line 37, entry 18: it says that the body of entry 10 was erased, and no such body is blank before it
    ");
}

#[test]
fn an_entry_made_with_an_empty_body_is_no_entry() {
    let mut lines = genuine();
    append(&mut lines, "noted", "");
    sign_last(&mut lines, &order_keys());
    let noted = (lines.len() - 1) / 2;
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 37, entry 18: header and body name different kinds of entry
    ");
    let erased = erased(&lines, noted);
    assert!(!verify(&with(lines, &erased)).is_sound());
}

#[test]
fn the_record_of_an_endorsement_is_never_erased() {
    let mut lines = genuine();
    let entry = entry_of(&lines, "journal.head");
    let erased = erased(&lines, entry);
    lines[2 * entry].clear();
    assert_snapshot!(told(&with(lines, &erased)), @r"
    complete to 7, endorsed by the endpoint to 7
    - line 17, entry 8: the body is blank, and bodies of this kind are never erased: it was removed
    - line 37, entry 18: it says that the body of entry 8 was erased, and no such body is blank before it
    ");
}
