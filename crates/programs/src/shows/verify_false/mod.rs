//! Exports doctored without a key: `tidegate verify` passes none of them, and passes the true ones.

mod entries;
mod file;
mod first_line;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Scale, figure};
use crate::harness::{Machine, World, binary, sequence_of, wait_for};

/// Fewest doctored files that the show must try.
const CASES_MIN: usize = 60;

/// One doctored export.
struct Case {
    /// The group that the figures count it in.
    group: &'static str,
    what: String,
    bytes: Vec<u8>,
}

/// The true exports that the doctored ones are made of.
struct Exports {
    /// The record of a machine that was enrolled twice, so with two journals.
    whole: Vec<String>,
    /// The same record at an earlier time.
    older: Vec<String>,
    /// The record of another machine of the same owner.
    other: Vec<String>,
    /// The record of a machine of another owner.
    foreign: Vec<String>,
}

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let exports = exports(&mut world)?;
    let root = world.root()?;
    for (what, lines) in [("true export", &exports.whole), ("true older export", &exports.older)] {
        let (code, said) = verify(&world, &bytes_of(lines), Some(&root))?;
        ensure!(code == 0 && said.contains('✓'), "the {what} ended with {code} and said: {said}");
        ensure!(said.contains("signed  "), "the report names the time of the signature: {said}");
        figure(what, said.lines().nth(1).unwrap_or_default());
    }
    let (code, said) = verify(&world, &bytes_of(&exports.whole), None)?;
    ensure!(code == 6 && !said.contains('✓'), "without the root key it ended with {code} and said: {said}");
    figure("true export without --root", said.lines().nth(1).unwrap_or_default());
    doctored(&world, &root, &cases(&exports)?)
}

fn cases(exports: &Exports) -> anyhow::Result<Vec<Case>> {
    let mut cases = entries::cases(exports);
    cases.extend(first_line::cases(exports)?);
    cases.extend(file::cases(exports)?);
    Ok(cases)
}

/// Verifies every doctored file with the owner's root key.
fn doctored(world: &World, root: &str, cases: &[Case]) -> anyhow::Result<()> {
    let mut groups: BTreeMap<&str, (usize, BTreeMap<i32, usize>)> = BTreeMap::new();
    for Case { group, what, bytes } in cases {
        let (code, said) = verify(world, bytes, Some(root))?;
        ensure!([4, 5].contains(&code), "{group}, {what}: ended with {code} and said: {said}");
        let verdict = said.lines().nth(1).unwrap_or_default();
        ensure!(!verdict.contains('✓'), "{group}, {what}: {said}");
        let (count, codes) = groups.entry(group).or_default();
        *count += 1;
        *codes.entry(code).or_default() += 1;
    }
    for (group, (count, codes)) in groups {
        let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{count} with {code}")).collect();
        figure(group, format!("{count} doctored, rejected {}", codes.join(", ")));
    }
    ensure!(cases.len() >= CASES_MIN, "only {} doctored exports", cases.len());
    figure("doctored exports / passed", format!("{} / 0", cases.len()));
    Ok(())
}

/// How `tidegate verify` ends on a file of these bytes, and what it prints.
fn verify(world: &World, bytes: &[u8], root: Option<&str>) -> anyhow::Result<(i32, String)> {
    let file = world.directory.path().join("doctored.tgx");
    fs::write(&file, bytes)?;
    let mut command = Command::new(binary("tidegate")?);
    command.arg("verify").arg(&file);
    if let Some(root) = root {
        command.args(["--root", root]);
    }
    let output = command.output()?;
    let code = output.status.code().context("verify ended by a signal")?;
    Ok((code, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Real runs: one machine enrolled twice, another one, and one of another owner.
fn exports(world: &mut World) -> anyhow::Result<Exports> {
    let mut machine = world.machine()?;
    let older = endorsed(world, &mut machine, "the first disk")?;
    machine.stop()?;
    world.listed(&machine.endpoint)?;
    let asked = json!({ "site_id": world.site, "endpoint_id": machine.endpoint });
    let code = world.api.post("/api/v1/enrolment-codes", &asked)?;
    let code = code["code"].as_str().context("a new code is told")?;
    let state = world.directory.path().join("second-disk");
    let mut again = Machine::enrol(&state, &world.plane.url(), code)?;
    again.start()?;
    adopt(world, &again)?;
    let whole = endorsed(world, &mut again, "the second disk")?;
    let mut other = world.machine()?;
    let other = endorsed(world, &mut other, "another machine")?;
    let mut elsewhere = World::new()?;
    let mut foreign = elsewhere.machine()?;
    let foreign = endorsed(&elsewhere, &mut foreign, "another owner")?;
    Ok(Exports { whole, older, other, foreign })
}

/// Adopts the journal of a machine that was enrolled again, once the control plane has heard it.
fn adopt(world: &World, machine: &Machine) -> anyhow::Result<()> {
    let path = format!("/api/v1/endpoints/{}", machine.endpoint);
    let mut candidate = Value::Null;
    wait_for("the second journal", 20, || {
        let endpoint = world.api.get(&path)?;
        let journals = endpoint["journals"].as_array().cloned().unwrap_or_default();
        candidate =
            journals.iter().find(|it| it["state"] == "candidate").map_or(Value::Null, |it| it["id"].clone());
        Ok(!candidate.is_null())
    })?;
    world.api.post(&format!("{path}/adopt"), &json!({ "journal_id": candidate }))?;
    Ok(())
}

/// Has the machine do some work; answers its record once the machine has endorsed it.
fn endorsed(world: &World, machine: &mut Machine, title: &str) -> anyhow::Result<Vec<String>> {
    if !machine.is_running()? {
        machine.start()?;
    }
    let commands = ["echo one", "echo two"].map(str::to_owned);
    let id = world.queue(machine, &sequence_of(title, &commands))?;
    world.ended(&id, 60)?;
    let path = format!("/api/v1/endpoints/{}/export", machine.endpoint);
    let mut lines = Vec::new();
    wait_for("the endpoint's endorsement", 30, || {
        let text = world.api.text(&path)?;
        let mut verifier = tidegate_core::verify::Verifier::new(Some(world.root()?.parse()?));
        verifier.feed(text.as_bytes());
        lines = text.lines().map(str::to_owned).collect();
        Ok(verifier.finish().is_fully_endorsed())
    })?;
    Ok(lines)
}

fn bytes_of(lines: &[String]) -> Vec<u8> {
    (lines.join("\n") + "\n").into_bytes()
}

fn case(group: &'static str, what: impl Into<String>, lines: &[String]) -> Case {
    Case { group, what: what.into(), bytes: bytes_of(lines) }
}
