//! Runs a scenario undisturbed, then once more for every commit it made, with a power cut right after it. After each
//! run everything heals, and progress is demanded before the promises are checked.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tidegate_core::api::{JournalState, SequenceState};
use tidegate_core::runtime::Input;
use tidegate_core::sequence::Standing;

use crate::invariants;
use crate::observed::sequences;
use crate::world::{MachineIndex, World, look};

/// Rounds within which work on an adopted journal ends (G8).
const ROUNDS: usize = 14;

/// Runs `scenario` on a world with one enrolled machine.
pub(crate) fn run_with_crashes(scenario: impl Fn(&mut World)) {
    let from = |crash_after| {
        let mut world = World::new(1, crash_after);
        scenario(&mut world);
        world
    };
    run_each(from);
}

/// Runs `scenario` on a world without a machine.
pub(crate) fn run_with_crashes_from_nothing(scenario: impl Fn(&mut World)) {
    let from = |crash_after| {
        let mut world = World::empty(1, crash_after);
        scenario(&mut world);
        world
    };
    run_each(from);
}

fn run_each(run: impl Fn(Option<u64>) -> World) {
    let mut undisturbed = run(None);
    let commits = undisturbed.commits();
    heal(&mut undisturbed);
    for crash_after in 1..=commits {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let mut world = run(Some(crash_after));
            heal(&mut world);
        }));
        if let Err(panic) = attempt {
            println!("with a power cut right after commit {crash_after} of {commits}");
            resume_unwind(panic);
        }
    }
}

/// Faults end, the path is open, and the world must come to rest: first by itself, then with a person's decisions.
pub(crate) fn heal(world: &mut World) {
    world.crash_never();
    for machine in 0..world.machines.len() {
        let target = &world.machines[machine];
        if target.power.is_none() && !target.is_gone && target.is_enrolled() {
            world.power_on(machine);
        }
    }
    rounds(world);
    invariants::check_always(world);
    if is_current_heard(world) {
        invariants::everything_ended_or_is_held(world);
    } else {
        let seen = world.endpoint_seen().expect("an enrolled endpoint is known");
        assert!(!seen.attention.is_empty(), "a person must decide and nobody says so");
    }
    decide(world);
    rounds(world);
    invariants::check_always(world);
    invariants::everything_ended_or_is_held(world);
    invariants::nothing_that_ran_is_told_as_not_run(world);
    invariants::nothing_is_merely_claimed(world);
    fresh_work_runs(world);
}

/// Every machine syncs until nothing moves any more.
fn rounds(world: &mut World) {
    // What waits for its time gets it.
    world.pass_seconds(3_600);
    for _ in 0..ROUNDS {
        let before = world.progress();
        for machine in 0..world.machines.len() {
            // A program with a path asks for signed time: a clock that is ahead after a reboot is believed until then.
            if world.machines[machine].is_enrolled() {
                world.machine_handle(machine, Input::TimeLearned(world.now));
            }
            world.settle(machine, 1);
        }
        if world.progress() == before {
            return;
        }
    }
    panic!("G8: the world does not come to rest in {ROUNDS} rounds");
}

/// Whether the journal that is current is one that a machine writes.
fn is_current_heard(world: &World) -> bool {
    let is_current = |machine: MachineIndex| world.journal_state(machine) == Some(JournalState::Current);
    (0..world.machines.len()).any(|machine| !world.machines[machine].is_gone && is_current(machine))
}

/// Adopts the machine that people mean where that is open, and lets held work go.
fn decide(world: &mut World) {
    let primary = world.primary();
    for _ in 0..3 {
        match world.journal_state(primary) {
            Some(JournalState::Current) => break,
            Some(JournalState::Candidate) => assert!(world.adopt(primary), "a candidate can be adopted"),
            Some(JournalState::Replaced | JournalState::Forked) | None => world.settle(primary, 2),
        }
    }
    assert_eq!(world.journal_state(primary), Some(JournalState::Current), "the machine can be adopted");
    for (sequence, _) in sequences(&world.control) {
        if matches!(sequence.standing, Standing::Held { .. }) && sequence.doubt.is_none() {
            assert!(world.release(sequence.id), "held work can be released");
        }
    }
}

/// G8: what is queued on a healthy endpoint ends by itself.
fn fresh_work_runs(world: &mut World) {
    let fresh = world.queue(look());
    let primary = world.primary();
    world.settle(primary, 4);
    assert_eq!(world.state(fresh), SequenceState::Succeeded, "G8: fresh work runs");
    assert_eq!(world.truth.runs(fresh), 1);
    invariants::check_always(world);
}
