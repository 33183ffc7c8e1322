//! What a machine tells of its path, bytes a day and spans without one: told once, kept in bounds whatever it claims.

use tidegate_core::day::UtcDay;
use tidegate_core::runtime::Input;
use tidegate_core::sql::ReadSql;

use crate::driver::run_with_crashes;
use crate::world::{FIRST, World};

const DAY_MS: i64 = 86_400_000;

fn day_ago(world: &World, days: i64) -> UtcDay {
    UtcDay::of(world.now.shifted_by_ms(-days * DAY_MS))
}

fn tell(world: &mut World, day: UtcDay, up_bytes: u64, down_bytes: u64) {
    world.machine_handle(FIRST, Input::Traffic { day, up_bytes, down_bytes });
}

fn shown(world: &World) -> Vec<(UtcDay, u64, u64)> {
    let traffic = world.endpoint_seen().expect("the endpoint is known").traffic;
    traffic.iter().map(|told| (told.day, told.up_bytes, told.down_bytes)).collect()
}

#[test]
fn a_day_told_again_after_a_crash_is_one_entry() {
    run_with_crashes(|world| {
        let yesterday = day_ago(world, 1);
        // A program that does not know whether it was heard tells it once more.
        tell(world, yesterday, 143_012, 61_440);
        tell(world, yesterday, 143_012, 61_440);
        world.settle(FIRST, 3);
        assert_eq!(world.transcript_count("journal.traffic"), 1);
        assert_eq!(shown(world), [(yesterday, 143_012, 61_440)]);
    });
}

#[test]
fn the_newest_month_is_shown_and_two_months_are_kept() {
    let mut world = World::new(1, None);
    for _ in 0..70 {
        world.pass_seconds(86_400);
        let yesterday = day_ago(&world, 1);
        tell(&mut world, yesterday, 1_000, 500);
        world.settle(FIRST, 2);
    }
    let days: Vec<_> = shown(&world).into_iter().map(|(day, ..)| day).collect();
    let month: Vec<_> = (1..=31).map(|ago| day_ago(&world, ago)).collect();
    assert_eq!(days, month, "newest first");
    let rows = world.control.query("SELECT day FROM traffic", &[]).unwrap();
    assert_eq!(rows.len(), 62);
}

#[test]
fn days_that_cannot_be_are_on_record_and_not_counted() {
    let mut world = World::new(1, None);
    let claims = [
        (day_ago(&world, -1), 1, 1),
        (day_ago(&world, 63), 1, 1),
        ("0000-01-01".parse().unwrap(), 1, 1),
        ("9999-12-31".parse().unwrap(), 1, 1),
        (day_ago(&world, 2), (1 << 50) + 1, 1),
        (day_ago(&world, 3), 1, u64::MAX),
        (day_ago(&world, 4), 1 << 50, 0),
    ];
    for (day, up_bytes, down_bytes) in claims {
        tell(&mut world, day, up_bytes, down_bytes);
    }
    world.settle(FIRST, 3);
    assert_eq!(world.transcript_count("journal.traffic"), claims.len());
    assert_eq!(shown(&world), [(day_ago(&world, 4), 1 << 50, 0)]);
}

#[test]
fn a_machine_that_was_set_back_does_not_shrink_a_day() {
    let mut world = World::new(1, None);
    let (yesterday, other) = (day_ago(&world, 1), day_ago(&world, 2));
    tell(&mut world, yesterday, 900, 100);
    tell(&mut world, other, 1, 1);
    tell(&mut world, yesterday, 300, 200);
    world.settle(FIRST, 2);
    assert_eq!(shown(&world), [(yesterday, 900, 200), (other, 1, 1)]);
}

#[test]
fn the_last_spans_without_a_path_are_shown_by_the_corrected_clock() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.machines[FIRST].clock.offset_ms = 7_200_000;
    world.machine_handle(FIRST, Input::TimeLearned(world.now));
    for attempts in 1..=12 {
        let closed_at = world.now.shifted_by_ms(7_200_000);
        world.pass_seconds(600);
        let problem = "x".repeat(10_000);
        world.machine_handle(FIRST, Input::Link { closed_at, attempts, problem });
        world.settle(FIRST, 1);
    }
    assert_eq!(world.transcript_count("journal.link"), 12);
    let outages = world.endpoint_seen().unwrap().outages;
    let attempts: Vec<_> = outages.iter().map(|outage| outage.attempts).collect();
    assert_eq!(attempts, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3], "newest first");
    assert_eq!(outages[0].opened_at.since(outages[0].closed_at).0, 600_000);
    assert!(outages[0].opened_at <= world.now, "not two hours ahead");
    assert_eq!(outages[0].problem.chars().count(), 300);
}
