//! A machine becomes an endpoint, more than once.

use tidegate_core::api::{JournalState, SequenceState};

use crate::driver::run_with_crashes_from_nothing;
use crate::world::{FIRST, look, steps};

/// Scenario 20.
#[test]
fn an_enrolment_whose_answer_was_lost_gives_the_same_endpoint_when_repeated() {
    run_with_crashes_from_nothing(|world| {
        let machine = world.machine_add();
        let lost = world.enrol_ask(machine);
        let again = world.enrol_ask(machine);
        if let (Some(lost), Some(again)) = (lost, again) {
            assert_eq!((lost.endpoint, lost.enrolment), (again.endpoint, again.enrolment));
        }
        world.enrol(machine);
        let work = world.queue(look());
        world.settle(machine, 4);
        world.expect_journal(machine, Some(JournalState::Current));
        world.expect(work, SequenceState::Succeeded);
    });
}

/// Scenario 20.
#[test]
fn an_endpoint_enrolled_after_the_backup_is_recovered_and_runs_nothing_new_until_adopted() {
    for announced in [true, false] {
        run_with_crashes_from_nothing(|world| {
            let before = world.backup();
            let machine = world.machine_add();
            world.enrol(machine);
            world.settle(machine, 2);
            let known = world.queue(steps(&["act", "look"]));
            world.sync(machine);
            world.restore_as(&before, announced);
            for _ in 0..4 {
                world.sync(machine);
            }
            world.expect_journal(FIRST, Some(JournalState::Candidate));
            world.expect(known, SequenceState::Lost);
            let fresh = world.queue(look());
            world.sync(machine);
            world.expect_runs(fresh, 0);
            world.adopt(machine);
            world.expect(fresh, SequenceState::Held);
            world.sync(machine);
            world.sync(machine);
            // The current journal tells of it: it is live (R12).
            world.expect(known, SequenceState::Running);
            world.release(fresh);
            world.settle(machine, 4);
            world.expect(fresh, SequenceState::Succeeded);
            world.expect(known, SequenceState::Succeeded);
            world.expect_runs(known, 2);
        });
    }
}

/// Scenario 20: the record was there at the backup, and the machine was enrolled again since.
#[test]
fn a_machine_enrolled_again_after_the_backup_is_a_candidate() {
    run_with_crashes_from_nothing(|world| {
        let machine = world.machine_add();
        world.enrol(machine);
        world.settle(machine, 2);
        let before = world.backup();
        world.reimage(machine);
        world.adopt(machine);
        world.restore(&before);
        let work = world.queue(look());
        for _ in 0..3 {
            world.sync(machine);
        }
        world.expect_journal(machine, Some(JournalState::Candidate));
        world.adopt(machine);
        world.release(work);
        world.settle(machine, 4);
        world.expect(work, SequenceState::Succeeded);
    });
}
