//! Reboots without a path, with every kind of clock.

use tidegate_core::api::SequenceState;
use tidegate_core::runtime::Input;
use tidegate_core::time::Milliseconds;

use crate::driver::run_with_crashes;
use crate::world::{FIRST, World, look, steps};

/// The machine accepts work, goes down, and comes up without a path and with its clock off by that much. Answers how
/// often the work without and with a condition on time ran before the path was open again.
fn reboot_offline(world: &mut World, offset_ms: impl Fn(&World) -> i64) -> [usize; 2] {
    world.settle(FIRST, 3);
    let first = world.queue(steps(&["act"]));
    let plain = world.queue(look());
    let mut spec = look();
    spec.expires_in = Some(Milliseconds::from_days(1));
    let conditional = world.queue(spec);
    world.sync(FIRST);
    world.pass_seconds(60);
    world.power_cut(FIRST);
    world.machines[FIRST].clock.offset_ms = offset_ms(world);
    world.power_on(FIRST);
    world.run_out(FIRST);
    let runs = [world.truth.runs(plain), world.truth.runs(conditional)];
    world.settle(FIRST, 3);
    world.expect(first, SequenceState::Failed);
    world.expect(plain, SequenceState::Succeeded);
    runs
}

/// Scenario 19.
#[test]
fn after_a_reboot_with_a_good_clock_everything_goes_on() {
    run_with_crashes(|world| {
        let runs = reboot_offline(world, |_| 0);
        assert!(!world.is_undisturbed() || runs == [1, 1], "{runs:?}");
    });
}

/// Scenario 19.
#[test]
fn in_1970_only_work_with_a_condition_on_time_waits() {
    run_with_crashes(|world| {
        let runs = reboot_offline(world, |world| -world.now.milliseconds());
        assert!(!world.is_undisturbed() || runs == [1, 0], "{runs:?}");
    });
}

/// Scenario 19.
#[test]
fn a_clock_behind_the_last_trusted_time_is_not_believed() {
    run_with_crashes(|world| {
        let runs = reboot_offline(world, |_| -120_000);
        assert!(!world.is_undisturbed() || runs == [1, 0], "{runs:?}");
    });
}

/// Section 4: times are right also for what ran before anybody told the machine the time.
#[test]
fn what_ran_in_1970_is_dated_rightly_once_the_time_is_known() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let (first, work) = (world.queue(steps(&["act"])), world.queue(look()));
        world.sync(FIRST);
        world.power_cut(FIRST);
        world.machines[FIRST].clock.offset_ms = -world.now.milliseconds();
        world.power_on(FIRST);
        let began = world.now;
        world.run_out(FIRST);
        let ended = world.now;
        world.pass_seconds(3_600);
        world.machine_handle(FIRST, Input::TimeLearned(world.now));
        world.settle(FIRST, 3);
        world.expect(first, SequenceState::Failed);
        if !world.is_undisturbed() {
            return;
        }
        let view = world.seen(work).expect("it is known");
        let attempt = view.steps[0].attempts.last().expect("it ran");
        let raw = attempt.started_at_raw.expect("the raw time is kept");
        assert!(raw.milliseconds() < 1_000_000_000_000, "{raw}");
        let [started, finished] =
            [attempt.started_at, attempt.finished_at].map(|at| at.expect("it was told"));
        assert!(began <= started && finished <= ended, "{began} {started} {finished} {ended}");
    });
}

/// G2: what ends late belongs to an attempt that was cut off, and not to the one after it.
#[test]
fn an_end_told_after_a_restart_does_not_end_the_next_attempt() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let work = world.queue(steps(&["act again", "look"]));
        world.sync(FIRST);
        world.reboot(FIRST);
        let first = (work, 1, 1);
        if world.truth.ran(work, 1) && world.process(FIRST) != Some(first) {
            world.echo(FIRST, first);
        }
        if world.is_undisturbed() {
            assert_eq!(world.process(FIRST), Some((work, 1, 2)));
        }
        world.settle(FIRST, 3);
        world.expect(work, SequenceState::Succeeded);
        world.expect_runs(work, 3);
    });
}

/// Scenario 19: with a clock that is known, a default expiry ends work; with one that is not, it runs.
#[test]
fn a_default_expiry_ends_work_only_where_the_time_is_known() {
    for known in [true, false] {
        run_with_crashes(|world| {
            world.settle(FIRST, 3);
            let first = world.queue(steps(&["act"]));
            let work = world.queue(look());
            world.sync(FIRST);
            world.power_cut(FIRST);
            world.pass_seconds(8 * 24 * 3_600);
            let offset = if known { 0 } else { -world.now.milliseconds() };
            world.machines[FIRST].clock.offset_ms = offset;
            world.power_on(FIRST);
            world.run_out(FIRST);
            world.settle(FIRST, 3);
            world.expect(first, SequenceState::Failed);
            world.expect(work, if known { SequenceState::Expired } else { SequenceState::Succeeded });
        });
    }
}
