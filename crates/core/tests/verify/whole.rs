//! Exports that nobody touched.

use insta::assert_snapshot;
use tidegate_core::keys::PublicKey;
use tidegate_core::runtime;
use tidegate_core::verify::Verifier;

use crate::genuine;
use crate::shown;
use crate::told;
use crate::trusted;
use crate::verify;
use crate::world::World;

#[test]
fn a_genuine_export_is_complete_and_endorsed() {
    let lines = genuine();
    let report = verify(&lines);
    assert!(report.is_sound() && report.is_fully_endorsed() && report.is_root_trusted, "{report:?}");
    assert_eq!(report.entries, report.complete_to);
    assert_eq!(report.keys, [PublicKey::of_seed(&[12; 32]).fingerprint()]);
    assert_eq!(report.journals[0].signed_to, Some(report.journals[0].number));
    assert_eq!(report.journals[0].signed_from, Some(1));
    assert_snapshot!(shown(&report), @"complete to 17, endorsed by the endpoint to 16 (what follows is the record of that endorsement)");
}

#[test]
fn pieces_of_any_size_and_a_missing_last_line_end_change_nothing() {
    let lines = genuine();
    let bytes = lines.join("\n").into_bytes();
    for size in [1, 7, bytes.len()] {
        let mut verifier = Verifier::new(Some(trusted()));
        bytes.chunks(size).for_each(|piece| verifier.feed(piece));
        assert_eq!(verifier.finish(), verify(&lines));
    }
}

#[test]
fn without_a_trusted_root_the_report_says_that_it_believed_the_file() {
    let mut verifier = Verifier::new(None);
    verifier.feed((genuine().join("\n") + "\n").as_bytes());
    let report = verifier.finish();
    assert!(report.is_sound() && !report.is_root_trusted);
    assert_eq!(report.root, Some(trusted()));
}

#[test]
fn what_happened_after_the_last_endorsement_is_not_endorsed() {
    let mut world = World::new();
    world.settle();
    world.queue();
    let report = verify(&world.export());
    assert!(report.is_sound() && !report.is_fully_endorsed());
    assert_snapshot!(shown(&report), @"complete to 10, endorsed by the endpoint to 8");
}

#[test]
fn an_endpoint_that_never_synced_endorses_nothing() {
    let mut world = World::new();
    assert_snapshot!(told(&world.export()), @"complete to 4, not endorsed by the endpoint");
}

#[test]
fn facts_and_a_second_start_are_part_of_the_record() {
    let mut world = World::new();
    world.input(runtime::Input::Booted { version: "0.1.1".into(), leftovers: 2 });
    world.settle();
    assert!(verify(&world.export()).is_fully_endorsed());
}
