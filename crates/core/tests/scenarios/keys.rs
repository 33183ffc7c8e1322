//! Order keys replaced and revoked while machines are near, far, and at work (design, section 6).

use tidegate_core::api::{SequenceState, StepState};
use tidegate_core::runtime::Input;
use tidegate_core::sequence::EndState;

use crate::driver::run_with_crashes;
use crate::world::{FIRST, World, look, steps};

/// A machine that has taken up its log.
fn settled(world: &mut World) {
    world.settle(FIRST, 4);
}

#[test]
fn waiting_and_unclaimed_work_is_signed_again_and_runs_once() {
    run_with_crashes(|world| {
        settled(world);
        let offered = world.queue(look());
        // Offered, and the answer is lost.
        let request = world.request(FIRST);
        if let Some(request) = request {
            world.deliver(&request);
        }
        let waiting = world.queue(look());
        world.rotate(false);
        world.rotate(true);
        settled(world);
        for work in [offered, waiting] {
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, 1);
        }
        let serial = world.machines[FIRST].status_at(world.now).map(|status| status.serial);
        assert!(!world.is_undisturbed() || serial == Some(3), "it takes the newest: {serial:?}");
    });
}

/// Two sequences on the machine: the first runs, the second was accepted and has not started.
fn accepted(world: &mut World) -> [tidegate_core::id::SequenceId; 2] {
    settled(world);
    let work = [world.queue(steps(&["look", "look"])), world.queue(look())];
    world.sync(FIRST);
    world.sync(FIRST);
    work
}

#[test]
fn accepted_work_of_a_replaced_key_runs() {
    run_with_crashes(|world| {
        let work = accepted(world);
        world.rotate(false);
        settled(world);
        for work in work {
            world.expect(work, SequenceState::Succeeded);
        }
    });
}

#[test]
fn accepted_work_of_a_revoked_key_does_not_start_and_what_runs_goes_on() {
    run_with_crashes(|world| {
        let [running, accepted] = accepted(world);
        world.rotate(true);
        world.sync(FIRST);
        settled(world);
        world.expect(running, SequenceState::Succeeded);
        world.expect(accepted, SequenceState::Refused);
        world.expect_runs(accepted, 0);
        if let (true, Some(view)) = (world.is_undisturbed(), world.seen(accepted)) {
            assert!(
                view.reason.as_deref().is_some_and(|reason| reason.starts_with("key revoked")),
                "{view:?}"
            );
            assert_eq!(view.steps[0].state, StepState::Refused);
        }
    });
}

#[test]
fn a_stolen_key_orders_nothing_once_the_machine_has_heard_of_the_rotation() {
    let mut world = World::new(1, None);
    settled(&mut world);
    let (stolen, stolen_keys) = (world.backup(), world.keys());
    world.rotate(true);
    settled(&mut world);
    let (ours, our_keys) = (world.backup(), world.keys());
    // The thief serves the stolen copy in the control plane's place.
    world.restore_silently(&stolen);
    world.use_keys(&stolen_keys);
    let forged = world.queue(look());
    world.settle(FIRST, 6);
    assert_eq!(world.truth.runs(forged), 0, "a stolen key ordered work");
    assert!(
        world.endpoint_seen().is_some_and(|seen| {
            seen.attention.iter().any(|attention| attention.code == "order_key_behind")
        })
    );
    // Back with its own control plane, the machine works as before.
    world.restore_silently(&ours);
    world.use_keys(&our_keys);
    let genuine = world.queue(look());
    world.settle(FIRST, 8);
    assert_eq!(world.state(genuine), SequenceState::Succeeded);
    assert_eq!(world.truth.runs(forged), 0);
}

#[test]
fn an_ended_key_orders_nothing_new_and_ends_nothing_that_was_accepted() {
    let mut world = World::new(1, None);
    let [running, accepted] = accepted(&mut world);
    let late = world.queue(look());
    world.pass_seconds(366 * 86_400);
    world.machine_handle(FIRST, Input::TimeLearned(world.now));
    world.step_ends(FIRST, EndState::Succeeded);
    world.settle(FIRST, 4);
    assert!(
        world.seen(late).is_none_or(|view| view.state != SequenceState::Offered),
        "it is not said to be sent"
    );
    assert_eq!(world.truth.runs(late), 0);
    for work in [running, accepted] {
        assert!(world.state(work).is_ended(), "what became of accepted work is told");
    }
    world.rotate(false);
    let fresh = world.queue(look());
    world.settle(FIRST, 6);
    assert_eq!(world.state(fresh), SequenceState::Succeeded);
}
