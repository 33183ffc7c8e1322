//! Random schedules of everything that can go wrong, short ones, shrunk where a promise breaks.
//!
//! `PROPTEST_CASES` runs more of them and `PROPTEST_RNG_SEED` others.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tidegate_core::call::SequenceAct;
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::EndState;
use tidegate_core::time::Milliseconds;

use crate::driver::heal;
use crate::world::{Altered, Backup, Delivered, FIRST, Message, Snapshot, World, steps};

/// What happens next. Numbers choose among what there is, by remainder.
#[derive(Clone, Debug)]
enum Action {
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
}

/// What the wire does with one round trip.
#[derive(Clone, Copy, Debug)]
enum Fate {
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
    ]
}

/// Restores are announced, or there is no other machine: a restore that nobody announces and a machine that was
/// replaced together are outside the promises (R9).
fn schedules() -> impl Strategy<Value = (bool, Vec<Action>)> {
    (any::<bool>(), prop::collection::vec(action(), 1..40))
}

struct Run {
    world: World,
    is_announced: bool,
    work: Vec<SequenceId>,
    requests: Vec<Message>,
    answers: Vec<Vec<u8>>,
    backups: Vec<Backup>,
    snapshots: Vec<Snapshot>,
}

#[test]
fn no_random_schedule_breaks_a_promise() {
    check(400, |_| false);
}

/// The same schedules; the person who queues the work is deactivated now and then.
#[test]
fn no_random_schedule_in_which_people_are_deactivated_breaks_a_promise() {
    check(100, |step| step % 5 == 4);
}

/// Plays `cases` schedules; after which of its actions the technician is deactivated, `departs` says.
fn check(cases: u32, departs: fn(usize) -> bool) {
    let mut config = Config { failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    if config.cases == 256 {
        config.cases = cases;
    }
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let result = TestRunner::new(config).run(&schedules(), |(is_announced, actions)| {
        run(is_announced, &actions, departs);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn a_ticket_of_another_journal_keeps_no_work_waiting() {
    // The late answer belongs to the second image, and the machine runs the third.
    run(
        true,
        &[
            Action::Reimage(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::Reimage(0),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Sync(0, Fate::Fine),
            Action::LateAnswer(0, 2),
        ],
        |_| false,
    );
}

#[test]
fn a_candidate_that_returns_after_another_was_adopted_is_shown_to_people() {
    run(
        true,
        &[
            Action::Reimage(0),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::RollBack(0, 0),
        ],
        |_| false,
    );
    run(
        true,
        &[
            Action::Snapshot(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::RollBack(0, 0),
            Action::Sync(0, Fate::Fine),
            Action::Sync(0, Fate::Fine),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::RollBack(0, 1),
        ],
        |_| false,
    );
}

#[test]
fn an_idle_sync_from_before_a_restart_is_a_repeat_after_it() {
    let sync = Action::Sync(0, Fate::Fine);
    run(
        false,
        &[
            sync.clone(),
            sync.clone(),
            sync.clone(),
            Action::Sync(0, Fate::RequestTwice),
            Action::ControlRestart,
            sync,
            Action::Queue(0),
            Action::LateRequest(0),
        ],
        |_| false,
    );
}

#[test]
fn an_attempt_that_a_copy_makes_of_lost_work_is_lost_until_its_end_is_told() {
    run(
        true,
        &[
            Action::Queue(113),
            Action::Sync(0, Fate::Fine),
            Action::StepEnds(0, true),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::Clone(0),
            Action::Queue(0),
        ],
        |_| false,
    );
}

#[test]
fn work_that_was_taken_back_in_a_gap_ends_after_a_restore_that_forgot_it() {
    let altered = |altered| Action::Sync(0, Fate::Altered(altered));
    run(
        false,
        &[
            Action::Queue(0),
            altered(Altered::Work),
            altered(Altered::OrderSignature),
            altered(Altered::OrderSignature),
            Action::Backup,
            Action::PruneAtOnce(0),
            Action::Sync(0, Fate::Fine),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Restore(0),
        ],
        |_| false,
    );
}

/// Outside of G2, and known to be: only the copy knows the work, and the control plane was set back to before it.
#[test]
fn a_restore_forgets_what_only_a_copy_of_the_machine_ran() {
    run(
        true,
        &[
            Action::Snapshot(0),
            Action::Clone(0),
            Action::Queue(0),
            Action::Backup,
            Action::PowerCut(1),
            Action::Sync(1, Fate::Fine),
            Action::Restore(0),
        ],
        |_| false,
    );
}

/// The entries that would show the fork are pruned on one of the two machines: their hashes still do.
#[test]
fn a_copy_is_noticed_although_the_entries_that_differ_are_pruned() {
    run(
        true,
        &[
            Action::Queue(0),
            Action::Snapshot(0),
            Action::PruneAtOnce(0),
            Action::Backup,
            Action::Sync(0, Fate::Fine),
            Action::Clone(0),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Restore(0),
            Action::Queue(128),
            Action::Sync(1, Fate::AnswerTwice),
        ],
        |_| false,
    );
}

#[test]
fn a_machine_that_was_replaced_does_not_answer_for_a_copy_that_has_the_work() {
    run(
        true,
        &[
            Action::Backup,
            Action::Queue(0),
            Action::Sync(0, Fate::Fine),
            Action::Restore(0),
            Action::Sync(0, Fate::Fine),
            Action::Snapshot(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::Clone(0),
            Action::Reimage(0),
        ],
        |_| false,
    );
}

fn run(is_announced: bool, actions: &[Action], departs: fn(usize) -> bool) {
    let mut run = Run {
        world: World::new(2, Some(0)),
        is_announced,
        work: Vec::new(),
        requests: Vec::new(),
        answers: Vec::new(),
        backups: Vec::new(),
        snapshots: Vec::new(),
    };
    for (step, action) in actions.iter().enumerate() {
        run.world.pass_seconds(1);
        run.act(action);
        if departs(step) {
            run.world.technician_departs();
        }
        run.world.deadlines();
    }
    heal(&mut run.world);
}

/// The one that `number` chooses; `None`: there are none.
fn chosen<T>(items: &[T], number: usize) -> Option<&T> {
    items.get(number.checked_rem(items.len())?)
}

impl Run {
    fn act(&mut self, action: &Action) {
        let machine = |number: &usize| number % self.world.machines.len();
        match action {
            Action::Queue(kind) => self.queue(*kind),
            Action::Cancel(number) => {
                if let Some(work) = chosen(&self.work, *number) {
                    self.world.cancel(*work);
                }
            }
            Action::Release(number) => {
                if let Some(work) = chosen(&self.work, *number) {
                    self.world.release(*work);
                }
            }
            Action::RunNext(number) => {
                if let Some(work) = chosen(&self.work, *number) {
                    self.world.sequence_act(*work, SequenceAct::RunNext);
                }
            }
            Action::Sync(number, fate) => self.sync(machine(number), *fate),
            Action::LateRequest(number) => {
                if let Some(request) = chosen(&self.requests, *number) {
                    self.world.deliver(request);
                }
            }
            Action::Rotate(revokes) => self.world.rotate(*revokes),
            Action::ControlRestart => self.world.control_restart(),
            Action::LateAnswer(number, which) => {
                let machine = machine(number);
                if let Some(answer) = chosen(&self.answers, *which) {
                    self.world.answer(machine, answer);
                }
            }
            Action::StepEnds(number, succeeds) => {
                let state = if *succeeds { EndState::Succeeded } else { EndState::Failed };
                self.world.step_ends(machine(number), state);
            }
            Action::Reboot(number) => self.world.reboot(machine(number)),
            Action::PowerCut(number) => self.world.power_cut(machine(number)),
            Action::ClockOff(number, offset_ms) => {
                let machine = machine(number);
                self.world.power_cut(machine);
                self.world.machines[machine].clock.offset_ms = *offset_ms;
                self.world.power_on(machine);
            }
            Action::CrashIn(commits) => self.world.crash_in(*commits),
            Action::PassSeconds(seconds) => self.world.pass_seconds(*seconds),
            Action::PruneAtOnce(number) => {
                let machine = machine(number);
                self.world.machines[machine].limits.acknowledged_bytes_max = 0;
            }
            Action::Backup => self.backups.push(self.world.backup()),
            Action::Restore(number) => {
                if let Some(backup) = chosen(&self.backups, *number) {
                    self.world.restore_as(backup, self.is_announced);
                }
            }
            Action::Snapshot(_) | Action::Clone(_) | Action::RollBack(..) | Action::Reimage(_)
                if !self.is_announced => {}
            Action::Snapshot(number) => {
                // Off while it is copied: a disk that is copied while it runs is outside G2 where both copies live.
                let machine = machine(number);
                self.world.power_cut(machine);
                self.snapshots.push(self.world.machines[machine].snapshot());
                self.world.power_on(machine);
            }
            Action::Clone(number) => self.clone_machine(*number),
            Action::RollBack(number, which) => {
                let machine = machine(number);
                if let Some(snapshot) = chosen(&self.snapshots, *which) {
                    self.world.roll_back(machine, snapshot);
                    self.world.power_on(machine);
                }
            }
            Action::Reimage(number) => self.world.reimage(machine(number)),
            Action::Adopt(number) => {
                self.world.adopt(machine(number));
            }
            Action::AdoptAny(number) => {
                let journals = self.world.endpoint_seen().map(|seen| seen.journals).unwrap_or_default();
                if let Some(journal) = chosen(&journals, *number) {
                    self.world.adopt_journal(journal.id);
                }
            }
        }
    }

    fn queue(&mut self, kind: u8) {
        let again = if kind & 1 == 0 { "act" } else { "act again" };
        let mut spec = match kind % 3 {
            0 => steps(&["look"]),
            1 => steps(&[again, "look"]),
            _ => steps(&["look", again, "look"]),
        };
        if kind & 64 != 0 {
            spec.expires_in = Some(Milliseconds::from_seconds(3_000));
        }
        if kind & 128 != 0 {
            spec.not_before = Some(self.world.now.shifted_by_ms(300_000));
        }
        self.work.push(self.world.queue(spec));
    }

    fn sync(&mut self, machine: usize, fate: Fate) {
        if self.world.machines[machine].power.is_none() {
            self.world.power_on(machine);
        }
        if matches!(fate, Fate::Fine) {
            return self.world.sync(machine);
        }
        let Some(request) = self.world.request(machine) else { return };
        self.requests.push(request.clone());
        if matches!(fate, Fate::RequestLost) {
            return;
        }
        let arrived = if matches!(fate, Fate::RequestCut) { request.cut_in_half() } else { request };
        if matches!(fate, Fate::RequestTwice) {
            self.world.deliver(&arrived);
        }
        let Delivered::Answer(answer) = self.world.deliver(&arrived) else { return };
        self.answers.push(answer.clone());
        match fate {
            Fate::AnswerLost => {}
            Fate::Altered(altered) => self.world.answer(machine, &altered.apply(&answer)),
            Fate::AnswerTwice => {
                self.world.answer(machine, &answer);
                self.world.answer(machine, &answer);
            }
            Fate::Fine | Fate::RequestLost | Fate::RequestCut | Fate::RequestTwice => {
                self.world.answer(machine, &answer);
            }
        }
    }

    fn clone_machine(&mut self, number: usize) {
        if self.world.machines.len() >= 3 {
            return;
        }
        if let Some(snapshot) = chosen(&self.snapshots, number) {
            let clone = self.world.clone_of(snapshot.copy());
            self.world.power_on(clone);
        }
    }
}

const _: () = assert!(FIRST == 0, "machines are counted from the first");
