//! A control plane that goes back in time while its endpoint does not.

use tidegate_core::api::SequenceState;
use tidegate_core::sequence::EndState;

use crate::driver::run_with_crashes;
use crate::world::{FIRST, look, steps};

/// Scenario 1.
#[test]
fn work_that_ran_since_the_backup_is_told_and_not_run_again() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let work = world.queue(look());
            let backup = world.backup();
            world.settle(FIRST, 3);
            world.expect(work, SequenceState::Succeeded);
            world.restore_as(&backup, announced);
            world.settle(FIRST, 5);
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, 1);
        });
    }
}

/// Scenario 1: the page while nobody knows.
#[test]
fn after_an_announced_restore_waiting_work_may_have_run_until_the_endpoint_is_heard() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act", "look"]));
        let backup = world.backup();
        world.sync(FIRST);
        world.restore(&backup);
        world.expect(work, SequenceState::Offered);
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 2);
    });
}

/// Scenario 1: cancelled after the restore, while the endpoint runs it.
#[test]
fn a_cancel_after_a_restore_reaches_work_that_the_restore_forgot() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let work = world.queue(steps(&["act", "act"]));
            let backup = world.backup();
            world.sync(FIRST);
            world.restore_as(&backup, announced);
            world.cancel(work);
            let told = if announced { SequenceState::Cancelling } else { SequenceState::Cancelled };
            world.expect(work, told);
            for _ in 0..4 {
                world.sync(FIRST);
            }
            world.step_ends(FIRST, EndState::Succeeded);
            world.settle(FIRST, 3);
            if announced {
                world.expect(work, SequenceState::Cancelled);
                world.expect_runs(work, 1);
            } else {
                // Nobody knew of the restore when it was cancelled: the journal has the last word.
                world.expect(work, SequenceState::Succeeded);
                world.expect_runs(work, 2);
            }
        });
    }
}

/// Scenario 1: its time runs out after the restore, while the endpoint has it.
#[test]
fn work_that_expires_after_a_restore_is_amended_by_what_the_endpoint_tells() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let mut spec = look();
            spec.expires_in = Some(tidegate_core::time::Milliseconds::from_seconds(600));
            let work = world.queue(spec);
            let backup = world.backup();
            world.sync(FIRST);
            world.step_ends(FIRST, EndState::Succeeded);
            world.restore_as(&backup, announced);
            world.pass_seconds(700);
            world.deadlines();
            world.expect(work, if announced { SequenceState::Offered } else { SequenceState::Expired });
            world.settle(FIRST, 4);
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, 1);
        });
    }
}

/// Scenario 2.
#[test]
fn work_in_doubt_is_lost_when_the_machine_is_reimaged_before_it_is_heard() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        let backup = world.backup();
        world.sync(FIRST);
        world.restore(&backup);
        world.reimage(FIRST);
        world.settle(FIRST, 1);
        world.adopt(FIRST);
        world.expect(work, SequenceState::Lost);
        let released = world.release(work);
        assert!(!released || !world.is_undisturbed(), "lost work is not released to the new image");
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Lost);
    });
}

/// Scenario 3.
#[test]
fn restores_to_two_branches_end_in_what_the_endpoint_did() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let work = world.queue(steps(&["act", "act"]));
            let before = world.backup();
            world.cancel(work);
            let cancelled = world.backup();
            world.restore_as(&before, announced);
            for _ in 0..3 {
                world.sync(FIRST);
            }
            let accepted = world.backup();
            world.restore_as(&cancelled, announced);
            world.sync(FIRST);
            world.sync(FIRST);
            world.step_ends(FIRST, EndState::Succeeded);
            world.restore_as(&accepted, announced);
            world.settle(FIRST, 5);
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, 2);
        });
    }
}

/// Scenario 5.
#[test]
fn nothing_stays_offered_when_a_second_log_follows_unclaimed_orders() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        for _ in 0..2 {
            // The orders leave and do not arrive.
            if let Some(request) = world.request(FIRST) {
                world.deliver(&request);
            }
            let now = world.backup();
            world.restore(&now);
            world.sync(FIRST);
        }
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 6.
#[test]
fn opened_and_accepted_in_one_batch_is_not_unheard_of() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let now = world.backup();
        world.restore(&now);
        let work = world.queue(look());
        world.sync(FIRST);
        world.sync(FIRST);
        world.expect(work, SequenceState::Running);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 7.
#[test]
fn a_stale_opened_of_the_old_log_says_nothing_about_the_new_one() {
    run_with_crashes(|world| {
        world.sync(FIRST);
        let stale = world.request(FIRST);
        let work = world.queue(look());
        // A second request brings the same entries and is offered the work.
        if let Some(request) = world.request(FIRST)
            && let Some(answer) = world.deliver(&request).answer()
        {
            let now = world.backup();
            world.answer(FIRST, &answer);
            world.restore(&now);
        }
        if let Some(stale) = stale {
            world.deliver(&stale);
        }
        world.expect(work, SequenceState::Offered);
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 17.
#[test]
fn work_made_after_the_backup_is_live_when_the_current_journal_tells_of_it() {
    for announced in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let before = world.backup();
            let work = world.queue(steps(&["act", "look"]));
            world.sync(FIRST);
            world.restore_as(&before, announced);
            // It tells of the work, is asked for it, and shows it.
            world.sync(FIRST);
            assert!(!world.is_undisturbed() || world.seen(work).is_none(), "no record without a proof");
            world.sync(FIRST);
            world.expect(work, SequenceState::Running);
            world.settle(FIRST, 5);
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, 2);
        });
    }
}

/// Scenario 17.
#[test]
fn work_made_after_the_backup_is_not_live_when_only_another_journal_tells_of_it() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let second = world.machine_add();
        world.enrol(second);
        let before = world.backup();
        let work = world.queue(steps(&["act", "look"]));
        world.sync(FIRST);
        world.restore(&before);
        world.adopt(second);
        world.sync(FIRST);
        world.sync(FIRST);
        // Lost, and amended by what the replaced machine tells: it cut the work off when it was told to stop.
        world.expect(work, SequenceState::Stopped);
        world.settle(second, 4);
        world.expect_runs(work, 1);
    });
}
