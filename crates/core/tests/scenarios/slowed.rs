//! A machine that reports more than may be stored of it: it is slowed, and nothing of it is lost or run twice (G2, G3,
//! G7).

use tidegate_core::api::{Attention, SequenceState, WaitingCode};
use tidegate_core::error::Code;
use tidegate_core::runtime::Input;

use crate::driver::run_with_crashes;
use crate::world::{Delivered, FIRST, World, look, steps};

/// Lets the machine write `count` large entries.
fn flood(world: &mut World, count: u32) {
    for number in 0..count {
        let version = format!("{number}").repeat(420_000);
        world.machine_handle(FIRST, Input::Booted { version, leftovers: 0 });
    }
}

fn slowed(world: &World) -> Option<Attention> {
    let seen = world.endpoint_seen()?;
    seen.attention.into_iter().find(|attention| attention.code == "slowed")
}

/// How many entries of the machine's journal the control plane holds, and how many there are.
fn stands(world: &World) -> (u64, u64) {
    let status = world.machines[FIRST].status_at(world.now).expect("the machine is enrolled");
    (status.acknowledged, status.journal.number)
}

#[test]
fn a_slowed_machine_loses_nothing_and_runs_nothing_twice() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        // The disk has no room above its reserve: what may be stored of one machine is least.
        world.host.room_bytes = Some(0);
        let before = world.queue(steps(&["act", "look"]));
        world.settle(FIRST, 1);
        flood(world, 4);
        world.settle(FIRST, 4);
        let (held, all) = stands(world);
        assert!(!world.is_undisturbed() || held < all, "all {all} entries were stored at once");
        let later = world.queue(look());
        world.settle(FIRST, 2);
        world.expect_runs(later, 0);
        if world.is_undisturbed() {
            let waiting = world.seen(later).and_then(|seen| seen.waiting).expect("it waits");
            assert_eq!(waiting.code, WaitingCode::Slowed);
            assert!(slowed(world).expect("it says so").reason.contains("Nothing is lost"));
        }
        for _ in 0..2 {
            world.pass_seconds(4 * 3_600);
            world.settle(FIRST, 3);
        }
        let (held, all) = stands(world);
        assert!(!world.is_undisturbed() || held == all, "{held} of {all} are stored after a day");
        assert_eq!(slowed(world).filter(|_| world.is_undisturbed()), None);
        for (work, runs) in [(before, 2), (later, 1)] {
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, runs);
        }
    });
}

#[test]
fn a_slowed_machine_is_refused_by_a_reader_and_told_when_to_come_back() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.host.room_bytes = Some(0);
    flood(&mut world, 4);
    world.settle(FIRST, 4);
    let commits = world.commits();
    let request = world.request(FIRST).expect("the machine is on");
    let Delivered::Refused(Code::RateLimited) = world.deliver(&request) else { panic!("it is not refused") };
    assert_eq!(world.commits(), commits, "a refusal costs no write");
    // The same with room is taken.
    world.host.room_bytes = None;
    assert!(world.deliver(&request).answer().is_some());
}

#[test]
fn a_request_is_taken_as_far_as_the_budget_reaches() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.host.room_bytes = Some(0);
    world.machines[FIRST].limits.request_bytes_max = 8 << 20;
    flood(&mut world, 4);
    let (before, _) = stands(&world);
    world.sync(FIRST);
    let (held, all) = stands(&world);
    assert!(before < held && held < all, "{held} of {all} are stored");
    assert!(slowed(&world).is_some());
}

#[test]
fn a_restart_of_the_control_plane_refills_no_budget() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.host.room_bytes = Some(0);
    flood(&mut world, 4);
    world.settle(FIRST, 4);
    // What a restart leaves is the database.
    world.control = world.control.copy();
    let request = world.request(FIRST).expect("the machine is on");
    assert!(matches!(world.deliver(&request), Delivered::Refused(Code::RateLimited)));
}

#[test]
fn invented_order_heads_are_charged_and_refused_once_the_budget_is_spent() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.host.room_bytes = Some(0);
    let mut restores = 0;
    loop {
        let request = world.request_claiming_another_log(FIRST);
        match world.deliver(&request) {
            Delivered::Answer(_) => restores += 1,
            Delivered::Refused(code) => {
                assert_eq!(code, Code::RateLimited);
                break;
            }
            Delivered::Nothing => panic!("the request reads"),
        }
        assert!(restores < 5_000, "as many restores as it likes");
    }
    assert!(restores > 10, "a restore or two is taken from anybody: {restores}");
}
