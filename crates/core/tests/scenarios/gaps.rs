//! Entries that the endpoint dropped, asked for by a control plane that went back in time (R10).

use tidegate_core::api::SequenceState;
use tidegate_core::sequence::EndState;
use tidegate_core::time::Milliseconds;

use crate::driver::run_with_crashes;
use crate::world::{FIRST, World, look, steps};

fn prune_at_once(world: &mut World) {
    world.machines[FIRST].limits.acknowledged_bytes_max = 0;
}

/// Scenario 4.
#[test]
fn pruned_entries_leave_a_gap_with_outcomes_and_nothing_runs_again() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            prune_at_once(world);
            world.settle(FIRST, 3);
            let ended = world.queue(steps(&["act", "look"]));
            let before = world.backup();
            world.settle(FIRST, 4);
            let running = world.queue(steps(&["act", "look"]));
            world.sync(FIRST);
            world.sync(FIRST);
            world.restore_as(&before, announced);
            world.settle(FIRST, 5);
            world.expect(ended, SequenceState::Succeeded);
            world.expect_runs(ended, 2);
            world.expect_runs(running, 2);
        });
    }
}

/// Scenario 4: the entry that took up the open log is itself in the gap, so nothing else tells what was unheard of.
#[test]
fn an_opened_entry_in_the_gap_does_not_leave_work_stuck() {
    run_with_crashes(|world| {
        prune_at_once(world);
        world.settle(FIRST, 3);
        let work = world.queue(look());
        // Offered, and the answer is lost.
        if let Some(request) = world.request(FIRST) {
            world.deliver(&request);
        }
        let offered = world.backup();
        world.restore(&offered);
        world.sync(FIRST);
        let adopted = world.backup();
        world.cancel(work);
        world.settle(FIRST, 4);
        world.restore_silently(&adopted);
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 4: what was cut off and never ran again is not told as expired, also when only its outcome is left.
#[test]
fn a_step_that_was_cut_off_before_a_gap_is_told_as_interrupted() {
    run_with_crashes(|world| {
        prune_at_once(world);
        world.settle(FIRST, 3);
        let mut spec = steps(&["look", "act again"]);
        spec.expires_in = Some(Milliseconds::from_seconds(600));
        let work = world.queue(spec);
        let before = world.backup();
        world.sync(FIRST);
        world.step_ends(FIRST, EndState::Succeeded);
        world.power_cut(FIRST);
        world.pass_seconds(700);
        world.power_on(FIRST);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Expired);
        world.restore(&before);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Expired);
        world.expect_runs(work, 2);
    });
}
