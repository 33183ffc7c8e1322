//! Records that were rewritten on purpose, also by somebody who holds the order key.

use insta::assert_snapshot;
use tidegate_core::digest::Digest;
use tidegate_core::export::ExportHead;
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::verify::Verifier;

use tidegate_core::transcript::{TranscriptBody, TranscriptHeader};

use crate::forge::append;
use crate::forge::edit_head;
use crate::forge::entry_of;
use crate::forge::rechain;
use crate::forge::sign_last;
use crate::genuine;
use crate::order_keys;
use crate::shown;
use crate::told;
use crate::verify;
use crate::world::World;
use crate::world::authority;

#[test]
fn a_tail_cut_to_an_older_signed_head_is_found_by_what_the_endpoint_signed() {
    let mut world = World::new();
    world.settle();
    let older: ExportHead = serde_json::from_str(&world.export()[0]).unwrap();
    let entries = (world.export().len() - 1) / 2;
    world.queue();
    world.settle();
    let mut lines = world.export();
    lines.truncate(2 * entries + 1);
    edit_head(&mut lines, |head| {
        (head.head, head.exported_at) = (older.head.clone(), older.exported_at);
    });
    assert_snapshot!(told(&lines), @r"
    complete to 9, not endorsed by the endpoint
    - line 1: the first line is not the one that the control plane signed: something in it was altered, removed or added
    - line 20: the endpoint signed 11 entries of journal `081040g2081040g2`, the file ends at 5
    ");
}

#[test]
fn a_whole_older_export_says_how_far_it_goes() {
    let mut world = World::new();
    world.settle();
    let older = world.export();
    world.queue();
    world.settle();
    assert!(verify(&older).complete_to < verify(&world.export()).complete_to);
    assert_snapshot!(told(&older), @"complete to 9, endorsed by the endpoint to 8 (what follows is the record of that endorsement)");
}

#[test]
fn an_entry_added_at_the_end_is_found() {
    let mut lines = genuine();
    let copy = lines[lines.len() - 2..].to_vec();
    lines.extend(copy);
    let last = (lines.len() - 1) / 2;
    rechain(&mut lines, last);
    assert_snapshot!(told(&lines), @r"
    complete to 17, endorsed by the endpoint to 16
    - line 37, entry 18: entry 12 of journal `081040g2081040g2` should follow: the journal was altered or shortened
    - line 38, entry 18: the control plane signed 17 entries: the ones after it were added
    ");
}

#[test]
fn a_record_rewritten_without_the_order_key_is_found() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = lines[2 * queued].replace("10.20.0.5", "10.20.0.6");
    rechain(&mut lines, queued);
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 36, entry 13: the endpoint confirmed another entry 11: the record was rewritten after entry 8
    - line 36, entry 17: its hash is not the one that the control plane signed as the last: it was altered
    ");
}

#[test]
fn a_record_rewritten_with_the_order_key_is_found_where_the_endpoint_endorsed_it() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = lines[2 * queued].replace("10.20.0.5", "10.20.0.6");
    rechain(&mut lines, queued);
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 36, entry 13: the endpoint confirmed another entry 11: the record was rewritten after entry 8
    ");
}

#[test]
fn a_record_rewritten_after_the_endorsement_with_the_order_key_is_bounded() {
    let mut world = World::new();
    world.settle();
    world.queue();
    world.note("first");
    let mut lines = world.export();
    let endorsed = verify(&lines).endorsed_to;
    let noted = entry_of(&lines, "noted");
    lines[2 * noted] = lines[2 * noted].replace("first", "other");
    rechain(&mut lines, noted);
    sign_last(&mut lines, &order_keys());
    let report = verify(&lines);
    assert!(report.is_sound() && !report.is_fully_endorsed());
    assert_eq!(report.endorsed_to, endorsed);
    assert!(endorsed < Some(noted as u64));
}

#[test]
fn hiding_the_endorsements_with_the_order_key_hides_them_from_the_verdict_too() {
    let mut lines = genuine();
    let queued = entry_of(&lines, "queued");
    lines[2 * queued] = lines[2 * queued].replace("10.20.0.5", "10.20.0.6");
    let mut hidden = Vec::new();
    for entry in queued..=(lines.len() - 1) / 2 {
        if lines[2 * entry - 1].contains("journal.head") {
            lines[2 * entry - 1] = lines[2 * entry - 1].replace("journal.head", "journal.link");
            hidden.push(entry);
        }
    }
    rechain(&mut lines, queued);
    for entry in hidden {
        let header: TranscriptHeader = serde_json::from_str(&lines[2 * entry - 1]).unwrap();
        let (number, body) = (entry as u64, header.link.body);
        let erased = TranscriptBody::Erased { number, body, reason: None };
        append(&mut lines, "erased", &serde_json::to_string(&erased).unwrap());
        lines[2 * entry].clear();
    }
    sign_last(&mut lines, &order_keys());
    let report = verify(&lines);
    assert!(!report.is_fully_endorsed());
    assert_snapshot!(shown(&report), @"complete to 19, not endorsed by the endpoint");
}

#[test]
fn a_replaced_journal_entry_is_found() {
    let mut lines = genuine();
    let finished = entry_of(&lines, "journal.step_finished");
    lines[2 * finished] = lines[2 * finished].replace("4 of 4 replies", "0 of 4 replies");
    rechain(&mut lines, finished);
    sign_last(&mut lines, &order_keys());
    assert_snapshot!(told(&lines), @r"
    complete to 11, not endorsed by the endpoint
    - line 31, entry 15: the journal entry inside is not the one that the header names: it was replaced
    - line 36, entry 17: the endpoint confirmed another entry 16: the record was rewritten after entry 11
    ");
}

#[test]
fn a_statement_of_the_endpoint_that_is_taken_away_leaves_nothing_endorsed() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| head.journals.clear());
    assert_snapshot!(told(&lines), @r"
    complete to 1, not endorsed by the endpoint
    - line 1: the first line is not the one that the control plane signed: something in it was altered, removed or added
    - line 1: the control plane signed another list of journals
    - line 5, entry 2: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 11, entry 5: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 13, entry 6: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 15, entry 7: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 17, entry 8: the endpoint confirmed another list of journals at entry 5: the list was rewritten
    - line 17, entry 8: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 19, entry 9: the endpoint confirmed another list of journals at entry 8: the list was rewritten
    - line 19, entry 9: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 25, entry 12: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 27, entry 13: the endpoint confirmed another list of journals at entry 11: the list was rewritten
    - line 27, entry 13: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 29, entry 14: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 31, entry 15: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 33, entry 16: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 35, entry 17: the endpoint confirmed another list of journals at entry 16: the list was rewritten
    - line 35, entry 17: the list of journals does not have journal `081040g2081040g2` here: it was altered or shortened
    - line 36: the record tells of 1 journals and the list has 0
    ");
}

#[test]
fn the_record_of_another_owner_is_refused_as_such() {
    let mut verifier = Verifier::new(Some(Digest::of("another root")));
    verifier.feed((genuine().join("\n") + "\n").as_bytes());
    assert_snapshot!(shown(&verifier.finish()), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the root key has the fingerprint 506ef1879d748ce0713b0dd01da32ad2a4b1ce97b5a852ff18800c1e52982376, and not 47240e1016c810dcf48166891a385f464ad02af3f99cb3405fa00827c6715359: this is the record of another owner
    ");
}

#[test]
fn an_order_key_that_the_root_did_not_certify_is_found() {
    let mut lines = genuine();
    edit_head(&mut lines, |head| {
        head.authority.certificate = authority(99, &KeyPair::from_seed(Role::Order, &[11; 32])).certificate;
    });
    assert_snapshot!(told(&lines), @r"
    complete to 0, not endorsed by the endpoint
    - line 1: the order key's certificate does not hold: no signature of the expected key holds
    ");
}
