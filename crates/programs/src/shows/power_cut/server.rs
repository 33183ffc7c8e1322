//! Power cuts under the control plane, while people queue work and a machine does it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};

use super::super::dice::Dice;
use super::Tally;
use super::disk::{Left, beside_its_program, machine_state, rows, transcript};
use super::load::{Acknowledged, Callers, Target};
use crate::harness::{Machine, World, binary, wait_for};
use crate::power_cut::Options;

/// One data directory that lives through many cuts.
pub(super) struct ServerDisk {
    world: World,
    machine: Machine,
    target: Target,
    dice: Dice,
    acknowledged: Acknowledged,
}

impl ServerDisk {
    /// Sets a control plane on the lossy disk and an ordinary machine up.
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        let mut world = World::with_program(&binary("power-cut-server")?)?;
        let mut machine = world.machine()?;
        ensure!(world.plane.stop()?, "the control plane stops when asked");
        let traces = world.directory.path().join("traces");
        fs::write(&traces, "")?;
        let target = Target {
            url: world.plane.url(),
            token: world.plane.token.clone(),
            site: world.site.clone(),
            endpoint: machine.endpoint.clone(),
            traces: traces.to_string_lossy().into_owned(),
        };
        machine.start()?;
        Ok(Self { world, machine, target, dice: Dice::new(seed), acknowledged: Acknowledged::default() })
    }

    /// Starts the control plane with `disk`, cuts the power at a random moment of the load, and answers what is
    /// missing of everything it ever acknowledged.
    pub(super) fn cut(&mut self, life: usize, disk: &str, tally: &mut Tally) -> anyhow::Result<Vec<String>> {
        self.world.plane.environment = vec![(Options::VARIABLE.to_owned(), disk.to_owned())];
        self.world.plane.start()?;
        let callers = Callers::start(&self.target, life, &mut self.dice);
        // Short lives see the recovery cut, long ones let the machine fetch work and return results.
        let longest = if self.dice.below(2) == 0 { 200 } else { 1_200 };
        std::thread::sleep(self.dice.moment(20, longest));
        self.world.plane.kill()?;
        let acknowledged = callers.join()?;
        tally.cuts += 1;
        tally.acknowledged += acknowledged.len();
        self.acknowledged.add(acknowledged);
        self.look_over(tally)
    }

    /// The number of answers that must be there.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    fn look_over(&self, tally: &mut Tally) -> anyhow::Result<Vec<String>> {
        let left = Left::of(&self.world.plane.data.join("tidegate.db"))?;
        if let Some(damage) = left.damage() {
            tally.corrupt += 1;
            return Ok(vec![format!("damaged: {damage}")]);
        }
        let mut wrong = self.acknowledged.missing(&left.db)?;
        let (_, broken) = transcript(&left.db, &self.machine.endpoint)?;
        wrong.extend(broken);
        wrong.extend(self.missing_of_the_machine(&left)?);
        Ok(wrong)
    }

    /// What the machine was told is held, and what it was told to do, must be there too.
    fn missing_of_the_machine(&self, left: &Left) -> anyhow::Result<Vec<String>> {
        let state = machine_state(&beside_its_program(&self.machine.state.join("state.db"))?)?;
        let mut wrong = Vec::new();
        let sql = "SELECT journal_id, CAST(number AS TEXT) FROM journal";
        let held: BTreeMap<_, _> =
            rows::<2>(&left.db, sql)?.into_iter().map(|[id, number]| (id, number)).collect();
        let journal = state["journal"]["id"].as_str().unwrap_or_default();
        let held: u64 = held.get(journal).map_or(Ok(0), |number| number.parse())?;
        let acknowledged = state["acknowledged"].as_u64().unwrap_or(0);
        if held < acknowledged {
            wrong.push(format!("{} acknowledged journal entries", acknowledged - held));
        }
        let Some(orders) = state["orders"].as_object() else { return Ok(wrong) };
        let sql = format!("SELECT log_id, hash FROM order_entry WHERE number = {}", orders["number"]);
        let is_there = rows::<2>(&left.db, &sql)?
            .iter()
            .any(|[log, hash]| orders["id"] == log.as_str() && orders["hash"] == hash.as_str());
        if !is_there {
            wrong.push("the order that the machine obeyed last".to_owned());
        }
        Ok(wrong)
    }

    /// Lets everything that was queued run on an honest disk: each step ran once, and the record says so.
    pub(super) fn settle(mut self, tally: &mut Tally) -> anyhow::Result<()> {
        self.world.plane.environment.clear();
        self.world.plane.start()?;
        let endpoint = format!("/api/v1/endpoints/{}", self.machine.endpoint);
        wait_for("everything that was queued to run", 300, || {
            Ok(self.world.api.get(&endpoint)?["work"] == "idle")
        })
        .with_context(|| self.machine.said().unwrap_or_default())?;
        let view = self.world.api.get(&endpoint)?;
        ensure!(view["attention"] == serde_json::json!([]), "nothing needs a person: {}", view["attention"]);
        ensure!(view["journals"].as_array().map(Vec::len) == Some(1), "one journal: {}", view["journals"]);
        self.world.verified(&self.machine.endpoint)?;
        ensure!(self.world.plane.stop()?, "the control plane stops when asked");
        let left = Left::of(&self.world.plane.data.join("tidegate.db"))?;
        let sequences = rows::<3>(&left.db, "SELECT sequence_id, document, state FROM sequence")?;
        let traces = fs::read_to_string(&self.target.traces)?;
        let mut ran: BTreeMap<&str, usize> = BTreeMap::new();
        traces.lines().for_each(|line| *ran.entry(line).or_default() += 1);
        for [id, document, state] in &sequences {
            let document: serde_json::Value = serde_json::from_str(document)?;
            let title = document["title"].as_str().unwrap_or_default();
            let times = ran.remove(format!("{title}.1").as_str()).unwrap_or(0);
            ensure!(times == 1 && state == "succeeded", "{id} ({title}) ran {times} times and is {state}");
        }
        ensure!(ran.is_empty(), "steps ran that nobody knows of: {ran:?}");
        tally.ran += sequences.len();
        tally.entries += transcript(&left.db, &self.machine.endpoint)?.0;
        Ok(())
    }
}
