//! The main job: queued for a machine that is off, kept through a SIGKILL, run once, proved.

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Scale, figure};
use crate::harness::{Detour, DetourOptions, Tamper, World};

const SEQUENCES: usize = 3;
const STEPS: usize = 6;

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    let traces = world.directory.path().join("traces");
    fs::write(&traces, "")?;

    // The first two by API, the third by the command line, all while the machine is off.
    let mut queued = Vec::new();
    for number in 1..SEQUENCES {
        queued.push(world.queue(&machine, &sequence(number, &traces.to_string_lossy()))?);
    }
    let file = world.directory.path().join("sequence.json");
    fs::write(&file, serde_json::to_vec(&sequence(SEQUENCES, &traces.to_string_lossy()))?)?;
    let said = world.tidegate(&["run", &machine.endpoint, "--file", &file.to_string_lossy(), "--json"], 0)?;
    let listed: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    queued.push(first_id(&listed).with_context(|| format!("run tells the id: {said}"))?);
    for id in &queued {
        ensure!(world.sequence(id)?["state"] == "queued", "{id} waits for the machine");
    }

    world.plane.kill()?;
    world.plane.start()?;
    let from = "127.0.0.77".parse()?;
    let detour = Detour::start(DetourOptions { to: world.plane.port(), from, tamper: Tamper::Nothing })?;
    machine.move_path(&detour.url())?;
    machine.start()?;
    for id in &queued {
        let ended = world.ended(id, 60).with_context(|| machine.said().unwrap_or_default())?;
        ensure!(ended["state"] == "succeeded", "{ended:#}");
        five_times(&ended)?;
    }
    let expected: String = (1..=SEQUENCES)
        .flat_map(|sequence| (1..=STEPS).map(move |step| format!("{sequence}.{step}\n")))
        .collect();
    let ran = fs::read_to_string(&traces)?;
    ensure!(ran == expected, "the steps ran once and in order; the file holds: {ran:?}");
    figure("steps that ran, each once and in order", ran.lines().count());
    let endpoint = world.api.get(&format!("/api/v1/endpoints/{}", machine.endpoint))?;
    let address = &endpoint["journals"][0]["address"];
    ensure!(
        address == "127.0.0.77",
        "the machine came from another address than it enrolled from: {address}"
    );
    figure(
        "address it enrolled from / came back from",
        format!("127.0.0.1 / {}", address.as_str().unwrap_or("?")),
    );

    let verdict = verified(&world, &machine.endpoint)?;
    figure("verdict on the export", verdict);
    Ok(())
}

fn sequence(number: usize, traces: &str) -> Value {
    let step = |step| json!({ "probe": "shell", "with": { "command": format!("echo {number}.{step} >> '{traces}'") } });
    json!({ "title": format!("sequence {number}"), "steps": (1..=STEPS).map(step).collect::<Vec<_>>() })
}

/// The id in what `run --json` printed: one sequence, or a list of them.
fn first_id(said: &Value) -> Option<String> {
    let one = [said, &said[0], &said["items"][0], &said["sequences"][0]];
    one.iter().find_map(|value| value["id"].as_str()).map(str::to_owned)
}

/// Every attempt tells its five times, and they follow each other.
fn five_times(sequence: &Value) -> anyhow::Result<()> {
    for step in sequence["steps"].as_array().context("a sequence has steps")? {
        let attempt = &step["attempts"][0];
        let names = ["queued_at", "delivered_at", "started_at", "finished_at", "returned_at"];
        let times: Vec<_> = names.iter().filter_map(|name| attempt[name].as_str()).collect();
        ensure!(times.len() == names.len(), "an attempt has five times: {attempt:#}");
        ensure!(times.is_sorted(), "the times follow each other: {times:?}");
    }
    Ok(())
}

/// What `tidegate verify` says of a fresh export, once the endpoint has endorsed everything.
fn verified(world: &World, endpoint: &str) -> anyhow::Result<String> {
    let file = world.directory.path().join("export.ndjson");
    let file = file.to_string_lossy();
    let root = world.root()?;
    let mut last = String::new();
    crate::harness::wait_for("the endpoint's endorsement", 20, || {
        world.tidegate(&["export", endpoint, "--out", &file, "--force"], 0)?;
        last = world.tidegate(&["verify", &file, "--root", &root], 0)?;
        Ok(last.contains("endorsed"))
    })
    .with_context(|| last.clone())?;
    Ok(last.trim().replace('\n', "; "))
}
