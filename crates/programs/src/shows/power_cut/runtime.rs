//! Power cuts under the machine, while it runs steps and returns their results.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::super::dice::Dice;
use super::Tally;
use super::disk::{Left, beside_its_program, journal, machine_state, rows};
use crate::harness::{Machine, World, binary, wait_for};
use crate::power_cut::Options;

/// Work that waits before each cut.
const QUEUED_PER_LIFE: usize = 3;
/// Steps of one sequence; the third may run again when it is interrupted.
const STEPS: usize = 3;

/// One state directory that lives through many cuts.
pub(super) struct MachineDisk {
    world: World,
    machine: Machine,
    dice: Dice,
    traces: PathBuf,
    /// Every sequence's mark, by its id.
    marks: BTreeMap<String, String>,
    /// How many entries of its journal the control plane held at the last cut.
    told: u64,
}

impl MachineDisk {
    /// Sets an ordinary control plane and a machine on the lossy disk up.
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        let world = World::new()?;
        let state = world.directory.path().join("lossy");
        let program = binary("power-cut-runtime")?;
        let machine = Machine::enrol_with(&program, &state, &world.plane.url(), &world.code()?)?;
        let traces = world.directory.path().join("traces");
        fs::write(&traces, "")?;
        Ok(Self { world, machine, dice: Dice::new(seed), traces, marks: BTreeMap::new(), told: 0 })
    }

    /// Starts the machine with `disk`, cuts its power at a random moment, and answers what is missing of everything
    /// that it told or did before.
    pub(super) fn cut(&mut self, life: usize, disk: &str, tally: &mut Tally) -> anyhow::Result<Vec<String>> {
        for number in 0..QUEUED_PER_LIFE {
            self.queue(&format!("{life}-{number}"))?;
        }
        self.machine.environment = vec![(Options::VARIABLE.to_owned(), disk.to_owned())];
        self.machine.start()?;
        std::thread::sleep(self.dice.moment(60, 900));
        self.machine.kill().with_context(|| self.machine.said().unwrap_or_default())?;
        tally.cuts += 1;
        self.look_over(tally)
    }

    fn queue(&mut self, mark: &str) -> anyhow::Result<()> {
        let step = |step: usize| {
            let pause = if step == 1 { "" } else { "; sleep 0.04" };
            let command = format!("echo {mark}.{step} >> '{}'{pause}", self.traces.display());
            json!({ "probe": "shell", "with": { "command": command }, "rerun": step == STEPS })
        };
        let steps: Vec<_> = (1..=STEPS).map(step).collect();
        let asked = json!({ "title": mark, "stop_on": "never", "steps": steps });
        let id = self.world.queue(&self.machine, &asked)?;
        self.marks.insert(id, mark.to_owned());
        Ok(())
    }

    fn look_over(&mut self, tally: &mut Tally) -> anyhow::Result<Vec<String>> {
        let left = Left::of(&self.machine.state.join("state.db"))?;
        if let Some(damage) = left.damage() {
            tally.corrupt += 1;
            return Ok(vec![format!("damaged: {damage}")]);
        }
        let (hashes, mut wrong) = journal(&left.db)?;
        let server = beside_its_program(&self.world.plane.data.join("tidegate.db"))?;
        let id = machine_state(&left.db)?["journal"]["id"].as_str().unwrap_or_default().to_owned();
        let sql = format!(
            "SELECT CAST(number AS TEXT), hash FROM journal WHERE journal_id = '{id}' AND number > 0"
        );
        for [number, hash] in rows::<2>(&server, &sql)? {
            let number: u64 = number.parse()?;
            match hashes.get(&number) {
                Some(kept) if *kept == hash => {
                    tally.acknowledged += (number - self.told) as usize;
                    self.told = number;
                }
                Some(_) => wrong.push(format!("journal entry {number} is another than it told")),
                None => wrong.push(format!("{} journal entries that it told", number - hashes.len() as u64)),
            }
        }
        wrong.extend(self.started_unrecorded(&left)?);
        Ok(wrong)
    }

    /// A step whose process ran must be in the record: `step_started` is on the disk before the process starts.
    fn started_unrecorded(&self, left: &Left) -> anyhow::Result<Vec<String>> {
        let mut attempts: BTreeMap<String, u64> = BTreeMap::new();
        let mut told = |sequence: &str, steps: &Value| {
            let Some(mark) = self.marks.get(sequence) else { return };
            for (number, step) in (1..).zip(steps.as_array().into_iter().flatten()) {
                attempts.insert(format!("{mark}.{number}"), step["n"].as_u64().unwrap_or(0));
            }
        };
        for [id, outcome] in rows(&left.db, "SELECT sequence_id, outcome FROM outcome")? {
            told(&id, &serde_json::from_str::<Value>(&outcome)?["steps"]);
        }
        for [id, progress] in rows(&left.db, "SELECT sequence_id, progress FROM work")? {
            told(&id, &serde_json::from_str::<Value>(&progress)?["steps"]);
        }
        let ran = self.ran()?;
        let unrecorded: Vec<_> = ran
            .iter()
            .filter(|(mark, times)| attempts.get(*mark).copied().unwrap_or(0) < **times)
            .map(|(mark, _)| mark.as_str())
            .collect();
        let wrong = (!unrecorded.is_empty())
            .then(|| format!("the record of {} steps that ran ({})", unrecorded.len(), unrecorded.join(" ")));
        Ok(wrong.into_iter().collect())
    }

    /// How often each step ran.
    fn ran(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut ran = BTreeMap::new();
        for line in fs::read_to_string(&self.traces)?.lines() {
            *ran.entry(line.to_owned()).or_default() += 1;
        }
        Ok(ran)
    }

    /// Lets everything that was queued end on an honest disk: no step ran twice, and what was cut off says so.
    pub(super) fn settle(mut self, tally: &mut Tally) -> anyhow::Result<()> {
        self.machine.environment.clear();
        self.machine.start()?;
        let endpoint = format!("/api/v1/endpoints/{}", self.machine.endpoint);
        wait_for("everything that was queued to run", 300, || {
            Ok(self.world.api.get(&endpoint)?["work"] == "idle")
        })
        .with_context(|| self.machine.said().unwrap_or_default())?;
        let view = self.world.api.get(&endpoint)?;
        ensure!(view["attention"] == json!([]), "nothing needs a person: {}", view["attention"]);
        ensure!(view["journals"].as_array().map(Vec::len) == Some(1), "one journal: {}", view["journals"]);
        self.world.verified(&self.machine.endpoint)?;
        let ran = self.ran()?;
        for (id, mark) in &self.marks {
            let sequence = self.world.sequence(id)?;
            for (number, step) in (1..).zip(sequence["steps"].as_array().context("steps")?) {
                let times = ran.get(&format!("{mark}.{number}")).copied().unwrap_or(0);
                check_step(step, number == STEPS, times, tally)
                    .with_context(|| format!("{id} ({mark}) step {number}, which ran {times} times"))?;
            }
        }
        let known: usize = self.marks.len() * STEPS;
        ensure!(ran.len() <= known, "{} steps ran, {known} were asked for", ran.len());
        tally.entries += view["journals"][0]["number"].as_u64().unwrap_or(0);
        Ok(())
    }
}

/// Each attempt started its process once at most, and ended succeeded or interrupted.
fn check_step(step: &Value, may_rerun: bool, times: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let attempts = step["attempts"].as_array().context("attempts")?;
    let count = |state: &str| attempts.iter().filter(|attempt| attempt["state"] == state).count();
    let (succeeded, interrupted) = (count("succeeded"), count("interrupted"));
    ensure!(succeeded + interrupted == attempts.len(), "attempts ended otherwise: {step:#}");
    let most = if may_rerun { 2 } else { 1 };
    ensure!((1..=most).contains(&attempts.len()), "{} attempts", attempts.len());
    ensure!(may_rerun && interrupted > 0 || attempts.len() == 1, "a second attempt without need: {step:#}");
    ensure!(succeeded as u64 <= times && times <= attempts.len() as u64, "{} attempts", attempts.len());
    for attempt in attempts.iter().filter(|attempt| attempt["state"] == "interrupted") {
        let said = attempt["result"]["summary"].as_str().unwrap_or_default();
        ensure!(said.contains("may have had its effect"), "an interrupted attempt says so: {attempt:#}");
    }
    tally.ran += succeeded;
    tally.interrupted += interrupted;
    tally.reran += attempts.len() - 1;
    Ok(())
}
