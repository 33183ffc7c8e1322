//! What people do with a sequence besides running it: which goes first, who looked at it, whose it is.

use tidegate_core::api::{EndpointPatch, EndpointView, SequenceState, SequenceView, WaitingCode};
use tidegate_core::call::{EndpointAct, Resource, SequenceAct};
use tidegate_core::error::Error;
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::EndState;

use crate::world::{FIRST, World, look, steps};

fn act(world: &mut World, sequence: SequenceId, act: SequenceAct) -> Result<SequenceView, String> {
    match world.act(&EndpointAct::Sequence { sequence, act }) {
        Ok(Resource::Sequence(view)) => Ok(*view),
        Err(Error::Problem(problem)) => Err(problem.detail),
        other => panic!("{other:?}"),
    }
}

/// Which sequence the machine performs.
fn performed(world: &World) -> Option<SequenceId> {
    world.process(FIRST).map(|(sequence, ..)| sequence)
}

#[test]
fn what_was_put_first_runs_first_and_the_others_in_their_order() {
    let mut world = World::new(1, None);
    let ids: Vec<_> = (0..4).map(|_| world.queue(look())).collect();
    act(&mut world, ids[3], SequenceAct::RunNext).unwrap();
    let view = act(&mut world, ids[2], SequenceAct::RunNext).unwrap();
    assert_eq!(view.run_next.unwrap().by, "technician@example.org");
    let ahead = |world: &World, index: usize| world.seen(ids[index]).unwrap().waiting.unwrap().sequence;
    assert_eq!(ahead(&world, 2), None);
    assert_eq!(ahead(&world, 0).unwrap().id, ids[2]);
    world.sync(FIRST);
    world.sync(FIRST);
    assert_eq!(performed(&world), Some(ids[2]));
    world.settle(FIRST, 6);
    let started = |id: SequenceId| world.seen(id).unwrap().steps[0].attempts[0].started_at.unwrap();
    assert!([2, 3, 0, 1].map(|index| started(ids[index])).is_sorted());
    assert_eq!(world.transcript_count("run_next"), 2);
}

#[test]
fn what_was_sent_is_not_put_first_and_what_is_first_is_not_put_there_again() {
    let mut world = World::new(1, None);
    let sent = world.queue(look());
    world.sync(FIRST);
    world.sync(FIRST);
    let first = world.queue(look());
    act(&mut world, first, SequenceAct::RunNext).unwrap();
    assert_eq!(world.transcript_count("run_next"), 0, "nothing that could be moved stood before it");
    let second = world.queue(look());
    act(&mut world, second, SequenceAct::RunNext).unwrap();
    let ahead = world.seen(second).unwrap().waiting.unwrap();
    assert_eq!((ahead.code, ahead.sequence.unwrap().id), (WaitingCode::Behind, sent), "it was sent before");
    let refused = act(&mut world, sent, SequenceAct::RunNext).unwrap_err();
    assert!(refused.contains("sent already") && refused.contains("in the order it came"), "{refused}");
    world.settle(FIRST, 6);
    let refused = act(&mut world, sent, SequenceAct::RunNext).unwrap_err();
    assert!(refused.contains("only one that is queued"), "{refused}");
}

#[test]
fn a_review_says_who_looked_and_is_taken_back_by_name() {
    let mut world = World::new(1, None);
    let work = world.queue(look());
    let refused = act(&mut world, work, SequenceAct::Review).unwrap_err();
    assert!(refused.contains("only one that is ended"), "{refused}");
    world.settle(FIRST, 4);
    let reviewed_at = world.now;
    let view = act(&mut world, work, SequenceAct::Review).unwrap();
    world.pass_seconds(60);
    assert_eq!(act(&mut world, work, SequenceAct::Review).unwrap(), view, "a repeat changes nothing");
    assert_eq!(view.reviewed.map(|reviewed| reviewed.at), Some(reviewed_at));
    act(&mut world, work, SequenceAct::Note("seen".into())).unwrap();
    assert!(world.seen(work).unwrap().reviewed.is_some(), "a note changes no outcome");
    let view = act(&mut world, work, SequenceAct::Unreview).unwrap();
    assert_eq!(view.reviewed, None);
    act(&mut world, work, SequenceAct::Unreview).unwrap();
    assert_eq!(["reviewed", "unreviewed"].map(|kind| world.transcript_count(kind)), [1, 1]);
}

#[test]
fn late_evidence_takes_a_review_away() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let work = world.queue(look());
    world.sync(FIRST);
    let second = world.machine_add();
    world.enrol(second);
    assert!(world.adopt(second));
    world.run_out(FIRST);
    assert_eq!(world.state(work), SequenceState::Lost);
    let view = act(&mut world, work, SequenceAct::Review).unwrap();
    assert!(view.reviewed.is_some());
    world.sync(FIRST);
    assert_eq!(world.state(work), SequenceState::Succeeded, "the machine it was sent to tells of it");
    assert_eq!(world.seen(work).unwrap().reviewed, None, "somebody looked at another outcome");
}

#[test]
fn a_sequence_is_given_to_a_person_and_to_nobody() {
    let mut world = World::new(1, None);
    let work = world.queue(look());
    for wrong in ["", "ben", "b en@example.com", &format!("{}@x", "b".repeat(200))] {
        assert!(act(&mut world, work, SequenceAct::Assign(Some(wrong.into()))).is_err(), "{wrong}");
    }
    let to = Some("ben@example.com".to_owned());
    assert_eq!(act(&mut world, work, SequenceAct::Assign(to.clone())).unwrap().assignee, to);
    act(&mut world, work, SequenceAct::Assign(to)).unwrap();
    assert_eq!(act(&mut world, work, SequenceAct::Assign(None)).unwrap().assignee, None);
    assert_eq!(world.transcript_count("assigned"), 2);
}

#[test]
fn a_listing_tells_the_fault_in_one_line() {
    let mut world = World::new(1, None);
    let work = world.queue(steps(&["look", "act"]));
    let worst = |world: &World| world.summary(work).worst;
    world.sync(FIRST);
    world.sync(FIRST);
    assert_eq!(worst(&world), None);
    world.step_ends(FIRST, EndState::Succeeded);
    world.step_ends(FIRST, EndState::Failed);
    world.settle(FIRST, 2);
    assert_eq!(worst(&world).as_deref(), Some("act: failed"));
    assert_eq!(world.summary(work).ended_at, world.seen(work).unwrap().ended_at);
}

#[test]
fn a_listing_counts_what_was_cut_off() {
    let mut world = World::new(1, None);
    let work = world.queue(look());
    world.sync(FIRST);
    world.sync(FIRST);
    world.reboot(FIRST);
    world.settle(FIRST, 3);
    let summary = world.summary(work);
    assert_eq!(summary.interrupted, 1);
    assert_eq!(summary.worst.as_deref(), Some("look: interrupted, it may have had its effect"));
}

fn endpoint_act(world: &mut World, act: &EndpointAct) -> Result<EndpointView, String> {
    match world.act(act) {
        Ok(Resource::Endpoint(view)) => Ok(*view),
        Err(Error::Problem(problem)) => Err(problem.detail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn notes_on_a_machine_are_told_newest_first_and_the_transcript_keeps_them_all() {
    let mut world = World::new(1, None);
    for number in 0..52 {
        world.pass_seconds(1);
        endpoint_act(&mut world, &EndpointAct::Note(format!("note {number}"))).unwrap();
    }
    let notes = world.endpoint_seen().unwrap().notes;
    let texts: Vec<_> = notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!((texts.len(), texts.first(), texts.last()), (50, Some(&"note 51"), Some(&"note 2")));
    assert_eq!((notes[0].by.as_str(), notes[0].at), ("technician@example.org", world.now));
    assert_eq!(world.transcript_count("noted"), 52);
    for wrong in [" \n".to_owned(), "x".repeat(10_001)] {
        assert!(endpoint_act(&mut world, &EndpointAct::Note(wrong)).is_err());
    }
}

#[test]
fn tags_are_replaced_as_a_whole_and_bounded() {
    let mut world = World::new(1, None);
    let mut tag = |tags: &[String]| {
        let if_match = world.endpoint_seen().unwrap().revision;
        let patch = EndpointPatch { tags: Some(tags.to_vec()), ..EndpointPatch::default() };
        endpoint_act(&mut world, &EndpointAct::Edit { if_match, patch, site: None }).map(|view| view.tags)
    };
    let given = ["line 4", " press ", "line 4"].map(str::to_owned);
    assert_eq!(tag(&given).unwrap(), ["line 4", "press"], "without the spaces around, each once");
    for wrong in [vec![String::new()], vec!["a\nb".into()], vec!["x".repeat(51)], vec!["x".into(); 21]] {
        assert!(tag(&wrong).is_err(), "{wrong:?}");
    }
    let twenty: Vec<_> = (0..20).map(|number| format!("{number:050}")).collect();
    assert_eq!(tag(&twenty).unwrap(), twenty);
    assert_eq!(tag(&[]).unwrap(), [""; 0]);
}
