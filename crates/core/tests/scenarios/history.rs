//! What a machine was like before: the same step the last time, and when it was heard.

use tidegate_core::api::{ComparisonView, ContactKind, ContactsView, StepState};
use tidegate_core::call::{Answer, EndpointQuestion, SequenceAct};
use tidegate_core::id::SequenceId;
use tidegate_core::runtime::Input;
use tidegate_core::sequence::{EndState, SequenceSpec};
use tidegate_core::time::Timestamp;

use crate::world::{FIRST, World, look, steps};

fn previous(world: &World, sequence: SequenceId, step: u32) -> ComparisonView {
    match world.asked(EndpointQuestion::Previous { sequence, step }) {
        Ok(Answer::Comparison(view)) => *view,
        other => panic!("{other:?}"),
    }
}

fn contacts(world: &World, seconds: i64) -> ContactsView {
    let since = world.now.shifted_by_ms(-seconds * 1_000);
    match world.asked(EndpointQuestion::Contacts { since }) {
        Ok(Answer::Contacts(view)) => view,
        other => panic!("{other:?}"),
    }
}

/// Kinds and lengths in seconds, after a check that nothing is left out.
fn spans(view: &ContactsView) -> Vec<(ContactKind, i64)> {
    let mut at = view.since;
    for span in &view.spans {
        assert!(span.from == at && span.to > span.from, "{view:?}");
        at = span.to;
    }
    assert_eq!(at, view.at);
    let seconds = |from: Timestamp, to: Timestamp| (to.milliseconds() - from.milliseconds()) / 1_000;
    view.spans.iter().map(|span| (span.kind, seconds(span.from, span.to))).collect()
}

#[test]
fn a_step_is_compared_with_its_last_run_with_the_same_arguments() {
    let mut world = World::new(1, None);
    let about = |host: &str| {
        let mut spec = look();
        spec.steps[0].with.insert("host".into(), host.into());
        spec
    };
    let first = world.queue(about("a"));
    world.sync(FIRST);
    world.sync(FIRST);
    world.step_ends(FIRST, EndState::Failed);
    world.settle(FIRST, 2);
    let other = world.queue(about("b"));
    world.settle(FIRST, 3);
    let cancelled = world.queue(about("a"));
    assert!(world.sequence_act(cancelled, SequenceAct::Cancel));
    let last = world.queue(about("a"));
    world.settle(FIRST, 4);
    let found = previous(&world, last, 1).previous.unwrap();
    assert_eq!((found.sequence_id, found.step, found.attempt.state), (first, 1, StepState::Failed));
    assert_eq!(found.attempt.result.unwrap().summary, "failed");
    assert_eq!(found.ended_at, world.seen(first).unwrap().ended_at);
    assert_eq!(previous(&world, other, 1).previous, None);
    assert_eq!(previous(&world, first, 1).previous, None, "what came later is not before");
}

#[test]
fn a_step_is_compared_with_an_earlier_one_of_its_own_sequence() {
    let mut world = World::new(1, None);
    let work = world.queue(steps(&["look", "act", "look"]));
    world.settle(FIRST, 5);
    let found = previous(&world, work, 3).previous.unwrap();
    assert_eq!((found.sequence_id, found.step), (work, 1));
    assert_eq!(previous(&world, work, 1).previous, None);
    assert_eq!(previous(&world, work, 2).previous, None);
    assert_eq!(previous(&world, work, 2).looked_since, world.seen(work).unwrap().created_at);
}

#[test]
fn what_has_not_run_is_compared_with_the_newest_of_all() {
    let mut world = World::new(1, None);
    world.queue(look());
    world.settle(FIRST, 4);
    let second = world.queue(look());
    world.settle(FIRST, 4);
    let waits = world.queue(SequenceSpec { not_before: Some(world.now.shifted_by_ms(60_000)), ..look() });
    assert_eq!(previous(&world, waits, 1).previous.unwrap().sequence_id, second);
}

#[test]
fn a_machine_that_is_silent_is_unknown_from_its_last_contact_on() {
    let mut world = World::new(1, None);
    assert_eq!(spans(&contacts(&world, 600)), [(ContactKind::Unknown, 600)]);
    world.pass_seconds(1_000);
    world.settle(FIRST, 3);
    world.queue(look());
    world.settle(FIRST, 3);
    world.pass_seconds(2_000);
    let told = spans(&contacts(&world, 4_000));
    let [(ContactKind::Unknown, _), (ContactKind::Heard, heard), (ContactKind::Unknown, silent)] = told[..]
    else {
        panic!("{told:?}")
    };
    assert!((3..=6).contains(&heard) && (1_999..=2_001).contains(&silent), "{told:?}");
    world.host.is_connected = true;
    let told = spans(&contacts(&world, 1_000));
    assert_eq!(
        told,
        [(ContactKind::Presumed, 1_000)],
        "a held sync is heard now, and in between nobody told"
    );
}

#[test]
fn an_outage_is_told_as_the_machine_saw_it_and_a_start_leaves_the_time_before_open() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    world.pass_seconds(7_200);
    let closed_at = world.now.shifted_by_ms(-3_600_000);
    world.machine_handle(FIRST, Input::Link { closed_at, attempts: 9, problem: "timed out".into() });
    world.settle(FIRST, 2);
    let view = contacts(&world, 5_000);
    let outage = view.spans.iter().find(|span| span.kind == ContactKind::Outage).unwrap();
    assert_eq!((outage.from, outage.problem.as_deref()), (closed_at, Some("timed out")));
    assert_eq!(spans(&view)[0].0, ContactKind::Presumed);
    world.pass_seconds(7_200);
    world.reboot(FIRST);
    world.settle(FIRST, 2);
    let told = spans(&contacts(&world, 5_000));
    assert_eq!(told[0].0, ContactKind::Unknown, "it may have been off: {told:?}");
    assert_eq!(contacts(&world, i64::MAX / 2_000).since, world.now.shifted_by_ms(-31 * 86_400_000));
}
