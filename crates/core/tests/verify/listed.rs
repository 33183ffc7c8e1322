//! The list of journals and the rest of the first line: signed, and endorsed by the endpoint.

use insta::assert_snapshot;
use tidegate_core::envelope::Envelope;
use tidegate_core::export::ExportHead;
use tidegate_core::id::JournalId;
use tidegate_core::journal::JournalBody;
use tidegate_core::transcript::TranscriptBody;

use crate::forge::{append, edit_head, entry_of, sign_last};
use crate::world::{ENDPOINT, World};
use crate::{genuine, order_keys, shown, told, verify};

fn head_of(lines: &[String]) -> ExportHead {
    serde_json::from_str(&lines[0]).unwrap()
}

/// A record of two journals, each signed: the machine was enrolled twice.
fn two_journals() -> Vec<String> {
    let mut world = World::new();
    world.settle();
    world.queue();
    world.settle();
    world.enrol_again();
    world.settle();
    world.export()
}

#[test]
fn a_record_of_two_journals_is_whole() {
    let lines = two_journals();
    let report = verify(&lines);
    assert!(report.is_sound() && report.is_fully_endorsed(), "{}", shown(&report));
    assert_eq!((head_of(&lines).journals.len(), report.journals.len(), report.keys.len()), (2, 2, 2));
    assert!(report.journals.iter().all(|journal| journal.signed_to.is_some()));
}

#[test]
fn a_list_that_is_stripped_cut_reordered_or_doubled_is_found() {
    let edits: [fn(&mut ExportHead); 8] = [
        |head| head.journals.clear(),
        |head| drop(head.journals.pop()),
        |head| drop(head.journals.remove(0)),
        |head| head.journals.swap(0, 1),
        |head| head.journals.push(head.journals[1].clone()),
        |head| head.journals[0] = head.journals[1].clone(),
        |head| head.journals[0].line = None,
        |head| (head.journals[0].line, head.journals[1].line) = (None, None),
    ];
    for (index, edit) in edits.iter().enumerate() {
        let mut lines = two_journals();
        edit_head(&mut lines, edit);
        assert!(!verify(&lines).is_sound(), "edit {index}");
    }
}

#[test]
fn a_certificate_an_authority_or_a_key_that_is_taken_away_or_moved_is_found() {
    let edits: [fn(&mut ExportHead); 6] = [
        |head| head.enrolments.clear(),
        |head| drop(head.enrolments.pop()),
        |head| head.enrolments.swap(0, 1),
        |head| head.enrolments.push(head.enrolments[0].clone()),
        |head| head.journals[0].key = head.journals[1].key,
        |head| head.authority.certificate.signatures.push(head.authority.certificate.signatures[0].clone()),
    ];
    for (index, edit) in edits.iter().enumerate() {
        let mut lines = two_journals();
        edit_head(&mut lines, edit);
        assert!(!verify(&lines).is_sound(), "edit {index}");
    }
}

#[test]
fn an_older_statement_of_the_machine_in_a_newer_export_is_found() {
    let mut world = World::new();
    world.settle();
    let older = head_of(&world.export());
    world.queue();
    world.settle();
    let mut lines = world.export();
    edit_head(&mut lines, |head| head.journals = older.journals.clone());
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 8
    - line 1: the first line is not the one that the control plane signed: something in it was altered, removed or added
    ");
}

#[test]
fn a_record_cut_to_a_head_from_the_journal_is_found() {
    let lines = genuine();
    let at = entry_of(&lines, "journal.head");
    let TranscriptBody::Journal { body, .. } = serde_json::from_str(&lines[2 * at]).unwrap() else {
        panic!()
    };
    let JournalBody::Head { head } = serde_json::from_str(&body).unwrap() else { panic!() };
    let statement: tidegate_core::wire::TranscriptHead = head.peek().unwrap();
    let mut cut = lines[..=2 * statement.number as usize].to_vec();
    edit_head(&mut cut, |first| {
        (first.head, first.exported_at) = (head.clone(), statement.at);
        first.journals[0].line = None;
    });
    assert_snapshot!(told(&cut), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the signed head was made for the machine's journal and not for an export: it was put here
    ");
}

#[test]
fn the_head_of_another_export_is_found() {
    let mut world = World::new();
    world.settle();
    let older = head_of(&world.export());
    world.queue();
    world.settle();
    let mut lines = world.export();
    edit_head(&mut lines, |head| head.head = older.head.clone());
    assert!(!verify(&lines).is_sound());
    edit_head(&mut lines, |head| head.head = Envelope::default());
    assert_snapshot!(told(&lines), @r"
    complete to 16, endorsed by the endpoint to 16
    - line 1: the control plane's statement about the last entry does not hold: the envelope carries another type of payload
    ");
}

#[test]
fn the_order_key_cannot_change_a_list_that_the_endpoint_endorsed() {
    let mut lines = two_journals();
    let other = JournalId::from_bytes([9; 10]);
    edit_head(&mut lines, |head| head.journals[1].id = other);
    sign_last(&mut lines, &order_keys());
    assert!(!verify(&lines).is_sound());
    // Also not with another key for one of them.
    let mut lines = two_journals();
    edit_head(&mut lines, |head| {
        head.journals[0].key = head.journals[1].key;
        head.journals[0].line = None;
    });
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 7, not endorsed by the endpoint
    - line 17, entry 8: the endpoint confirmed another list of journals at entry 5: the list was rewritten
    - line 19, entry 9: the endpoint confirmed another list of journals at entry 8: the list was rewritten
    - line 27, entry 13: the endpoint confirmed another list of journals at entry 11: the list was rewritten
    - line 35, entry 17: the endpoint confirmed another list of journals at entry 16: the list was rewritten
    - line 53, entry 26: the endpoint confirmed another list of journals at entry 23: the list was rewritten
    - line 55, entry 27: the endpoint confirmed another list of journals at entry 26: the list was rewritten
    ");
}

#[test]
fn a_journal_that_no_entry_tells_of_is_a_fault_also_where_the_list_is_signed() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| {
        let mut third = head.journals[0].clone();
        (third.id, third.line) = (JournalId::from_bytes([9; 10]), None);
        head.journals.push(third);
    });
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 36: the record tells of 1 journals and the list has 2
    ");
    let mut lines = genuine();
    append(&mut lines, "candidate", r#"{"kind":"candidate","journal":"28h248h248h248h2","address":null}"#);
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 37, entry 18: the list of journals does not have journal `28h248h248h248h2` here: it was altered or shortened
    - line 38: the record tells of 2 journals and the list has 1
    ");
}

#[test]
fn a_first_line_in_another_writing_is_found() {
    let line = genuine()[0].clone();
    let others = [
        line.replacen(':', ": ", 1),
        format!("{line} "),
        format!(" {line}"),
        line.replacen("tidegate_export", "tidegate\\u005fexport", 1),
        line.replacen("Z\"", "+00:00\"", 1),
        line.replacen('T', " ", 1),
        line.replacen("{\"tidegate_export\":2,", "{", 1).replacen(
            "\"journals\"",
            "\"tidegate_export\":2,\"journals\"",
            1,
        ),
    ];
    for other in others {
        let mut lines = genuine();
        assert_ne!(other, line);
        lines[0] = other;
        assert!(!verify(&lines).is_sound(), "{}", lines[0]);
    }
}

#[test]
fn an_export_of_the_format_before_asks_for_another() {
    let mut lines = genuine();
    lines[0] = lines[0].replacen(":2,", ":1,", 1);
    assert_snapshot!(told(&lines), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the format has version 1, whose signature does not cover the list of journals: export the record again
    ");
}

#[test]
fn a_journal_whose_head_was_never_held_entirely_has_no_statement_and_endorses_nothing() {
    let mut world = World::new();
    world.sync_partly();
    let lines = world.export();
    assert!(head_of(&lines).journals[0].line.is_none());
    let report = verify(&lines);
    assert!(report.is_sound() && report.endorsed_to.is_none(), "{}", shown(&report));
    let journal = &report.journals[0];
    assert!(journal.number > 0 && journal.signed_to.is_none());
    world.settle();
    assert!(verify(&world.export()).is_fully_endorsed());
}

#[test]
fn a_database_from_before_the_digest_gets_it_with_the_next_head() {
    let mut world = World::new();
    world.settle();
    let clear =
        |db: &dyn tidegate_core::sql::Sql| db.execute("UPDATE endpoint SET journals_digest = NULL", &[]);
    world.control.transaction(clear).unwrap();
    world.queue();
    world.settle();
    world.control.transaction(clear).unwrap();
    world.enrol_again();
    world.settle();
    let report = verify(&world.export());
    assert!(report.is_sound() && report.is_fully_endorsed(), "{}", shown(&report));
    let columns = |db: &dyn tidegate_core::sql::ReadSql| {
        db.query("SELECT journals_digest FROM endpoint WHERE endpoint_id = ?1", &[ENDPOINT.into()])
    };
    assert!(!world.control.read(columns).unwrap()[0].is_null(0));
}
