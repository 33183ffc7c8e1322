//! Files that were changed, cut or mixed up by somebody without keys, or by accident.

use insta::assert_snapshot;
use tidegate_core::verify::LINE_BYTES_MAX;
use tidegate_core::verify::PROBLEMS_MAX;

use crate::forge::edit_head;
use crate::forge::entry_of;
use crate::genuine;
use crate::shown;
use crate::told;
use crate::verify;
use crate::verify_bytes;

#[test]
fn a_changed_header_is_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued - 1] = lines[2 * queued - 1].replace("ada@", "eve@");
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 22, entry 10: its hash is not the one that the entry after it carries: it was altered
    ");
}

#[test]
fn a_changed_header_of_the_last_entry_is_found() {
    let mut lines = genuine();
    let last = lines.len() - 2;
    lines[last] = lines[last].replace("T", "t");
    assert_snapshot!(told(&lines), @r"
    complete to 16, endorsed by the endpoint to 16
    - line 36, entry 17: its hash is not the one that the control plane signed as the last: it was altered
    ");
}

#[test]
fn a_changed_body_is_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = lines[2 * queued].replace("10.20.0.5", "10.20.0.6");
    assert_snapshot!(told(&lines), @r"
    complete to 9, endorsed by the endpoint to 9
    - line 21, entry 10: the body is not the one that the header was made for: it was altered
    ");
}

#[test]
fn a_changed_statement_about_the_end_is_found() {
    let mut lines = genuine();
    let whole = verify(&lines).complete_to;
    edit_head(&mut lines, |head| {
        let last = head.head.signatures[0].sig.replace('A', "B").replace('z', "y");
        head.head.signatures[0].sig = last;
    });
    assert!(verify(&lines).complete_to < whole, "without that statement the last entry is not proved");
    assert_snapshot!(told(&lines), @r"
    complete to 16, endorsed by the endpoint to 16
    - line 1: the control plane's statement about the last entry does not hold: no signature of the expected key holds
    ");
}

#[test]
fn another_time_of_export_is_found() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.exported_at = head.exported_at.shifted_by_ms(1));
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 1: the first line names another time of export than the control plane signed
    - line 1: the first line is not the one that the control plane signed: something in it was altered, removed or added
    ");
}

#[test]
fn a_removed_entry_is_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines.drain(2 * queued - 1..=2 * queued);
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 20, entry 11: entry 10 should stand here: entries were removed, added or moved
    ");
}

#[test]
fn two_swapped_entries_are_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines.swap(2 * queued - 1, 2 * queued + 1);
    lines.swap(2 * queued, 2 * queued + 2);
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 20, entry 11: entry 10 should stand here: entries were removed, added or moved
    - line 22, entry 10: entry 12 should stand here: entries were removed, added or moved
    ");
}

#[test]
fn an_entry_given_twice_is_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    let copy = lines[2 * queued - 1..=2 * queued].to_vec();
    lines.splice(2 * queued + 1..2 * queued + 1, copy);
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 22, entry 10: entry 11 should stand here: entries were removed, added or moved
    ");
}

#[test]
fn a_cut_tail_is_found() {
    let mut lines = genuine();
    lines.truncate(lines.len() - 6);
    assert_snapshot!(told(&lines), @r"
    complete to 11, not endorsed by the endpoint
    - line 30: the endpoint signed 11 entries of journal `081040g2081040g2`, the file ends at 8
    - line 30: the file ends at entry 14, the control plane signed 17: the end was cut off
    ");
}

#[test]
fn a_file_cut_within_an_entry_is_found() {
    let mut lines = genuine();
    lines.pop();
    assert_snapshot!(told(&lines), @r"
    complete to 16, not endorsed by the endpoint
    - line 35, entry 17: the file ends within the entry: its body is missing
    - line 35: the endpoint signed 11 entries of journal `081040g2081040g2`, the file ends at 10
    ");
}

#[test]
fn an_empty_file_and_garbage_are_not_exports() {
    assert_snapshot!(shown(&verify_bytes(b"")), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the file is empty
    ");
    assert_snapshot!(shown(&verify_bytes(b"\n")), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the first line is not the head of an export: EOF while parsing a value at line 1 column 0
    ");
    assert_snapshot!(shown(&verify_bytes(b"hello\nworld\n")), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the first line is not the head of an export: expected value at line 1 column 1
    ");
    assert_snapshot!(shown(&verify_bytes(&[0xff, 0xfe, b'\n'])), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the line is not UTF-8
    ");
}

#[test]
fn a_newer_format_asks_for_a_newer_program() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.tidegate_export = 3);
    assert_snapshot!(told(&lines), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the format has version 3 and this program reads 2: use a newer one
    ");
}

#[test]
fn a_garbage_line_is_found_and_the_rest_still_read() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued - 1] = "garbage".into();
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 20, entry 10: the header does not read: expected value at line 1 column 1
    ");
}

#[test]
fn a_line_of_ten_megabytes_is_skipped_in_bounded_memory() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = "x".repeat(10 * 1024 * 1024);
    assert!(lines[2 * queued].len() > LINE_BYTES_MAX);
    assert_snapshot!(told(&lines), @r"
    complete to 9, endorsed by the endpoint to 9
    - line 21, entry 10: the line is longer than 3217408 bytes
    ");
}

#[test]
fn problems_are_listed_up_to_a_bound_and_counted_beyond() {
    let mut lines = genuine();
    lines.extend((0..1_000).map(|number| format!("garbage {number}")));
    let report = verify(&lines);
    assert_eq!(report.problems.len(), PROBLEMS_MAX);
    assert!(report.problems_more > 300);
}
