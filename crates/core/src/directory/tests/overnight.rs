//! A morning: every sequence is in the group that says what it asks of a person, and in no other.

use proptest::prelude::*;

use crate::api::{
    Attention, OvernightItem, OvernightView, Reachability, SequenceState, SequenceSummary, SitePatch,
    WaitingCode,
};
use crate::call::{Answer, DirectoryAct, DirectoryQuestion, Seen};
use crate::sequence::PersonAct;
use crate::time::{Milliseconds, Timestamp};

use super::support::{World, endpoint_id, endpoint_view, projection, summary};

const STATES: [SequenceState; 14] = [
    SequenceState::Draft,
    SequenceState::Queued,
    SequenceState::Held,
    SequenceState::Offered,
    SequenceState::Delivered,
    SequenceState::Running,
    SequenceState::Cancelling,
    SequenceState::Succeeded,
    SequenceState::Failed,
    SequenceState::Stopped,
    SequenceState::Refused,
    SequenceState::Cancelled,
    SequenceState::Expired,
    SequenceState::Lost,
];

fn overnight(world: &World, since: Timestamp, limit: u32) -> OvernightView {
    match world.try_ask(DirectoryQuestion::Overnight { since, limit }) {
        Ok(Answer::Overnight(view)) => *view,
        other => panic!("{other:?}"),
    }
}

fn ids(items: &[OvernightItem]) -> Vec<String> {
    items.iter().map(|item| item.sequence.title.clone()).collect()
}

fn earlier(world: &World, span: &str) -> Timestamp {
    let span = Milliseconds::parse(span).unwrap();
    world.now.shifted_by_ms(-i64::try_from(span.0).unwrap())
}

/// A world with one machine, which told of these sequences.
fn world_with(sequences: impl FnOnce(&World) -> Vec<SequenceSummary>) -> World {
    let mut world = World::new();
    let site = world.some_site();
    let mut told = projection(1, endpoint_view(1, "hmi-3", &site));
    told.sequences = sequences(&world);
    world.project(told);
    world
}

fn reviewed(at: Timestamp) -> Option<PersonAct> {
    Some(PersonAct { by: "ben@example.com".into(), at })
}

#[test]
fn what_ended_with_a_fault_stays_until_somebody_reviews_it() {
    let mut world = world_with(|world| {
        let old = earlier(world, "30d");
        let mut fault = summary(endpoint_id(1), 1, SequenceState::Succeeded, old);
        (fault.attention, fault.worst) = (1, Some("ping 10.20.0.5: no reply".into()));
        vec![fault]
    });
    let since = earlier(&world, "1d");
    let view = overnight(&world, since, 200);
    let [item] = view.needs_person.items.as_slice() else { panic!("{view:?}") };
    assert_eq!(item.sequence.worst.as_deref(), Some("ping 10.20.0.5: no reply"));
    assert_eq!(
        (&*item.machine.endpoint_name, &*item.machine.client_name, &*item.machine.site_name),
        ("hmi-3", "Acme", "Plant North")
    );
    assert_eq!(item.machine.time_zone, "UTC");
    assert!(view.clean.items.is_empty());
    let south = world.site(item.machine.client_id, "South");
    let patch = SitePatch { name: None, time_zone: Some("Asia/Tokyo".into()), windows: None };
    world.act(DirectoryAct::EditSite { site: south.id, patch }).unwrap();
    let mut told = projection(2, endpoint_view(1, "hmi-3", &south));
    told.sequences = vec![SequenceSummary { reviewed: reviewed(world.now), ..item.sequence.clone() }];
    world.project(told);
    let view = overnight(&world, since, 200);
    assert!(view.needs_person.items.is_empty());
    assert_eq!(view.clean.items[0].sequence.reviewed, reviewed(world.now));
    assert_eq!(view.clean.items[0].machine.site_name, "South", "names are those of now");
    assert_eq!(view.clean.items[0].machine.time_zone, "Asia/Tokyo", "and so are zones");
}

#[test]
fn what_expired_waits_for_a_decision_and_what_expired_with_a_fault_for_a_look() {
    let world = world_with(|world| {
        let plain = summary(endpoint_id(1), 1, SequenceState::Expired, world.now);
        let mut fault = summary(endpoint_id(1), 2, SequenceState::Expired, world.now);
        fault.worst = Some("ping: no reply".into());
        let mut seen = summary(endpoint_id(1), 3, SequenceState::Expired, world.now);
        seen.reviewed = reviewed(world.now);
        vec![plain, fault, seen]
    });
    let view = overnight(&world, earlier(&world, "1d"), 200);
    assert_eq!(ids(&view.held_or_missed.items), ["sequence 1"]);
    assert_eq!(ids(&view.needs_person.items), ["sequence 2"]);
    assert_eq!(ids(&view.clean.items), ["sequence 3"]);
}

#[test]
fn a_machine_that_missed_its_usual_hour_is_told_and_one_that_has_time_left_waits() {
    let mut world = World::new();
    let site = world.some_site();
    // It is 12:00, and both were last heard at 02:30.
    for (number, hours) in [(1, vec![2, 11]), (2, vec![2, 12])] {
        let mut endpoint = endpoint_view(number, &format!("hmi-{number}"), &site);
        endpoint.usual_hours_utc = hours;
        endpoint.usual_interval_ms = Some(30_000);
        endpoint.last_seen_at = Some(earlier(&world, "570m"));
        let mut told = projection(1, endpoint);
        let queued_at = earlier(&world, "8h");
        told.sequences = vec![summary(endpoint_id(number), number, SequenceState::Queued, queued_at)];
        world.project(told);
    }
    let view = overnight(&world, earlier(&world, "1d"), 200);
    assert_eq!(ids(&view.held_or_missed.items), ["sequence 1"]);
    assert_eq!(view.held_or_missed.items[0].missed_at, Some(world.now), "the hour ended at 12:00");
    assert_eq!(ids(&view.waiting.items), ["sequence 2"]);
    let waiting = view.waiting.items[0].waiting.clone().unwrap();
    assert_eq!((waiting.code, waiting.usual_hours_utc), (WaitingCode::NoContact, vec![2, 12]));
    world.heard.seen.insert(endpoint_id(1), Seen { at: world.now, skew_ms: None });
    let view = overnight(&world, earlier(&world, "1d"), 200);
    assert_eq!(view.held_or_missed.items.len(), 0, "it was heard after all");
    let code = |index: usize| view.waiting.items[index].waiting.as_ref().unwrap().code;
    assert_eq!(std::collections::BTreeSet::from([code(0), code(1)]).len(), 2);
}

#[test]
fn without_usual_hours_an_hour_of_silence_at_least_is_a_missed_contact() {
    let mut world = World::new();
    let site = world.some_site();
    for (number, interval_ms, silent) in
        [(1, Some(30_000), "61m"), (2, Some(30_000), "59m"), (3, Some(3_600_000), "9h"), (4, None, "9d")]
    {
        let mut endpoint = endpoint_view(number, "x", &site);
        endpoint.usual_interval_ms = interval_ms;
        endpoint.last_seen_at = Some(earlier(&world, silent));
        let mut told = projection(1, endpoint);
        let queued_at = earlier(&world, "20d");
        told.sequences = vec![summary(endpoint_id(number), number, SequenceState::Offered, queued_at)];
        world.project(told);
    }
    let view = overnight(&world, earlier(&world, "1d"), 200);
    assert_eq!(ids(&view.held_or_missed.items), ["sequence 1"]);
    assert_eq!(view.waiting.items.len(), 3);
    assert_eq!(endpoint_view(1, "x", &site).reachability, Reachability::NeverSeen, "what was told is older");
}

#[test]
fn a_machine_whose_identity_is_in_doubt_needs_a_person_and_one_with_a_wrong_clock_does_not() {
    let mut world = World::new();
    let site = world.some_site();
    let attention = |code: &str| Attention { code: code.into(), reason: "why".into(), clears: "what".into() };
    for (number, code) in [(1, "candidate_journal"), (2, "clock_skew"), (3, "tampered")] {
        let mut endpoint = endpoint_view(number, &format!("hmi-{number}"), &site);
        endpoint.attention = vec![attention(code), attention("held")];
        world.project(projection(1, endpoint));
    }
    let view = overnight(&world, world.now, 1);
    let [machine] = view.machines.items.as_slice() else { panic!("{view:?}") };
    assert_eq!((&*machine.machine.endpoint_name, view.machines.rest), ("hmi-1", 1));
    assert_eq!(machine.attention, [attention("candidate_journal")]);
    world.project(projection(2, endpoint_view(1, "hmi-1", &site)));
    assert_eq!(overnight(&world, world.now, 9).machines.items.len(), 1, "it was cleared");
}

#[test]
fn a_machine_with_many_faults_hides_no_other() {
    for state in
        [SequenceState::Failed, SequenceState::Held, SequenceState::Running, SequenceState::Succeeded]
    {
        let mut world = World::new();
        let site = world.some_site();
        for (machine, count, age) in [(1, 8, "1h"), (2, 1, "20h")] {
            let at = earlier(&world, age);
            let mut told = projection(1, endpoint_view(machine, &format!("hmi-{machine}"), &site));
            let sequences = (1..=count).map(|number| summary(endpoint_id(machine), number, state, at));
            told.sequences = sequences.collect();
            world.project(told);
        }
        let view = overnight(&world, earlier(&world, "1d"), 6);
        let groups = [&view.needs_person, &view.held_or_missed, &view.waiting, &view.clean];
        let group = groups.iter().find(|group| !group.items.is_empty()).unwrap();
        let machines: Vec<_> = group.items.iter().map(|item| &*item.machine.endpoint_name).collect();
        assert_eq!(machines, ["hmi-1", "hmi-1", "hmi-1", "hmi-1", "hmi-1", "hmi-2"], "{state:?}");
        let more: Vec<_> = group.items.iter().map(|item| item.more_of_machine).collect();
        assert_eq!((more, group.rest), (vec![0, 0, 0, 0, 3, 0], 3), "{state:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_sequence_is_in_one_group_or_counted(
        told in prop::collection::vec((0..STATES.len(), 0_u32..2, any::<bool>(), 0_i64..72), 0..40),
        limit in 1_u32..12,
    ) {
        let world = world_with(|world| {
            let sequences = (1..).zip(&told).map(|(number, (state, attention, is_reviewed, hours))| {
                let at = world.now.shifted_by_ms(-hours * 3_600_000);
                let mut sequence = summary(endpoint_id(1), number, STATES[*state], at);
                sequence.attention = *attention;
                sequence.reviewed = reviewed(at).filter(|_| *is_reviewed && sequence.state.is_ended());
                sequence
            });
            sequences.collect()
        });
        let whole = overnight(&world, earlier(&world, "4d"), 500);
        let groups = [&whole.needs_person, &whole.held_or_missed, &whole.waiting, &whole.clean];
        let mut shown: Vec<String> = groups.iter().flat_map(|group| ids(&group.items)).collect();
        let drafts = told.iter().filter(|(state, ..)| STATES[*state] == SequenceState::Draft).count();
        let hidden: u64 = groups.iter().map(|group| group.rest).sum();
        prop_assert_eq!(shown.len() as u64 + hidden, (told.len() - drafts) as u64);
        let all = shown.len();
        shown.sort();
        shown.dedup();
        prop_assert_eq!(shown.len(), all);
        let cut = overnight(&world, earlier(&world, "4d"), limit);
        for (cut, whole) in [&cut.needs_person, &cut.held_or_missed, &cut.waiting, &cut.clean].iter().zip(groups) {
            prop_assert_eq!(cut.items.len() as u64 + cut.rest, whole.items.len() as u64 + whole.rest);
            prop_assert_eq!(cut.items.len(), whole.items.len().min(limit as usize));
        }
        let since = earlier(&world, "1d");
        let recent = overnight(&world, since, 500);
        prop_assert_eq!(&recent.needs_person, &whole.needs_person, "a fault does not age");
        prop_assert!(recent.clean.items.iter().all(|item| item.sequence.ended_at >= Some(since)));
    }
}
