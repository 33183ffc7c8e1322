//! Work of a person who was deactivated.

use tidegate_core::api::{SequenceState, WorkState};
use tidegate_core::sequence::{EndState, HoldCause};

use crate::driver::run_with_crashes;
use crate::world::{FIRST, look, steps};

#[test]
fn unsent_work_of_a_deactivated_person_is_held_until_another_person_releases_it() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        world.technician_departs();
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Held);
        world.expect_runs(work, 0);
        if world.is_undisturbed() {
            let seen = world.seen(work).unwrap();
            assert_eq!(
                seen.waiting.as_ref().and_then(|waiting| waiting.cause),
                Some(HoldCause::PersonDeactivated)
            );
            let told = seen.waiting_for.unwrap();
            assert!(told.contains("`technician@example.org`, who queued this, was deactivated"), "{told}");
            assert!(told.contains("in your name"), "{told}");
            let machine = world.endpoint_seen().unwrap();
            assert_eq!(machine.work, WorkState::Held);
            assert!(machine.attention.iter().any(|attention| attention.code == "held"), "{machine:?}");
            assert_eq!(world.transcript_count("held"), 1);
        }
        world.release(work);
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 1);
    });
}

#[test]
fn what_another_person_released_is_not_held_again_when_the_endpoint_is_told_twice() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        world.technician_departs();
        world.release_as_owner(work);
        world.technician_departs();
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Succeeded);
        if world.is_undisturbed() {
            assert_eq!(world.transcript_count("held"), 1);
        }
    });
}

#[test]
fn work_that_was_sent_goes_on_when_its_person_is_deactivated() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act", "look"]));
        world.sync(FIRST);
        world.technician_departs();
        for _ in 0..4 {
            world.sync(FIRST);
        }
        world.step_ends(FIRST, EndState::Succeeded);
        world.settle(FIRST, 4);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 2);
    });
}

#[test]
fn sent_work_that_comes_back_unheard_of_is_held_and_not_queued_again() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        let backup = world.backup();
        // Sent, and the answer is lost; then a restore to before that, in which it may have been sent.
        if let Some(request) = world.request(FIRST) {
            world.deliver(&request);
        }
        world.restore(&backup);
        world.expect(work, SequenceState::Offered);
        world.technician_departs();
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Held);
        world.expect_runs(work, 0);
    });
}

#[test]
fn an_order_of_an_earlier_log_that_never_arrived_is_held() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(look());
        if let Some(request) = world.request(FIRST) {
            world.deliver(&request);
        }
        world.expect(work, SequenceState::Offered);
        world.technician_departs();
        // Everything durable is as it was, and the log of the offer is closed: the order itself is gone.
        let backup = world.backup();
        world.restore(&backup);
        world.settle(FIRST, 5);
        world.expect(work, SequenceState::Held);
        world.expect_runs(work, 0);
    });
}
