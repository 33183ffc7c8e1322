//! Every way to a private key that a check could take, tried on a live machine: nothing of it comes home.

mod place;
mod secrets;
mod ways;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Scale, figure};
use crate::harness::{Machine, World, wait_for};
use place::{Place, VISIBLE};
use secrets::Secrets;
use ways::Way;

/// Steps of one sequence.
const STEPS: usize = 16;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    let place = Place::make(world.directory.path(), &machine.state, &world.plane.data)?;
    let secrets = Secrets::of(&machine.state, &world.plane.data, &place)?;
    let is_mounted = place.mount_in(&mut machine);
    // What the service is given: a proxy's password, and programs in the place of systemd's.
    let path = format!("{}:{}", place.programs().display(), std::env::var("PATH").unwrap_or_default());
    machine.environment = vec![
        ("HTTPS_PROXY".into(), format!("http://svc:{}@127.0.0.1:9", place.canary)),
        ("TIDEGATE_TEST_SECRET".into(), place.canary.clone()),
        ("SERVICE_SECRET".into(), place.canary.clone()),
        ("PATH".into(), path),
    ];
    machine.start()?;
    world.listed(&machine.endpoint)?;
    wait_for("the machine's first check-in", 30, || Ok(machine.said()?.contains(" running ")))?;

    let ways = ways::all(&place, &machine, is_mounted)?;
    let mut texts = try_all(&world, &machine, &ways)?;
    texts.push(swap(&world, &machine, &place, scale.pick(200, 20))?);
    texts.push(environment(&world, &machine, &place)?);
    texts.push(positive_controls(&world, &machine, &place)?);
    figure("ways to a key or a denied file, tried by checks", ways.len());
    figure("of them refused", ways.len());
    if !is_mounted {
        figure("bind mounts", "not tried: this user may not mount");
    }
    search(&world, &mut machine, &secrets, &texts.join("\n"))
}

/// Tries each way, and answers all that came back.
fn try_all(world: &World, machine: &Machine, ways: &[Way]) -> anyhow::Result<Vec<String>> {
    ensure!(ways.len() >= 60, "there are {} ways", ways.len());
    let mut texts = Vec::new();
    for part in ways.chunks(STEPS) {
        let steps: Vec<Value> =
            part.iter().map(|way| json!({ "probe": way.probe, "with": way.with })).collect();
        let id = world.queue(machine, &json!({ "title": "keys", "stop_on": "never", "steps": steps }))?;
        let ended = world.ended(&id, 120).with_context(|| machine.said().unwrap_or_default())?;
        for (way, step) in part.iter().zip(ended["steps"].as_array().context("steps")?) {
            let result = &step["attempts"][0]["result"];
            ensure!(step["state"] == "refused", "{} by {}: {step:#}", way.name, way.probe);
            let words = format!("{}{}", result["summary"].as_str().unwrap_or_default(), step["reason"]);
            ensure!(
                way.reasons.iter().any(|reason| words.contains(reason)),
                "{} by {} is refused for another reason: {step:#}",
                way.name,
                way.probe
            );
        }
        texts.push(ended.to_string());
    }
    Ok(texts)
}

/// A link that leads to an allowed file and to the state in turn, while checks read it.
fn swap(world: &World, machine: &Machine, place: &Place, rounds: usize) -> anyhow::Result<String> {
    let (link, stop) = (place.at("swapped"), Arc::new(AtomicBool::new(false)));
    let targets = [place.at("app.log"), machine.state.join("state.db")];
    let swapping = std::thread::spawn({
        let (link, stop) = (link.clone(), Arc::clone(&stop));
        move || -> std::io::Result<u64> {
            let (next, mut swaps) = (link.with_extension("next"), 0_u64);
            while !stop.load(Ordering::Relaxed) {
                for target in &targets {
                    let _ = std::fs::remove_file(&next);
                    std::os::unix::fs::symlink(target, &next)?;
                    std::fs::rename(&next, &link)?;
                    swaps += 1;
                }
            }
            Ok(swaps)
        }
    });
    let read = || -> anyhow::Result<(String, usize, usize)> {
        let (mut text, mut read, mut refused) = (String::new(), 0, 0);
        for _ in 0..rounds.div_ceil(STEPS) {
            let steps = vec![json!({ "probe": "tail_file", "with": { "path": link, "lines": 1000 } }); STEPS];
            let id = world.queue(machine, &json!({ "title": "swap", "stop_on": "never", "steps": steps }))?;
            let ended = world.ended(&id, 60)?;
            for step in ended["steps"].as_array().context("steps")? {
                match step["state"].as_str() {
                    Some("succeeded") => {
                        let output = &step["attempts"][0]["result"]["output"]["text"];
                        ensure!(output.as_str().is_some_and(|text| text.contains(VISIBLE)), "{step:#}");
                        read += 1;
                    }
                    Some("refused") => refused += 1,
                    // The link is not there for an instant in some file systems.
                    _ => ensure!(step.to_string().contains("does not exist"), "{step:#}"),
                }
            }
            text.push_str(&ended.to_string());
        }
        Ok((text, read, refused))
    };
    let done = read();
    stop.store(true, Ordering::Relaxed);
    let swaps = swapping.join().map_err(|_| anyhow::anyhow!("the swapping thread broke"))??;
    let (text, read, refused) = done?;
    figure("reads of a link that was swapped meanwhile: log / refused", format!("{read} / {refused}"));
    figure("how often it was swapped", swaps);
    Ok(text)
}

/// Nothing of the service's environment reaches a command of a step.
fn environment(world: &World, machine: &Machine, place: &Place) -> anyhow::Result<String> {
    let steps = json!([
        { "probe": "shell", "with": { "command": "env; export -p; tr '\\0' '\\n' </proc/self/environ" } },
        { "probe": "service_status", "with": { "name": "any" } },
        { "probe": "event_log", "with": {} },
        { "probe": "network_config", "with": {} },
        { "probe": "processes", "with": { "top": 100 } },
    ]);
    let id = world.queue(machine, &json!({ "title": "environment", "stop_on": "never", "steps": steps }))?;
    let ended = world.ended(&id, 60)?;
    let text = ended["steps"][0]["attempts"][0]["result"]["output"]["text"].as_str().unwrap_or_default();
    ensure!(
        text.contains("SHELL=/bin/sh") && text.contains("LANG=C.UTF-8"),
        "the shell has its list: {text}"
    );
    for program in ["systemctl", "journalctl"] {
        let given = std::fs::read_to_string(place.at(&format!("{program}.env")))
            .with_context(|| format!("{program} was never asked: {ended:#}"))?;
        let mut names: Vec<&str> = given.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_", "TZ"].contains(name));
        names.sort_unstable();
        ensure!(
            names == ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"],
            "{program} starts with the list and nothing else: {given}"
        );
    }
    figure("commands that got the listed variables and no others", "shell, systemctl, journalctl");
    Ok(ended.to_string())
}

/// What may be read is read: the ways fail because of what they lead to.
fn positive_controls(world: &World, machine: &Machine, place: &Place) -> anyhow::Result<String> {
    let log = place.at("app.log");
    let steps = json!([
        { "probe": "tail_file", "with": { "path": log, "contains": VISIBLE } },
        { "probe": "tail_file", "with": { "path": place.at("log-link") } },
        { "probe": "file_facts", "with": { "path": log } },
        { "probe": "file_facts", "with": { "path": place.at("app.log.gz") } },
        { "probe": "disk_usage", "with": { "path": place.at("") } },
        { "probe": "tail_file", "with": { "path": "/proc/meminfo" } },
        { "probe": "http_check", "with": { "url": place.visible_url(), "contains": VISIBLE } },
    ]);
    let count = steps.as_array().map_or(0, Vec::len);
    let id = world.queue(machine, &json!({ "title": "allowed", "stop_on": "never", "steps": steps }))?;
    let ended = world.ended(&id, 60)?;
    ensure!(ended["state"] == "succeeded", "what is allowed is read: {ended:#}");
    for step in [0, 1, 6] {
        let output = &ended["steps"][step]["attempts"][0]["result"]["output"]["text"];
        ensure!(output.as_str().is_some_and(|text| text.contains(VISIBLE)), "{output}");
    }
    ensure!(ended["steps"][2]["attempts"][0]["result"]["data"]["sha256"].is_string(), "{ended:#}");
    figure("checks of allowed files and pages that brought content", count);
    Ok(ended.to_string())
}

/// Looks for the secrets in what came back, in the record and in all files of the control plane.
fn search(world: &World, machine: &mut Machine, secrets: &Secrets, results: &str) -> anyhow::Result<()> {
    let transcript = world.api.text(&format!("/api/v1/endpoints/{}/export", machine.endpoint))?;
    machine.stop()?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&world.plane.data)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut database = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        database.extend(std::fs::read(file)?);
    }
    for (place, bytes) in
        [("results", results.as_bytes()), ("transcript", transcript.as_bytes()), ("database", &database[..])]
    {
        // A search that finds nothing in the place where something is finds nothing anywhere.
        ensure!(secrets::has(bytes, VISIBLE.as_bytes()), "the search does not see what the {place} hold");
        // The control plane's own keys are in its database, where they belong.
        let found = secrets.found_in(bytes, place == "database");
        ensure!(found.is_empty(), "the {place} hold {found:?}");
        figure(&format!("bytes of the {place} searched"), bytes.len());
    }
    figure("forms of keys, canaries and digests that were looked for", secrets.count());
    figure("bytes of them found", 0);
    Ok(())
}
