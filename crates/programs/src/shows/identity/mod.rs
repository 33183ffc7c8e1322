//! Machines and records that are copied, set back or replaced: nothing runs twice, and the record says what happened.

mod clone;
mod re_image;
mod restore;
mod rollback;
mod rotate;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

pub(super) use clone::run as clone;
pub(super) use re_image::run as re_image;
pub(super) use restore::run as restore;
pub(super) use rollback::run as rollback;
pub(super) use rotate::run as rotate;

use crate::harness::{Machine, World, wait_for};

/// How long something has to come, on a busy computer.
const PATIENCE: u64 = 60;
/// How long nothing must happen: longer than the slowest retry of a machine in these stories.
const QUIET: Duration = Duration::from_millis(2_500);

/// A world, and the file in which every step leaves its mark.
struct Story {
    world: World,
    traces: PathBuf,
}

/// Tells a person what was just seen.
fn tell(sentence: impl std::fmt::Display) {
    println!("  - {sentence}");
}

impl Story {
    fn begin() -> anyhow::Result<Self> {
        let world = World::new()?;
        let traces = world.directory.path().join("traces");
        fs::write(&traces, "")?;
        Ok(Self { world, traces })
    }

    /// A step that leaves `mark`, and the name of the machine it ran on where that has one.
    fn step(&self, mark: &str) -> Value {
        // Of the environment of a runtime its steps get `PATH` and `TZ` alone.
        let command = format!(
            "case \"$TZ\" in original|copy) on=\" on $TZ\";; *) on=;; esac; echo \"{mark}$on\" >> '{}'",
            self.traces.display()
        );
        json!({ "probe": "shell", "with": { "command": command } })
    }

    /// The same, once the gate is open.
    fn gated_step(&self, mark: &str) -> Value {
        let (gate, traces) = (self.gate(), self.traces.display());
        let command =
            format!("while [ ! -e '{}' ]; do sleep 0.05; done; echo {mark} >> '{traces}'", gate.display());
        json!({ "probe": "shell", "with": { "command": command } })
    }

    fn gate(&self) -> PathBuf {
        self.world.directory.path().join("gate")
    }

    fn open_gate(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.gate(), "")?)
    }

    fn queue(&self, machine: &Machine, title: &str, steps: &[Value]) -> anyhow::Result<String> {
        self.world.queue(machine, &json!({ "title": title, "stop_on": "never", "steps": steps }))
    }

    fn endpoint(&self, machine: &Machine) -> anyhow::Result<Value> {
        self.world.api.get(&format!("/api/v1/endpoints/{}", machine.endpoint))
    }

    /// The journals of a state that were heard: `candidate`, `forked`, `current`, `replaced`.
    fn journals(&self, machine: &Machine, state: &str) -> anyhow::Result<Vec<String>> {
        let view = self.endpoint(machine)?;
        let journals = view["journals"].as_array().context("an endpoint has journals")?;
        let of_state = journals.iter().filter(|journal| journal["state"] == state && journal["number"] != 0);
        Ok(of_state.filter_map(|journal| journal["id"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until so many candidates wait for a person, and answers them.
    fn candidates(&self, machine: &Machine, count: usize) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        wait_for(&format!("{count} candidate journals"), PATIENCE, || {
            found = self.journals(machine, "candidate")?;
            Ok(found.len() >= count)
        })
        .with_context(|| format!("{found:?}; {:#?}", self.kinds(machine)))?;
        ensure!(found.len() == count, "{count} candidate journals, not {found:?}");
        Ok(found)
    }

    /// The codes of what needs a person.
    fn attention(&self, machine: &Machine) -> anyhow::Result<Vec<String>> {
        let view = self.endpoint(machine)?;
        let reasons = view["attention"].as_array().context("attention is a list")?;
        Ok(reasons.iter().filter_map(|reason| reason["code"].as_str().map(str::to_owned)).collect())
    }

    fn adopt(&self, machine: &Machine, journal: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/endpoints/{}/adopt", machine.endpoint);
        self.world.api.post(&path, &json!({ "journal_id": journal })).map(drop)
    }

    /// `release`, `purge` and the like.
    fn act(&self, sequence: &str, act: &str) -> anyhow::Result<()> {
        self.world.api.post(&format!("/api/v1/sequences/{sequence}/{act}"), &json!({})).map(drop)
    }

    fn state(&self, sequence: &str) -> anyhow::Result<String> {
        Ok(self.world.sequence(sequence)?["state"].as_str().unwrap_or_default().to_owned())
    }

    fn until(&self, sequence: &str, state: &str) -> anyhow::Result<Value> {
        self.world.until(sequence, PATIENCE, |now| now == state)
    }

    /// How often each mark was left.
    fn ran(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let mut ran = BTreeMap::new();
        for line in fs::read_to_string(&self.traces)?.lines() {
            *ran.entry(line.to_owned()).or_default() += 1;
        }
        Ok(ran)
    }

    /// How often a mark was left, on whichever machine.
    fn times(&self, mark: &str) -> anyhow::Result<usize> {
        let ran = self.ran()?;
        let of_mark = ran.iter().filter(|(left, _)| left.split(' ').next() == Some(mark));
        Ok(of_mark.map(|(_, times)| times).sum())
    }

    fn until_ran(&self, mark: &str) -> anyhow::Result<()> {
        wait_for(&format!("the step {mark}"), PATIENCE, || Ok(self.ran()?.contains_key(mark)))
    }

    /// Exactly these marks were left, each once.
    fn ran_once(&self, marks: &[&str]) -> anyhow::Result<()> {
        let expected = marks.iter().map(|mark| ((*mark).to_owned(), 1)).collect();
        let ran = self.ran()?;
        ensure!(ran == expected, "these ran: {ran:?}; expected once each: {marks:?}");
        Ok(())
    }

    /// Nothing starts for a while.
    fn stays_quiet(&self) -> anyhow::Result<()> {
        let before = self.ran()?;
        // The promise is about the absence of something: only time can show it.
        std::thread::sleep(QUIET);
        let after = self.ran()?;
        ensure!(before == after, "something ran meanwhile: {before:?}, then {after:?}");
        Ok(())
    }

    /// The kinds of all transcript entries, in order.
    fn kinds(&self, machine: &Machine) -> anyhow::Result<Vec<String>> {
        let entries = self.transcript(machine)?;
        Ok(entries.iter().filter_map(|entry| entry["kind"].as_str().map(str::to_owned)).collect())
    }

    fn transcript(&self, machine: &Machine) -> anyhow::Result<Vec<Value>> {
        let path = format!("/api/v1/endpoints/{}/transcript?limit=500", machine.endpoint);
        let page = self.world.api.get(&path)?;
        ensure!(page["next"].is_null(), "these stories fit one page");
        page["items"].as_array().cloned().context("a page has items")
    }

    /// How far a fresh export holds; fails where something in it does not.
    fn verified(&self, machine: &Machine) -> anyhow::Result<String> {
        self.world.verified(&machine.endpoint)
    }
}

/// Copies every file of a directory, which no program has open.
fn copy_directory(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Puts a copy in the place of a directory.
fn set_back(directory: &Path, copy: &Path) -> anyhow::Result<()> {
    fs::remove_dir_all(directory)?;
    copy_directory(copy, directory)
}
