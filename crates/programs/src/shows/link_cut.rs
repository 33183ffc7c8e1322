//! The link is cut in the middle of the work: the rest runs all the same, and whoever looks or cancels meanwhile is
//! told what is known and what is not.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_cli::link::Conditions;
use tidegate_core::time::Timestamp;

use super::{Scale, figure};
use crate::harness::{Machine, Network, Path, World, descendants, wait_for};

/// How long something has to come, on a busy computer.
const PATIENCE: u64 = 60;

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let mut night = Night::begin()?;
    night.the_rest_runs().context("six steps, cut after the third")?;
    night.cancelled_too_late().context("cancelled when it had finished")?;
    night.cancelled_in_time().context("cancelled while it ran")?;
    let verdict = night.world.verified(&night.machine.endpoint)?;
    figure("verdict on the export", verdict);
    Ok(())
}

/// A machine behind a path that the show opens and closes.
struct Night {
    world: World,
    path: Path,
    machine: Machine,
}

impl Night {
    fn begin() -> anyhow::Result<Self> {
        let mut world = World::new()?;
        let path = Network::new()?.path(world.plane.runtime_port(), Conditions::default())?;
        let mut machine = world.machine_through(&path.url())?;
        machine.start()?;
        Ok(Self { world, path, machine })
    }

    fn the_rest_runs(&mut self) -> anyhow::Result<()> {
        let (trace, gate) = (self.file("six"), self.file("six-gate"));
        let steps: Vec<_> = (1..=6)
            .map(|number| match number {
                4 => shell(&format!("{}; {}", until_there(&gate), mark(number, &trace))),
                _ => shell(&mark(number, &trace)),
            })
            .collect();
        let id = self.queue("six steps", &steps)?;
        self.until_steps_are(&id, &["succeeded", "succeeded", "succeeded", "running"])?;
        self.path.close()?;
        let passed = self.path.counts();
        tell("three results are back; the link is cut while step 4 runs");

        fs::write(&gate, "")?;
        wait_for("steps 4 to 6, without a link", PATIENCE, || Ok(lines(&trace) == 6))?;
        tell("steps 4 to 6 ran without it");
        let unsure = self.world.sequence(&id)?;
        ensure!(unsure["state"] == "running", "it is running as far as anybody knows: {}", unsure["state"]);
        ensure!(returned(&unsure) == 3, "three results are known: {unsure:#}");
        tells_last_contact(&unsure)?;
        self.say(&["sequences", "show", &id], 0)?;
        let queued =
            self.say(&["run", &self.machine.endpoint, "--wait", "--timeout", "1s", "--", "true"], 3)?;
        ensure!(queued.contains("waits for"), "`run --wait` says what it waits for: {queued}");
        ensure!(self.path.counts() == passed, "nothing passed the closed link");

        let opened_at = self.path.open()?;
        let ended =
            self.world.ended(&id, PATIENCE).with_context(|| self.machine.said().unwrap_or_default())?;
        ensure!(ended["state"] == "succeeded" && returned(&ended) == 6, "{ended:#}");
        ensure!(lines(&trace) == 6, "each step ran once");
        let opened_at = timestamp(opened_at);
        for step in 3..6 {
            let attempt = &ended["steps"][step]["attempts"][0];
            let [finished, returned] = ["finished_at", "returned_at"].map(|name| time(&attempt[name]));
            ensure!(finished? < opened_at, "step {} ended while the link was cut: {attempt:#}", step + 1);
            ensure!(returned? >= opened_at, "and returned afterwards: {attempt:#}");
        }
        tell("the link opens: all six results are there");
        figure("steps that ran, each once / of them without a link", "6 / 3");
        Ok(())
    }

    fn cancelled_too_late(&mut self) -> anyhow::Result<()> {
        let (trace, gate) = (self.file("late"), self.file("late-gate"));
        let steps = [shell(&format!("{}; {}", until_there(&gate), mark(1, &trace)))];
        let id = self.queue("finished before the cancel came", &steps)?;
        self.until_steps_are(&id, &["running"])?;
        self.path.close()?;
        fs::write(&gate, "")?;
        wait_for("the step, without a link", PATIENCE, || Ok(lines(&trace) == 1))?;
        tell("a step ends while the link is cut; nobody can know, and somebody cancels it");
        self.cancel(&id)?;

        self.path.open()?;
        let ended =
            self.world.ended(&id, PATIENCE).with_context(|| self.machine.said().unwrap_or_default())?;
        ensure!(ended["state"] == "succeeded" && returned(&ended) == 1, "its result stands: {ended:#}");
        self.say(&["sequences", "show", &id], 0)?;
        let record = self.world.tidegate(&["transcript", &self.machine.endpoint, "--sequence", &id], 0)?;
        let at =
            |words: &str| record.find(words).with_context(|| format!("`{words}` is on record: {record}"));
        ensure!(
            at("cancel requested")? < at("step finished")?,
            "in the order in which it was heard: {record}"
        );
        tell("the record has both: the cancel, and after it the result that came in");
        figure("cancelled after it had ended: what became of it", &ended["state"]);
        Ok(())
    }

    fn cancelled_in_time(&mut self) -> anyhow::Result<()> {
        let process_mark = format!("tidegate-link-cut-{}", std::process::id());
        let tree = format!("setsid sh -c 'sleep 1000; : {process_mark}' & sleep 1000; : {process_mark}");
        let id = self.queue("still running when the cancel comes", &[shell(&tree), shell("true")])?;
        self.until_steps_are(&id, &["running"])?;
        wait_for("the step's tree", PATIENCE, || Ok(descendants(&process_mark)?.len() >= 2))?;
        self.path.close()?;
        tell("a long step runs while the link is cut, and somebody cancels it");
        self.cancel(&id)?;
        let before = descendants(&process_mark)?.len();
        ensure!(before >= 2, "the cancel has not reached it: {before} processes");

        self.path.open()?;
        let ended =
            self.world.ended(&id, PATIENCE).with_context(|| self.machine.said().unwrap_or_default())?;
        ensure!(ended["state"] == "cancelled", "{ended:#}");
        ensure!(ended["steps"][0]["attempts"][0]["state"] == "cancelled", "{ended:#}");
        ensure!(ended["steps"][1]["attempts"][0]["started_at"].is_null(), "{ended:#}");
        let left = descendants(&process_mark)?.len();
        ensure!(left == 0, "{left} processes of the step live on");
        self.say(&["sequences", "show", &id], 0)?;
        figure("cancelled while it ran: what became of it", &ended["state"]);
        figure("its processes while the link was cut / at the end", format!("{before} / {left}"));
        Ok(())
    }

    /// Cancels what nobody can see, and looks at what is said of it.
    fn cancel(&self, id: &str) -> anyhow::Result<()> {
        self.say(&["sequences", "cancel", id, "--yes"], 0)?;
        let unsure = self.world.sequence(id)?;
        ensure!(unsure["state"] == "cancelling", "it is being cancelled: {}", unsure["state"]);
        ensure!(returned(&unsure) == 0, "nothing is known of it: {unsure:#}");
        tells_last_contact(&unsure)?;
        let said = self.say(&["sequences", "show", id], 0)?;
        ensure!(said.contains("Cancelling") && said.contains("may"), "it may be running: {said}");
        Ok(())
    }

    fn queue(&self, title: &str, steps: &[Value]) -> anyhow::Result<String> {
        self.world.queue(&self.machine, &json!({ "title": title, "stop_on": "never", "steps": steps }))
    }

    /// Waits until the first steps are in these states.
    fn until_steps_are(&self, id: &str, wanted: &[&str]) -> anyhow::Result<()> {
        let mut last = Value::Null;
        wait_for("the steps", PATIENCE, || {
            last = self.world.sequence(id)?;
            let steps = last["steps"].as_array().context("a sequence has steps")?;
            Ok(wanted.iter().zip(steps).all(|(wanted, step)| step["state"] == *wanted))
        })
        .with_context(|| format!("wanted {wanted:?}, and it stands as {last:#}"))
    }

    /// Runs the command line, and prints how what it printed begins.
    fn say(&self, arguments: &[&str], exit: i32) -> anyhow::Result<String> {
        let said = self.world.tidegate(arguments, exit)?;
        println!("    $ tidegate {}", arguments.join(" "));
        said.lines().take(3).for_each(|line| println!("    {line}"));
        Ok(said)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.directory.path().join(name)
    }
}

/// The API says since when nobody knows more.
fn tells_last_contact(sequence: &Value) -> anyhow::Result<()> {
    let waits = sequence["waiting_for"].as_str().context("it says what it waits for")?;
    tell(format!("the API: state `{}`, waiting for {waits}", sequence["state"].as_str().unwrap_or_default()));
    let last_contact = &sequence["waiting"]["last_contact_at"];
    ensure!(last_contact.is_string(), "the last contact is told for programs: {}", sequence["waiting"]);
    let tells =
        waits.contains("last seen") || waits.contains("no contact since") || waits.contains("connected now");
    ensure!(tells, "and for people: {waits}");
    Ok(())
}

fn tell(sentence: impl std::fmt::Display) {
    println!("  - {sentence}");
}

fn shell(command: &str) -> Value {
    json!({ "probe": "shell", "with": { "command": command } })
}

fn mark(number: usize, trace: &std::path::Path) -> String {
    format!("echo {number} >> '{}'", trace.display())
}

fn until_there(gate: &std::path::Path) -> String {
    format!("while [ ! -e '{}' ]; do sleep 0.05; done", gate.display())
}

fn lines(trace: &std::path::Path) -> usize {
    fs::read_to_string(trace).map_or(0, |text| text.lines().count())
}

/// How many steps have their result back.
fn returned(sequence: &Value) -> usize {
    let steps = sequence["steps"].as_array().map_or(&[][..], Vec::as_slice);
    steps.iter().filter(|step| step["attempts"][0]["returned_at"].is_string()).count()
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    let text = value.as_str().context("a time is text")?;
    text.parse().map_err(|error| anyhow::anyhow!("`{text}` is no time: {error}"))
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
