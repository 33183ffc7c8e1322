//! Machines that are replaced, and journals that are not current: what becomes of work.

use tidegate_core::api::{JournalState, SequenceState};
use tidegate_core::error::Code;
use tidegate_core::sequence::EndState;

use crate::driver::run_with_crashes;
use crate::world::{Delivered, FIRST, look, steps};

/// Scenario 8.
#[test]
fn a_late_sync_with_an_old_head_is_no_conflict() {
    run_with_crashes(|world| {
        world.sync(FIRST);
        let late = world.request(FIRST);
        let work = world.queue(look());
        world.settle(FIRST, 4);
        if let Some(late) = late {
            world.deliver(&late);
        }
        world.expect_journal(FIRST, Some(JournalState::Current));
        world.expect(work, SequenceState::Succeeded);
        world.settle(FIRST, 2);
        world.expect_journal(FIRST, Some(JournalState::Current));
    });
}

/// Scenario 8.
#[test]
fn a_late_sync_of_a_vanished_journal_holds_nothing() {
    run_with_crashes(|world| {
        world.sync(FIRST);
        let late = world.request(FIRST);
        world.reimage(FIRST);
        world.settle(FIRST, 1);
        world.adopt(FIRST);
        let work = world.queue(look());
        if let Some(late) = late {
            world.deliver(&late);
        }
        world.expect(work, SequenceState::Queued);
        world.expect_journal(FIRST, Some(JournalState::Current));
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
    });
}

/// Scenario 13.
#[test]
fn lost_work_is_amended_by_a_replaced_journal_and_never_offered_again() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act", "look"]));
        world.sync(FIRST);
        let second = world.machine_add();
        world.enrol(second);
        world.adopt(second);
        world.expect(work, SequenceState::Lost);
        world.run_out(FIRST);
        world.settle(second, 3);
        world.expect(work, SequenceState::Lost);
        world.sync(FIRST);
        world.expect(work, SequenceState::Succeeded);
        world.settle(second, 3);
        world.settle(FIRST, 3);
        world.expect_runs(work, 2);
    });
}

/// Scenario 13: only part of it ran.
#[test]
fn lost_work_stays_lost_as_long_as_some_step_is() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act", "look"]));
        world.sync(FIRST);
        world.step_ends(FIRST, EndState::Succeeded);
        let second = world.machine_add();
        world.enrol(second);
        world.adopt(second);
        world.sync(FIRST);
        world.expect(work, SequenceState::Lost);
        world.settle(second, 3);
        world.settle(FIRST, 3);
        world.expect_runs(work, 2);
    });
}

/// Scenario 13: another copy of the machine told how it ended, and the adopted one gives it up only then.
#[test]
fn lost_work_that_was_amended_is_not_lost_a_second_time() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["look", "look"]));
        world.sync(FIRST);
        world.power_cut(FIRST);
        let disk = world.snapshot();
        let copy = world.clone_of(disk);
        world.power_on(FIRST);
        world.power_on(copy);
        for machine in [FIRST, copy, copy] {
            world.sync(machine);
        }
        world.adopt(copy);
        world.expect(work, SequenceState::Lost);
        world.run_out(FIRST);
        world.sync(FIRST);
        world.sync(FIRST);
        world.expect(work, SequenceState::Failed);
        world.settle(copy, 3);
        world.expect(work, SequenceState::Failed);
    });
}

/// Scenario 14.
#[test]
fn a_machine_set_back_and_adopted_again_ends_its_unfinished_work() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let mut spec = look();
        spec.not_before = Some(world.now.shifted_by_ms(1_800_000));
        let work = world.queue(spec);
        world.settle(FIRST, 2);
        let disk = world.snapshot();
        world.settle(FIRST, 2);
        world.reboot(FIRST);
        world.settle(FIRST, 1);
        world.roll_back(FIRST, &disk);
        world.power_on(FIRST);
        world.settle(FIRST, 2);
        world.expect_journal(FIRST, Some(JournalState::Candidate));
        world.adopt(FIRST);
        world.settle(FIRST, 2);
        world.expect(work, SequenceState::Lost);
        world.pass_seconds(3_600);
        world.settle(FIRST, 3);
        world.expect_runs(work, 0);
    });
}

/// Re-image: what was waiting is held, and what was sent without a result is lost.
#[test]
fn work_meant_for_yesterdays_machine_does_not_run_on_todays_by_itself() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let sent = world.queue(look());
        if let Some(request) = world.request(FIRST) {
            world.deliver(&request);
        }
        let waiting = world.queue(look());
        world.reimage(FIRST);
        world.settle(FIRST, 2);
        world.expect_runs(waiting, 0);
        world.adopt(FIRST);
        world.expect(sent, SequenceState::Lost);
        world.expect(waiting, SequenceState::Held);
        world.settle(FIRST, 3);
        world.expect_runs(waiting, 0);
        world.release(waiting);
        world.settle(FIRST, 3);
        world.expect(waiting, SequenceState::Succeeded);
        world.expect_runs(sent, 0);
    });
}

/// R3 and the signature that moves a journal: nobody else speaks for the machine.
#[test]
fn a_request_that_was_altered_on_the_path_changes_nothing() {
    run_with_crashes(|world| {
        world.settle(FIRST, 2);
        world.reboot(FIRST);
        let Some(request) = world.request(FIRST) else { return };
        let before = world.transcript_count("journal.booted");
        let refused = world.deliver(&request.altered());
        assert!(matches!(refused, Delivered::Refused(Code::InvalidSignature)));
        assert_eq!(world.transcript_count("journal.booted"), before);
    });
}
