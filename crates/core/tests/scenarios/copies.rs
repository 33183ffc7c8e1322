//! Machines that are copied or set back: two histories under one name.

use tidegate_core::api::{JournalState, SequenceState};

use crate::driver::run_with_crashes;
use crate::world::{FIRST, look, steps};

/// Scenario 9.
#[test]
fn a_cold_clone_never_runs_what_the_other_copy_was_offered() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        world.power_cut(FIRST);
        let disk = world.snapshot();
        let copy = world.clone_of(disk);
        let work = world.queue(steps(&["act", "look"]));
        world.power_on(FIRST);
        world.power_on(copy);
        world.sync(FIRST);
        world.sync(FIRST);
        if let Some(request) = world.request(copy) {
            let half = world.deliver(&request.cut_in_half());
            assert!(half.answer().is_none(), "half a request is none");
            world.deliver(&request);
        }
        world.expect_journal(FIRST, Some(JournalState::Forked));
        for _ in 0..2 {
            world.settle(FIRST, 1);
            world.settle(copy, 1);
        }
        world.expect_journal(FIRST, Some(JournalState::Candidate));
        world.expect_journal(copy, Some(JournalState::Candidate));
        world.adopt(copy);
        world.settle(copy, 4);
        world.expect(work, SequenceState::Lost);
        world.expect_runs(work, 1);
    });
}

/// Scenario 9: a restore forgot one copy, and the other came exactly as far: only the chain tells them apart.
#[test]
fn a_copy_that_was_acknowledged_as_far_as_the_other_is_told_apart_by_the_chain() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        world.power_cut(FIRST);
        let disk = world.snapshot();
        let copy = world.clone_of(disk);
        let before = world.backup();
        world.power_on(copy);
        world.sync(copy);
        world.sync(copy);
        world.restore_silently(&before);
        world.power_on(FIRST);
        world.sync(FIRST);
        world.sync(FIRST);
        world.reboot(copy);
        if let Some(request) = world.request(copy) {
            world.deliver(&request);
        }
        world.expect_journal(copy, Some(JournalState::Forked));
    });
}

/// Scenario 10.
#[test]
fn an_answer_to_a_request_of_before_a_crash_or_copy_is_not_used() {
    for copied in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let work = world.queue(look());
            let Some(request) = world.request(FIRST) else { return };
            let Some(answer) = world.deliver(&request).answer() else { return };
            let disk = world.snapshot();
            let taker = if copied { world.clone_of(disk) } else { FIRST };
            world.power_cut(FIRST);
            world.power_on(taker);
            world.request(taker);
            world.answer(taker, &answer);
            if world.is_undisturbed() {
                assert_eq!(world.process(taker), None, "R5: the answer is of another boot");
            }
            world.machines[FIRST].is_gone = copied;
            world.settle(taker, 5);
            world.expect_runs(work, 1);
        });
    }
}

/// Scenario 10.
#[test]
fn an_answer_to_a_request_of_before_a_rollback_is_not_used() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let disk = world.snapshot();
        let work = world.queue(look());
        let Some(request) = world.request(FIRST) else { return };
        let Some(answer) = world.deliver(&request).answer() else { return };
        world.roll_back(FIRST, &disk);
        world.power_on(FIRST);
        world.request(FIRST);
        world.answer(FIRST, &answer);
        world.answer(FIRST, &answer);
        world.settle(FIRST, 5);
        // Nothing was heard of the boot before, so the set-back machine is the same to everybody.
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 11.
#[test]
fn two_copies_of_a_journal_nobody_adopted_are_told_of_the_fork_at_once() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        world.reimage(FIRST);
        world.sync(FIRST);
        world.power_cut(FIRST);
        let disk = world.snapshot();
        let copy = world.clone_of(disk);
        world.power_on(FIRST);
        world.power_on(copy);
        let work = world.queue(look());
        let requests = [world.request(FIRST), world.request(copy)];
        let answers = requests.map(|request| request.and_then(|request| world.deliver(&request).answer()));
        if let [Some(first), Some(second)] = answers {
            world.answer(FIRST, &first);
            world.answer(copy, &second);
        }
        for _ in 0..3 {
            world.settle(FIRST, 1);
            world.settle(copy, 1);
        }
        world.expect_journal(FIRST, Some(JournalState::Candidate));
        world.expect_journal(copy, Some(JournalState::Candidate));
        world.expect_runs(work, 0);
        world.adopt(copy);
        world.expect(work, SequenceState::Held);
        world.release(work);
        world.settle(FIRST, 2);
        world.settle(copy, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 12.
#[test]
fn a_live_revert_is_seen_as_more_acknowledged_than_there_is() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let disk = world.snapshot();
        let work = world.queue(look());
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        // Disk and memory go back together: no boot.
        world.machines[FIRST].disk = disk.disk.copy();
        world.sync(FIRST);
        world.sync(FIRST);
        world.expect_journal(FIRST, Some(JournalState::Candidate));
        world.adopt(FIRST);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}
