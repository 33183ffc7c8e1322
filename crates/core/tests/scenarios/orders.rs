//! Orders on their way: altered, late, crossing each other.

use tidegate_core::api::SequenceState;
use tidegate_core::sequence::EndState;

use crate::driver::run_with_crashes;
use crate::world::{Altered, FIRST, World, look, steps};

/// A round trip whose answer somebody alters.
fn altered_sync(world: &mut World, altered: Altered) {
    if let Some(request) = world.request(FIRST)
        && let Some(answer) = world.deliver(&request).answer()
    {
        world.answer(FIRST, &altered.apply(&answer));
    }
}

/// Scenario 15.
#[test]
fn the_same_altered_bytes_are_one_finding_and_the_log_goes_on_behind_a_void() {
    for altered in [Altered::OrderSignature, Altered::OrderPayload, Altered::Work] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let work = world.queue(look());
            for _ in 0..6 {
                altered_sync(world, altered);
            }
            world.expect(work, SequenceState::Cancelled);
            if world.is_undisturbed() {
                assert_eq!(world.transcript_count("journal.tampered"), 1);
                assert_eq!(world.transcript_count("voided"), 1);
            }
            let next = world.queue(look());
            world.settle(FIRST, 3);
            world.expect(next, SequenceState::Succeeded);
            world.expect_runs(work, 0);
        });
    }
}

/// Scenario 15: the order arrives unaltered after all, and before the statement that takes it back.
#[test]
fn a_late_good_copy_that_wins_the_race_against_its_void_runs() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        for _ in 0..3 {
            altered_sync(world, Altered::OrderSignature);
        }
        // The control plane makes the void; it is the void that does not arrive.
        altered_sync(world, Altered::VoidRemoved);
        if world.is_undisturbed() {
            assert_eq!(world.transcript_count("voided"), 1);
            assert!(world.process(FIRST).is_some(), "the good copy was taken");
        }
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 15: and the other way round.
#[test]
fn a_void_that_wins_the_race_against_a_late_good_copy_ends_the_work() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        for _ in 0..3 {
            altered_sync(world, Altered::OrderPayload);
        }
        world.sync(FIRST);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Cancelled);
        world.expect_runs(work, 0);
    });
}

/// Scenario 15: the altered order is forgotten by a restore, and another one takes its place in the log.
#[test]
fn altered_copies_of_a_forgotten_order_do_not_take_back_a_new_one() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let before = world.backup();
        world.queue(look());
        for _ in 0..3 {
            altered_sync(world, Altered::OrderSignature);
        }
        world.restore_silently(&before);
        let work = world.queue(look());
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 16.
#[test]
fn an_old_answer_with_the_old_log_from_its_first_entry_does_not_reopen_it() {
    run_with_crashes(|world| {
        let work = world.queue(look());
        let Some(old) = world.request(FIRST) else { return };
        let Some(old) = world.deliver(&old).answer() else { return };
        let now = world.backup();
        world.restore(&now);
        world.sync(FIRST);
        world.request(FIRST);
        world.answer(FIRST, &old);
        if world.is_undisturbed() {
            assert_eq!(world.process(FIRST), None, "the old log stays closed");
        }
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 16: the old answer is the outstanding one, and arrives before anything of the new log.
#[test]
fn an_outstanding_answer_with_the_old_log_is_followed_by_the_new_one() {
    run_with_crashes(|world| {
        let work = world.queue(look());
        let Some(old) = world.request(FIRST) else { return };
        let Some(old) = world.deliver(&old).answer() else { return };
        let now = world.backup();
        world.restore(&now);
        world.answer(FIRST, &old);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

/// Scenario 18.
#[test]
fn a_cancel_that_crosses_the_offer_meets_the_work_on_the_machine() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act", "act"]));
        let Some(request) = world.request(FIRST) else { return };
        let Some(offer) = world.deliver(&request).answer() else { return };
        world.cancel(work);
        world.expect(work, SequenceState::Cancelling);
        world.answer(FIRST, &offer);
        world.settle(FIRST, 0);
        world.sync(FIRST);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Cancelled);
        world.expect_runs(work, 1);
    });
}

/// Scenario 18.
#[test]
fn a_cancel_of_work_that_never_started_says_so() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let queued = world.queue(look());
        world.cancel(queued);
        world.expect(queued, SequenceState::Cancelled);
        let mut spec = look();
        spec.not_before = Some(world.now.shifted_by_ms(600_000));
        let waiting = world.queue(spec);
        world.settle(FIRST, 2);
        world.cancel(waiting);
        world.settle(FIRST, 3);
        world.expect(waiting, SequenceState::Cancelled);
        world.pass_seconds(700);
        world.settle(FIRST, 2);
        world.expect_runs(waiting, 0);
    });
}

/// Scenario 18.
#[test]
fn a_cancel_of_work_that_has_ended_changes_nothing() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        world.sync(FIRST);
        world.sync(FIRST);
        world.step_ends(FIRST, EndState::Succeeded);
        world.cancel(work);
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Succeeded);
    });
}

/// Scenario 18.
#[test]
fn a_cancel_of_work_the_machine_never_heard_of_ends_it_for_good() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        let Some(request) = world.request(FIRST) else { return };
        world.deliver(&request);
        let now = world.backup();
        world.restore(&now);
        world.cancel(work);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Cancelled);
        // Restored once more to when it waited: the machine remembers the cancel.
        world.restore(&now);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Cancelled);
        world.expect_runs(work, 0);
    });
}
