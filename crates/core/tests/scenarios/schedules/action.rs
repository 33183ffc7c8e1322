//! What a schedule is made of, and how often each part comes.

use proptest::prelude::*;

use crate::world::Altered;

/// What happens next. Numbers choose among what there is, by remainder.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Queue(u8),
    Cancel(usize),
    Release(usize),
    RunNext(usize),
    Sync(usize, Fate),
    LateRequest(usize),
    ControlRestart,
    Rotate(bool),
    LateAnswer(usize, usize),
    StepEnds(usize, bool),
    Reboot(usize),
    PowerCut(usize),
    ClockOff(usize, i64),
    CrashIn(u64),
    PassSeconds(i64),
    PruneAtOnce(usize),
    Backup,
    Restore(usize),
    Snapshot(usize),
    Clone(usize),
    RollBack(usize, usize),
    Reimage(usize),
    Adopt(usize),
    AdoptAny(usize),
    Depart,
}

/// What the wire does with one round trip.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Fine,
    RequestLost,
    RequestCut,
    RequestTwice,
    AnswerLost,
    AnswerTwice,
    Altered(Altered),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Fine),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::RequestCut),
        1 => Just(Fate::RequestTwice),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::AnswerTwice),
        1 => Just(Fate::Altered(Altered::OrderSignature)),
        1 => Just(Fate::Altered(Altered::Work)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let number = 0..8_usize;
    prop_oneof![
        6 => any::<u8>().prop_map(Action::Queue),
        2 => number.clone().prop_map(Action::Cancel),
        1 => number.clone().prop_map(Action::Release),
        1 => number.clone().prop_map(Action::RunNext),
        20 => (number.clone(), fate()).prop_map(|(machine, fate)| Action::Sync(machine, fate)),
        3 => number.clone().prop_map(Action::LateRequest),
        1 => Just(Action::ControlRestart),
        1 => any::<bool>().prop_map(Action::Rotate),
        2 => (number.clone(), number.clone()).prop_map(|(machine, which)| Action::LateAnswer(machine, which)),
        6 => (number.clone(), any::<bool>()).prop_map(|(machine, succeeds)| Action::StepEnds(machine, succeeds)),
        2 => number.clone().prop_map(Action::Reboot),
        1 => number.clone().prop_map(Action::PowerCut),
        1 => (number.clone(), prop_oneof![Just(-1_800_000_000_000), Just(-100_000), Just(0), Just(300_000_000_000)])
            .prop_map(|(machine, offset_ms)| Action::ClockOff(machine, offset_ms)),
        3 => (1..4_u64).prop_map(Action::CrashIn),
        2 => prop_oneof![Just(10), Just(400), Just(4_000), Just(700_000)].prop_map(Action::PassSeconds),
        1 => number.clone().prop_map(Action::PruneAtOnce),
        2 => Just(Action::Backup),
        3 => number.clone().prop_map(Action::Restore),
        2 => number.clone().prop_map(Action::Snapshot),
        1 => number.clone().prop_map(Action::Clone),
        2 => (number.clone(), number.clone()).prop_map(|(machine, which)| Action::RollBack(machine, which)),
        1 => number.clone().prop_map(Action::Reimage),
        3 => number.clone().prop_map(Action::Adopt),
        1 => number.prop_map(Action::AdoptAny),
        1 => Just(Action::Depart),
    ]
}

/// Restores are announced, or there is no other machine: a restore that nobody announces and a machine that was
/// replaced together are outside the promises (R9).
pub(super) fn schedules() -> impl Strategy<Value = (bool, Vec<Action>)> {
    (any::<bool>(), prop::collection::vec(action(), 1..40))
}
