//! Histories in which the control plane was set back, and journals with gaps.

use insta::assert_snapshot;
use tidegate_core::call::EndpointAct;
use tidegate_core::call::SequenceAct;

use crate::shown;
use crate::told;
use crate::verify;
use crate::world::World;

#[test]
fn a_restore_that_was_announced_explains_the_history_that_the_endpoint_had_confirmed() {
    let mut world = World::new();
    world.settle();
    let backup = world.backup();
    world.queue();
    world.settle();
    world.set_back(&backup);
    world.restored();
    world.settle();
    let report = verify(&world.export());
    assert!(report.is_sound() && report.is_fully_endorsed());
    assert_snapshot!(shown(&report), @"complete to 23, endorsed by the endpoint to 22 (what follows is the record of that endorsement); the control plane was set back at entry 10, the endpoint had confirmed another record to 16");
}

#[test]
fn a_restore_that_nobody_announced_is_explained_by_the_entry_that_proves_it() {
    let mut world = World::new();
    world.settle();
    let backup = world.backup();
    world.queue();
    world.settle();
    world.set_back(&backup);
    world.settle();
    let report = verify(&world.export());
    assert!(report.is_sound() && report.is_fully_endorsed());
    assert_snapshot!(shown(&report), @"complete to 23, endorsed by the endpoint to 22 (what follows is the record of that endorsement); the control plane was set back at entry 16, the endpoint had confirmed another record to 16");
}

#[test]
fn a_restore_that_nobody_noticed_reads_as_a_rewritten_record() {
    let mut world = World::new();
    world.settle();
    let backup = world.backup();
    world.queue();
    world.note("never happened");
    let sequence = world.first_sequence();
    world.act(EndpointAct::Sequence { sequence, act: SequenceAct::Cancel });
    world.settle();
    world.set_back(&backup);
    world.settle();
    assert_snapshot!(told(&world.export()), @r"
    complete to 8, endorsed by the endpoint to 8
    - line 22, entry 10: the endpoint confirmed another entry 12: the record was rewritten after entry 8
    ");
}

#[test]
fn a_gap_in_the_journal_is_counted_and_cuts_the_endorsement_off_from_before_it() {
    let mut world = World::new();
    world.settle();
    let backup = world.backup();
    for _ in 0..3 {
        world.queue();
        world.settle();
    }
    // The endpoint drops what was acknowledged; the control plane is set back behind it.
    world.forget_acknowledged();
    world.set_back(&backup);
    world.restored();
    world.settle();
    let report = verify(&world.export());
    assert!(report.is_sound() && report.is_fully_endorsed(), "{}", shown(&report));
    assert_eq!(report.gaps, 1);
    assert!(report.journals[0].signed_from > Some(1));
}
