//! The machine's side: calls, the effects they ask for, processes, power.

use std::collections::VecDeque;

use tidegate_core::error::Error;
use tidegate_core::id::BootId;
use tidegate_core::runtime::{self, Effect, Input};
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};

use crate::fired::count;

use super::World;
use super::machine::{Machine, MachineIndex, Power};
use super::truth::Attempt;

impl World {
    /// Takes the machine's power away; nothing when it is off.
    pub(crate) fn power_cut(&mut self, machine: MachineIndex) {
        self.machines[machine].power = None;
    }

    /// Switches the machine on: a fresh boot of the system and the program, which journals it first (R3).
    pub(crate) fn power_on(&mut self, machine: MachineIndex) {
        assert!(self.machines[machine].power.is_none(), "the machine is off");
        let machine_boot = self.fresh(BootId::fresh).to_string();
        let clock = &mut self.machines[machine].clock;
        (clock.machine_boot, clock.booted_at) = (machine_boot, self.now);
        self.program_start(machine);
    }

    pub(crate) fn reboot(&mut self, machine: MachineIndex) {
        self.power_cut(machine);
        self.power_on(machine);
    }

    /// Starts the program within a boot of the system.
    fn program_start(&mut self, machine: MachineIndex) {
        let boot = self.fresh(BootId::fresh);
        let (outstanding, ticket, process, killed) = (None, None, None, VecDeque::new());
        let requests = 0;
        self.machines[machine].power = Some(Power { boot, outstanding, ticket, requests, process, killed });
        self.machine_handle(machine, Input::Booted { version: "1".to_owned(), leftovers: 0 });
    }

    /// What the endpoint's half is given from outside.
    pub(super) fn with_machine<T>(
        &self,
        machine: MachineIndex,
        run: impl FnOnce(&Machine, &runtime::Context<'_>) -> T,
    ) -> Option<T> {
        let machine = &self.machines[machine];
        let boot = machine.power.as_ref()?.boot;
        let clock = machine.clock.read(self.now);
        let context = runtime::Context {
            clock: &clock,
            entropy: self.entropy(),
            keys: &*machine.keys,
            endpoint: self.endpoint,
            probes: &self.catalogue,
            boot,
            limits: machine.limits,
        };
        Some(run(machine, &context))
    }

    /// Calls the endpoint's half and performs what it asks for; nothing when the machine is off or not enrolled.
    pub(crate) fn machine_handle(&mut self, machine: MachineIndex, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let exited = match &input {
                Input::StepExited { sequence, step, attempt, .. } => Some((*sequence, *step, *attempt)),
                _ => None,
            };
            let answer = self.with_machine(machine, |machine, context| {
                machine.disk.transaction(|db| runtime::handle(db, context, input))
            });
            let effects = match answer {
                None => return,
                Some(Ok(effects)) => effects,
                Some(Err(Error::Problem(problem))) => panic!("the runtime's half never refuses: {problem}"),
                Some(Err(Error::Sql(error))) => panic!("storage never fails here: {error}"),
            };
            self.truth.finished.extend(exited);
            if self.commit() {
                count("a machine loses power after a commit");
                self.power_cut(machine);
                self.power_on(machine);
                return;
            }
            self.perform(machine, effects);
            inputs.extend(self.killed_exit(machine));
        }
    }

    fn perform(&mut self, machine: MachineIndex, effects: Vec<Effect>) {
        for effect in effects {
            let power = self.machines[machine].power.as_mut().expect("a machine that acts is on");
            match effect {
                Effect::StartStep { sequence, step, attempt, .. } => {
                    assert_eq!(power.process, None, "one process at a time, and killed before the next");
                    power.process = Some((sequence, step, attempt));
                    self.truth.start((sequence, step, attempt), machine);
                }
                Effect::KeepTicket(ticket) => power.ticket = ticket,
                Effect::Kill { sequence, step, attempt } => {
                    if power.process == Some((sequence, step, attempt)) {
                        power.process = None;
                        power.killed.push_back((sequence, step, attempt));
                    }
                }
            }
        }
    }

    fn killed_exit(&mut self, machine: MachineIndex) -> Option<Input> {
        let killed = self.machines[machine].power.as_mut()?.killed.pop_front()?;
        Some(exited(killed, EndState::Cancelled))
    }

    /// What the machine runs now.
    pub(crate) fn process(&self, machine: MachineIndex) -> Option<Attempt> {
        self.machines[machine].power.as_ref()?.process
    }

    /// The process under way ends; whether there was one.
    pub(crate) fn step_ends(&mut self, machine: MachineIndex, state: EndState) -> bool {
        let process = self.machines[machine].power.as_mut().and_then(|power| power.process.take());
        let Some(process) = process else { return false };
        self.machine_handle(machine, exited(process, state));
        true
    }

    /// The end of an attempt is told although it is not under way: an echo of before a restart.
    pub(crate) fn echo(&mut self, machine: MachineIndex, attempt: Attempt) {
        self.machine_handle(machine, exited(attempt, EndState::Succeeded));
    }

    /// Everything that can run without another word from outside runs to its end.
    pub(crate) fn run_out(&mut self, machine: MachineIndex) {
        while self.step_ends(machine, EndState::Succeeded) {}
    }
}

fn exited((sequence, step, attempt): Attempt, state: EndState) -> Input {
    let result = StepResult {
        summary: format!("{state}"),
        finding: Finding::Ok,
        data: serde_json::Map::new(),
        output: Output::default(),
        error_output: None,
    };
    Input::StepExited { sequence, step, attempt, state, result: Box::new(result) }
}
