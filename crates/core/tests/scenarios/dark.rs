//! People act on work that they cannot see: what is said of it stays true whatever happens on the machine (R8).

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tidegate_core::api::{SequenceState, SequenceView};
use tidegate_core::call::{EndpointAct, SequenceAct};
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::{EndState, StopOn};
use tidegate_core::time::Milliseconds;

use crate::driver::heal;
use crate::invariants;
use crate::world::{FIRST, World, steps};

/// What people read of a sequence, line by line.
pub(crate) fn told(world: &World, sequence: SequenceId) -> String {
    let view = world.seen(sequence).expect("the sequence is known");
    let mut text = format!("{}: {}\n", word(&view.state), view.reason.as_deref().unwrap_or("-"));
    if let Some(warning) = &view.repeat_warning {
        text.push_str(&format!("  beware: {warning}\n"));
    }
    for step in &view.steps {
        let (index, reason) = (step.index, step.reason.as_deref().unwrap_or("-"));
        text.push_str(&format!("  {index}. {}: {reason}\n", word(&step.state)));
    }
    // Ids are made from seeds; the words are what counts.
    text.replace(&sequence.to_string(), "ID")
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn expiring(words: &[&str], seconds: u64) -> tidegate_core::sequence::SequenceSpec {
    let mut spec = steps(words);
    spec.expires_in = Some(Milliseconds::from_seconds(seconds));
    spec
}

fn retried(world: &mut World, sequence: SequenceId) -> SequenceView {
    let retry = EndpointAct::Sequence { sequence, act: SequenceAct::Retry };
    match world.act(&retry) {
        Ok(tidegate_core::call::Resource::Sequence(view)) => {
            world.truth.queued.insert(view.id, view.steps.iter().map(|step| step.rerun).collect());
            *view
        }
        other => panic!("an ended sequence can be repeated: {other:?}"),
    }
}

#[test]
fn a_cancel_reads_by_how_far_the_work_got() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let never_sent = world.queue(steps(&["act", "act"]));
    world.cancel(never_sent);
    let under_way = world.queue(steps(&["act", "act"]));
    let request = world.request(FIRST).unwrap();
    let answer = world.deliver(&request).answer().unwrap();
    world.cancel(under_way);
    let mut read = format!("before the offer\n{}", told(&world, never_sent));
    read.push_str(&format!("after the offer\n{}", told(&world, under_way)));
    world.answer(FIRST, &answer);
    assert!(world.process(FIRST).is_some(), "it does run");
    read.push_str(&format!("while it runs unseen\n{}", told(&world, under_way)));
    invariants::nothing_is_denied_now(&world);
    world.sync(FIRST);
    world.sync(FIRST);
    read.push_str(&format!("once the machine told\n{}", told(&world, under_way)));
    assert_eq!(world.state(under_way), SequenceState::Cancelled);
    assert_eq!(world.truth.runs(under_way), 1);
    insta::assert_snapshot!(read);
}

#[test]
fn an_expiry_claims_nothing_of_what_was_sent() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let never_sent = world.queue(expiring(&["act"], 600));
    world.pass_seconds(601);
    world.deadlines();
    let mut read = format!("never sent\n{}", told(&world, never_sent));
    let mut spec = expiring(&["act", "act", "act"], 600);
    spec.stop_on = Some(StopOn::Never);
    let sent = world.queue(spec);
    let request = world.request(FIRST).unwrap();
    let answer = world.deliver(&request).answer().unwrap();
    world.answer(FIRST, &answer);
    world.step_ends(FIRST, EndState::Succeeded);
    world.pass_seconds(601);
    world.deadlines();
    assert_eq!(world.state(sent), SequenceState::Offered, "only the journal decides");
    read.push_str(&format!("sent, and its time ran out unseen\n{}", told(&world, sent)));
    let view = world.seen(sent).unwrap();
    read.push_str(&format!("  waits for {}\n", view.waiting_for.unwrap()));
    invariants::nothing_is_denied_now(&world);
    world.power_cut(FIRST);
    world.power_on(FIRST);
    world.settle(FIRST, 2);
    assert_eq!(world.state(sent), SequenceState::Expired);
    read.push_str(&format!("once the machine told\n{}", told(&world, sent)));
    insta::assert_snapshot!(read);
}

#[test]
fn a_repeat_says_whether_an_action_may_run_twice() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let known = world.queue(steps(&["act"]));
    world.settle(FIRST, 3);
    let checks = world.queue(steps(&["look"]));
    world.settle(FIRST, 3);
    let cut_off = world.queue(steps(&["act"]));
    world.sync(FIRST);
    world.reboot(FIRST);
    world.settle(FIRST, 3);
    let mut read = String::new();
    for (name, sequence) in [("it ran", known), ("it only looked", checks), ("it was cut off", cut_off)] {
        let again = retried(&mut world, sequence);
        let warning = again.repeat_warning.unwrap_or_else(|| "nothing to warn of".to_owned());
        read.push_str(&format!("{name}: {warning}\n"));
    }
    world.settle(FIRST, 3);
    let restored = world.queue(expiring(&["act"], 600));
    world.pass_seconds(601);
    world.deadlines();
    let expired = world.backup();
    world.restore(&expired);
    read.push_str(&format!("restored\n{}", told(&world, restored)));
    let again = retried(&mut world, restored);
    read.push_str(&format!("repeated in doubt: {}\n", again.repeat_warning.unwrap()));
    insta::assert_snapshot!(read);
}

#[test]
fn what_is_lost_says_how_far_it_is_known_to_have_come() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let work = world.queue(steps(&["act", "act", "act"]));
    world.sync(FIRST);
    world.step_ends(FIRST, EndState::Succeeded);
    world.sync(FIRST);
    let mut read = format!("under way\n{}", told(&world, work));
    let by = EndpointAct::Revoke;
    assert!(world.act(&by).is_ok());
    read.push_str(&format!("revoked\n{}", told(&world, work)));
    insta::assert_snapshot!(read);
}

/// What happens next, with no restore and no copy among it.
#[derive(Clone, Debug)]
enum Action {
    Queue {
        reruns: bool,
        expires: bool,
    },
    Cancel(usize),
    Retry(usize),
    Sync,
    /// The request arrives and its answer is lost.
    AnswerLost,
    /// The step under way ends.
    Ends(bool),
    PowerCut,
    Pass(i64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(reruns, expires)| Action::Queue { reruns, expires }),
        3 => any::<usize>().prop_map(Action::Cancel),
        1 => any::<usize>().prop_map(Action::Retry),
        5 => Just(Action::Sync),
        3 => Just(Action::AnswerLost),
        4 => any::<bool>().prop_map(Action::Ends),
        2 => Just(Action::PowerCut),
        2 => (1_i64..500).prop_map(Action::Pass),
    ]
}

fn perform(world: &mut World, action: &Action) {
    let queued: Vec<SequenceId> = world.truth.queued.keys().copied().collect();
    let chosen = |number: usize| (!queued.is_empty()).then(|| queued[number % queued.len()]);
    match action {
        Action::Queue { reruns, expires } => {
            let words = if *reruns { ["act again", "look", "act"] } else { ["look", "act", "act"] };
            world.queue(if *expires { expiring(&words, 300) } else { steps(&words) });
        }
        Action::Cancel(number) => {
            if let Some(sequence) = chosen(*number) {
                world.cancel(sequence);
            }
        }
        Action::Retry(number) => {
            let ended = chosen(*number).filter(|sequence| world.state(*sequence).is_ended());
            if let Some(sequence) = ended {
                retried(world, sequence);
            }
        }
        Action::Sync => world.sync(FIRST),
        Action::AnswerLost => {
            if let Some(request) = world.request(FIRST) {
                world.deliver(&request);
            }
        }
        Action::Ends(succeeds) => {
            let state = if *succeeds { EndState::Succeeded } else { EndState::TimedOut };
            world.step_ends(FIRST, state);
        }
        Action::PowerCut => world.reboot(FIRST),
        Action::Pass(seconds) => {
            world.pass_seconds(*seconds);
            world.deadlines();
            world.machine_handle(FIRST, tidegate_core::runtime::Input::Tick);
        }
    }
}

/// Short: each schedule looks at everything after each action.
#[test]
fn at_no_moment_is_anything_denied_that_ran() {
    let config =
        Config { cases: 200, rng_seed: RngSeed::Fixed(8), failure_persistence: None, ..Config::default() };
    let schedules = prop::collection::vec(action(), 1..40);
    let result = TestRunner::new(config).run(&schedules, |actions| {
        let mut world = World::new(1, None);
        for action in &actions {
            perform(&mut world, action);
            invariants::nothing_is_denied_now(&world);
        }
        heal(&mut world);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
