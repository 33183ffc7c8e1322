//! Random schedules of everything that can go wrong, short ones, shrunk where a promise breaks.
//!
//! `PROPTEST_CASES` runs more of them and `PROPTEST_RNG_SEED` others.

mod action;
mod found;

use proptest::test_runner::{Config, RngSeed, TestRunner};
use tidegate_core::call::SequenceAct;
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::EndState;
use tidegate_core::time::Milliseconds;

use self::action::{Action, Fate, schedules};
use crate::driver::heal;
use crate::fired::{self, count, count_if};
use crate::world::{Backup, Delivered, FIRST, Message, Snapshot, World, steps};

struct Run {
    world: World,
    is_announced: bool,
    work: Vec<SequenceId>,
    requests: Vec<Message>,
    answers: Vec<Vec<u8>>,
    backups: Vec<Backup>,
    snapshots: Vec<Snapshot>,
}

/// With so many schedules, chosen with the seed that every test run takes, every fault fires.
const MANY: u32 = 400;

#[test]
fn no_random_schedule_breaks_a_promise() {
    let mut config = Config { failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    if config.cases == 256 {
        config.cases = MANY;
    }
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let cases = config.cases;
    let result = TestRunner::new(config).run(&schedules(), |(is_announced, actions)| {
        run(is_announced, &actions);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    println!("schedules {cases}");
    fired::print(cases >= MANY);
}

fn run(is_announced: bool, actions: &[Action]) {
    let mut run = Run {
        world: World::new(2, Some(0)),
        is_announced,
        work: Vec::new(),
        requests: Vec::new(),
        answers: Vec::new(),
        backups: Vec::new(),
        snapshots: Vec::new(),
    };
    for action in actions {
        run.world.pass_seconds(1);
        run.act(action);
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
        match action {
            Action::Queue(kind) => self.queue(*kind),
            Action::Cancel(number) => {
                self.act_on_work(*number, SequenceAct::Cancel, "work is cancelled");
            }
            Action::Release(number) => {
                self.act_on_work(*number, SequenceAct::Release, "held work is released");
            }
            Action::RunNext(number) => self.act_on_work(*number, SequenceAct::RunNext, "work is put first"),
            Action::LateRequest(number) => {
                if let Some(request) = chosen(&self.requests, *number) {
                    self.world.deliver(request);
                    count("a request arrives late");
                }
            }
            Action::PassSeconds(seconds) => self.world.pass_seconds(*seconds),
            Action::CrashIn(commits) => self.world.crash_in(*commits),
            Action::ControlRestart => {
                self.world.control_restart();
                count("the control plane restarts");
            }
            Action::Rotate(revokes) => {
                self.world.rotate(*revokes);
                count(if *revokes { "an order key is revoked" } else { "an order key is replaced" });
            }
            Action::Depart => {
                self.world.technician_departs();
                count("the person who queues work is deactivated");
            }
            Action::Backup => self.backups.push(self.world.backup()),
            Action::Restore(number) => self.restore(*number),
            Action::AdoptAny(number) => {
                let journals = self.world.endpoint_seen().map(|seen| seen.journals).unwrap_or_default();
                if let Some(journal) = chosen(&journals, *number) {
                    count_if(self.world.adopt_journal(journal.id), "a journal is adopted");
                }
            }
            Action::Sync(..)
            | Action::LateAnswer(..)
            | Action::StepEnds(..)
            | Action::Reboot(_)
            | Action::PowerCut(_)
            | Action::ClockOff(..)
            | Action::PruneAtOnce(_)
            | Action::Adopt(_) => self.act_on_machine(action),
            Action::Snapshot(_) | Action::Clone(_) | Action::RollBack(..) | Action::Reimage(_) => {
                if self.is_announced {
                    self.act_on_disk(action);
                }
            }
        }
    }

    fn act_on_work(&mut self, number: usize, act: SequenceAct, what: &'static str) {
        if let Some(work) = chosen(&self.work, number) {
            count_if(self.world.sequence_act(*work, act), what);
        }
    }

    fn restore(&mut self, number: usize) {
        if let Some(backup) = chosen(&self.backups, number) {
            self.world.restore_as(backup, self.is_announced);
            count(if self.is_announced {
                "a backup is restored, and announced"
            } else {
                "a backup is restored, and nobody says so"
            });
        }
    }

    /// What happens to a machine that stays the one it is.
    fn act_on_machine(&mut self, action: &Action) {
        let machines = self.world.machines.len();
        match *action {
            Action::Sync(number, fate) => self.sync(number % machines, fate),
            Action::LateAnswer(number, which) => {
                if let Some(answer) = chosen(&self.answers, which) {
                    self.world.answer(number % machines, answer);
                    count("an answer arrives late");
                }
            }
            Action::StepEnds(number, succeeds) => {
                let (state, what) = if succeeds {
                    (EndState::Succeeded, "a step succeeds")
                } else {
                    (EndState::Failed, "a step fails")
                };
                count_if(self.world.step_ends(number % machines, state), what);
            }
            Action::Reboot(number) => {
                self.world.reboot(number % machines);
                count("a machine reboots");
            }
            Action::PowerCut(number) => {
                let machine = number % machines;
                count_if(self.world.machines[machine].power.is_some(), "a machine loses power");
                self.world.power_cut(machine);
            }
            Action::ClockOff(number, offset_ms) => {
                let machine = number % machines;
                self.world.power_cut(machine);
                self.world.machines[machine].clock.offset_ms = offset_ms;
                self.world.power_on(machine);
                count_if(offset_ms != 0, "a clock is wrong after a power cut");
            }
            Action::PruneAtOnce(number) => {
                self.world.machines[number % machines].limits.acknowledged_bytes_max = 0;
                count("a machine prunes what is acknowledged");
            }
            Action::Adopt(number) => {
                count_if(self.world.adopt(number % machines), "a journal is adopted");
            }
            _ => {}
        }
    }

    /// What makes another machine of it, or two.
    fn act_on_disk(&mut self, action: &Action) {
        let machines = self.world.machines.len();
        match *action {
            Action::Snapshot(number) => {
                // Off while it is copied: a disk that is copied while it runs is outside G2 where both copies live.
                let machine = number % machines;
                self.world.power_cut(machine);
                self.snapshots.push(self.world.machines[machine].snapshot());
                self.world.power_on(machine);
            }
            Action::Clone(number) => self.clone_machine(number),
            Action::RollBack(number, which) => {
                let machine = number % machines;
                if let Some(snapshot) = chosen(&self.snapshots, which) {
                    self.world.roll_back(machine, snapshot);
                    self.world.power_on(machine);
                    count("a machine is set back to a snapshot");
                }
            }
            Action::Reimage(number) => {
                self.world.reimage(number % machines);
                count("a machine is imaged anew");
            }
            _ => {}
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
        let arrived = match fate {
            Fate::RequestLost => return count("a request is lost"),
            Fate::RequestCut => {
                count("a request is cut in half");
                request.cut_in_half()
            }
            Fate::RequestTwice => {
                self.world.deliver(&request);
                count("a request arrives twice");
                request
            }
            Fate::Fine | Fate::AnswerLost | Fate::AnswerTwice | Fate::Altered(_) => request,
        };
        let Delivered::Answer(answer) = self.world.deliver(&arrived) else { return };
        self.answers.push(answer.clone());
        match fate {
            Fate::AnswerLost => count("an answer is lost"),
            Fate::Altered(altered) => {
                let arrives = altered.apply(&answer);
                count_if(arrives != answer, altered.name());
                self.world.answer(machine, &arrives);
            }
            Fate::AnswerTwice => {
                count("an answer arrives twice");
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
            count("a machine is cloned");
        }
    }
}

const _: () = assert!(FIRST == 0, "machines are counted from the first");
