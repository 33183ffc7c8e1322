//! "Why not yet?": every cause by its code, its proof and its words.

use tidegate_core::api::WaitingCode;
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::{EndState, SequenceSpec};
use tidegate_core::time::Milliseconds;

use crate::world::{FIRST, World, look, steps};

/// What people and programs are told, with ids made short.
fn told(world: &World, sequence: SequenceId) -> String {
    let view = world.seen(sequence).expect("the sequence is known");
    let (words, waiting) = (view.waiting_for.expect("it waits"), view.waiting.expect("it waits"));
    let mut text = words.replace(&sequence.to_string(), "SEQUENCE");
    text = text.replace(&world.endpoint.to_string(), "ENDPOINT");
    let mut program = serde_json::to_value(&waiting).unwrap();
    if let Some(other) = program.get_mut("sequence") {
        other["id"] = "OTHER".into();
    }
    format!("{text}\n  {program}\n")
}

fn code(world: &World, sequence: SequenceId) -> WaitingCode {
    world.seen(sequence).and_then(|view| view.waiting).expect("it waits").code
}

fn at_noon() -> World {
    let mut world = World::new(1, None);
    // 2027-01-15 08:00 UTC is when worlds begin.
    world.pass_seconds(4 * 3_600);
    world.settle(FIRST, 3);
    world
}

fn not_before(world: &World, seconds: i64) -> SequenceSpec {
    SequenceSpec { not_before: Some(world.now.shifted_by_ms(seconds * 1_000)), ..look() }
}

#[test]
fn queued_work_says_when_the_machine_was_and_usually_is_heard() {
    let mut world = World::new(1, None);
    let work = world.queue(look());
    let mut read = format!("never seen\n{}", told(&world, work));
    world.settle(FIRST, 5);
    let work = world.queue(look());
    read.push_str(&format!("just seen\n{}", told(&world, work)));
    world.host.is_connected = true;
    read.push_str(&format!("connected\n{}", told(&world, work)));
    world.host.is_connected = false;
    world.pass_seconds(26 * 3_600);
    read.push_str(&format!("quiet since yesterday\n{}", told(&world, work)));
    let mut heard = world.now.shifted_by_ms(-10 * 86_400_000);
    for _ in 0..9 {
        world.host.rhythm.heard(Some(heard), heard.shifted_by_ms(240_000));
        heard = heard.shifted_by_ms(86_400_000);
    }
    read.push_str(&format!("quiet, and usually every 4 min at that hour\n{}", told(&world, work)));
    world.host.is_storage_full = true;
    read.push_str(&format!("no room here\n{}", told(&world, work)));
    insta::assert_snapshot!(read);
}

#[test]
fn work_with_a_time_of_its_own_says_when_in_the_time_of_the_plant() {
    let mut world = at_noon();
    world.move_to_zone("Europe/Berlin");
    let work = world.queue(not_before(&world, 13 * 3_600));
    let mut read = format!("not sent yet\n{}", told(&world, work));
    world.settle(FIRST, 2);
    read.push_str(&format!("on the machine\n{}", told(&world, work)));
    let behind = world.queue(look());
    assert_ne!(code(&world, behind), WaitingCode::Behind, "what waits for its time is in nobody's way (R14)");
    world.settle(FIRST, 3);
    world.pass_seconds(14 * 3_600);
    read.push_str(&format!("its time has come and nobody heard\n{}", told(&world, work)));
    insta::assert_snapshot!(read);
}

#[test]
fn work_behind_other_work_names_it() {
    let mut world = at_noon();
    let mut spec = steps(&["act", "act"]);
    spec.title = Some("Replace the driver".to_owned());
    let first = world.queue(spec);
    world.sync(FIRST);
    let second = world.queue(look());
    let mut read = format!("one is sent, two is queued\n{}", told(&world, second));
    world.sync(FIRST);
    world.sync(FIRST);
    read.push_str(&format!("both are there\n{}{}", told(&world, first), told(&world, second)));
    world.step_ends(FIRST, EndState::Succeeded);
    world.pass_seconds(300);
    read.push_str(&format!("nobody was heard since\n{}{}", told(&world, first), told(&world, second)));
    let third = world.queue(look());
    read.push_str(&format!("a third is queued\n{}", told(&world, third)));
    insta::assert_snapshot!(read);
}

#[test]
fn what_the_machine_says_holds_it_back_is_told_with_when_it_said_so() {
    let mut world = at_noon();
    world.machines[FIRST].limits.journal_bytes_max = 1;
    let full = world.queue(look());
    world.sync(FIRST);
    world.sync(FIRST);
    world.pass_seconds(3_600);
    let mut read = format!("no room there\n{}", told(&world, full));
    assert_eq!(code(&world, full), WaitingCode::JournalFull);

    let mut world = at_noon();
    let work = world.queue(not_before(&world, 600));
    world.settle(FIRST, 2);
    world.power_cut(FIRST);
    // Its clock is back in 1970 after the power came back.
    world.machines[FIRST].clock.offset_ms = -world.now.milliseconds();
    world.power_on(FIRST);
    world.sync(FIRST);
    assert_eq!(code(&world, work), WaitingCode::ClockUnknown);
    read.push_str(&format!("no clock there\n{}", told(&world, work)));
    insta::assert_snapshot!(read);
}

#[test]
fn held_work_says_what_happened_to_the_machine_and_who_decides() {
    let mut read = String::new();

    let mut world = at_noon();
    let held = world.queue(look());
    world.reimage(FIRST);
    world.settle(FIRST, 1);
    read.push_str(&format!("another machine enrolled in its place\n{}", told(&world, held)));
    world.adopt(FIRST);
    read.push_str(&format!("adopted\n{}", told(&world, held)));

    let mut world = at_noon();
    let earlier = world.snapshot();
    world.queue(look());
    world.settle(FIRST, 3);
    world.roll_back(FIRST, &earlier);
    let held = world.queue(look());
    world.power_on(FIRST);
    world.settle(FIRST, 2);
    read.push_str(&format!("set back\n{}", told(&world, held)));
    world.adopt(FIRST);
    read.push_str(&format!("adopted\n{}", told(&world, held)));

    let mut world = at_noon();
    world.power_cut(FIRST);
    let disk = world.snapshot();
    let copy = world.clone_of(disk);
    world.power_on(FIRST);
    world.power_on(copy);
    world.settle(FIRST, 2);
    world.sync(copy);
    let held = world.queue(look());
    read.push_str(&format!("copied\n{}", told(&world, held)));
    world.settle(copy, 2);
    world.adopt(copy);
    read.push_str(&format!("adopted\n{}", told(&world, held)));
    insta::assert_snapshot!(read);
}

#[test]
fn after_a_restore_the_machine_or_a_person_has_the_word() {
    let mut world = at_noon();
    let before_enrolment = world.backup_of_nothing();
    let work = world.queue(look());
    let request = world.request(FIRST).unwrap();
    world.deliver(&request);
    let offered = world.backup();
    world.pass_seconds(3_600);
    world.restore(&offered);
    world.pass_seconds(600);
    let mut read = format!("restored\n{}", told(&world, work));

    world.restore_silently(&before_enrolment);
    world.sync(FIRST);
    let work = world.queue(look());
    read.push_str(&format!("restored from before it was enrolled\n{}", told(&world, work)));
    insta::assert_snapshot!(read);
}

#[test]
fn an_expiry_that_may_come_first_is_told() {
    let mut world = at_noon();
    let mut spec = look();
    spec.expires_in = Some(Milliseconds::from_seconds(2 * 3_600));
    let work = world.queue(spec);
    world.pass_seconds(3_600);
    insta::assert_snapshot!(told(&world, work));
}
