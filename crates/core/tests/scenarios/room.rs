//! A machine without room: nothing starts, it says why, and goes on by itself (G7).

use tidegate_core::api::SequenceState;
use tidegate_core::journal::BODY_BYTES_MAX;
use tidegate_core::runtime::{Input, Limits};

use crate::driver::run_with_crashes;
use crate::world::{FIRST, look, steps};

/// Work arrives while `full` holds, and runs once it no longer does.
fn waits_and_goes_on(full: Limits) {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        world.machines[FIRST].limits = full;
        let work = world.queue(look());
        world.settle(FIRST, 3);
        world.expect_runs(work, 0);
        let waits = world.seen(work).and_then(|seen| seen.waiting_for).unwrap_or_default();
        assert!(!world.is_undisturbed() || waits.contains("room at the machine"), "{waits}");
        world.machines[FIRST].limits = Limits::default();
        world.machine_handle(FIRST, Input::Tick);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

#[test]
fn nothing_starts_while_the_disk_has_no_room() {
    waits_and_goes_on(Limits { has_room: false, ..Limits::default() });
}

#[test]
fn nothing_starts_while_the_journal_is_at_its_bound() {
    waits_and_goes_on(Limits { journal_bytes_max: BODY_BYTES_MAX as u64, ..Limits::default() });
}

#[test]
fn a_sequence_under_way_stops_between_two_steps_and_goes_on() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["look", "look"]));
        world.sync(FIRST);
        world.machines[FIRST].limits.has_room = false;
        world.settle(FIRST, 3);
        assert!(world.truth.runs(work) <= 1, "the second step started without room for its result");
        world.machines[FIRST].limits.has_room = true;
        world.machine_handle(FIRST, Input::Tick);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 2);
    });
}
