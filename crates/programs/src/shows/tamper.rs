//! Altered bytes: on the wire nothing altered runs; in an export every change is found or bounded.

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tidegate_core::digest::Digest;

use super::{Scale, figure};
use crate::harness::{Detour, DetourOptions, Tamper, World, sequence_of, wait_for};

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    wire(&mut world, 1, "succeeded")?;
    wire(&mut world, 3, "cancelled")?;
    export(&mut world)
}

/// Alters one byte in so many answers that carry orders, while three sequences wait.
fn wire(world: &mut World, answers: usize, first_ends: &str) -> anyhow::Result<()> {
    let mut machine = world.machine()?;
    // The log is taken up first: what is altered below is work.
    machine.start()?;
    let warm = world.queue(&machine, &sequence_of("warm", &["true".into()]))?;
    world.ended(&warm, 30)?;
    machine.stop()?;
    let trace = world.directory.path().join(format!("tamper-{answers}"));
    let trace_text = trace.to_string_lossy().into_owned();
    let queued: Vec<_> = (1..=3)
        .map(|number| {
            let command = format!("echo {number} >> '{trace_text}'");
            world.queue(&machine, &sequence_of(&format!("tamper {number}"), &[command]))
        })
        .collect::<Result<_, _>>()?;
    let from = "127.0.0.1".parse()?;
    let tamper = Tamper::Orders { answers };
    let detour = Detour::start(DetourOptions { to: world.plane.port(), from, tamper })?;
    machine.move_path(&detour.url())?;
    machine.start()?;
    let ended: Vec<_> = queued
        .iter()
        .map(|id| world.ended(id, 120).with_context(|| machine.said().unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    ensure!(detour.altered() == answers, "{} answers were altered", detour.altered());
    ensure!(ended[0]["state"] == first_ends, "the altered one ends {}: {:#}", ended[0]["state"], ended[0]);
    ensure!(ended[1..].iter().all(|ended| ended["state"] == "succeeded"), "the rest goes on");
    let expected = if first_ends == "succeeded" { "1\n2\n3\n" } else { "2\n3\n" };
    let ran = fs::read_to_string(&trace)?;
    ensure!(ran == expected, "what ran: {ran:?}");
    let found = entries(world, &machine.endpoint, "journal.tampered")?;
    ensure!(found == 1, "one finding for the same altered bytes, not {found}");
    figure(
        &format!("answers altered on the wire / findings / ends of the altered work ({answers})"),
        format!("{answers} / {found} / {first_ends}"),
    );
    machine.stop()
}

fn entries(world: &World, endpoint: &str, kind: &str) -> anyhow::Result<usize> {
    let page = world.api.get(&format!("/api/v1/endpoints/{endpoint}/transcript?limit=500"))?;
    let items = page["items"].as_array().context("a page has items")?;
    Ok(items.iter().filter(|entry| entry["kind"] == kind).count())
}

/// Alters a genuine export in every way that an export can be altered.
fn export(world: &mut World) -> anyhow::Result<()> {
    let mut machine = world.machine()?;
    machine.start()?;
    for number in 1..=2 {
        let id = world.queue(
            &machine,
            &sequence_of(&format!("export {number}"), &["echo one".into(), "echo two".into()]),
        )?;
        world.ended(&id, 30)?;
    }
    let file = world.directory.path().join("genuine.ndjson");
    let path = file.to_string_lossy().into_owned();
    let mut genuine = String::new();
    wait_for("the endpoint's endorsement", 20, || {
        world.tidegate(&["export", &machine.endpoint, "--out", &path, "--force"], 0)?;
        genuine = fs::read_to_string(&file)?;
        Ok(fully_endorsed(&verdict(world, &path, 0)?))
    })?;
    let lines: Vec<&str> = genuine.lines().collect();
    let entries = (lines.len() - 1) / 2;
    figure("genuine export", summary(&verdict(world, &path, 0)?));

    let pair = |number: usize| 1 + 2 * (number - 1)..1 + 2 * number;
    let middle = entries / 2;
    let cases: Vec<(&str, Vec<String>)> = vec![
        ("a byte of a header changed", changed(&lines, pair(middle).start, "\"actor\":\"", "x")),
        ("a byte of a body changed", changed(&lines, pair(middle).start + 1, "\"kind\":\"", "x")),
        ("an entry removed", without(&lines, pair(middle))),
        ("two entries swapped", swapped(&lines, pair(middle), pair(middle + 1))),
        ("the chain rewritten from there on", rewritten(&lines, pair(middle).start)),
        ("the tail cut", lines[..pair(entries - 3).end].iter().map(|line| (*line).to_owned()).collect()),
    ];
    for (what, altered) in cases {
        let altered_file = world.directory.path().join("altered.ndjson");
        fs::write(&altered_file, altered.join("\n") + "\n")?;
        let verdict = verdict(world, &altered_file.to_string_lossy(), 5).with_context(|| what.to_owned())?;
        let findings = verdict["findings"].as_array().map_or(0, Vec::len);
        ensure!(findings > 0, "{what} is found: {verdict:#}");
        figure(&format!("export with {what}"), summary(&verdict));
    }
    Ok(())
}

/// What `tidegate verify --json` says; its exit code must be `expected`.
fn verdict(world: &World, file: &str, expected: i32) -> anyhow::Result<Value> {
    let said = world.tidegate(&["verify", file, "--root", &world.root()?, "--json"], expected)?;
    serde_json::from_str(&said).context(said)
}

fn fully_endorsed(verdict: &Value) -> bool {
    verdict["fully_endorsed"] == true
}

fn summary(verdict: &Value) -> String {
    let first = verdict["findings"][0].as_str().map(|finding| format!(": {finding}")).unwrap_or_default();
    let endorsed =
        verdict["endorsed_to"].as_u64().map_or_else(|| "nothing".to_owned(), |number| number.to_string());
    format!("complete to {}, endorsed to {endorsed}{first}", verdict["complete_to"])
}

/// The lines with `with` put right behind the first `after` of one of them.
fn changed(lines: &[&str], line: usize, after: &str, with: &str) -> Vec<String> {
    let mut altered: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    if let Some(at) = altered[line].find(after) {
        let at = at + after.len();
        altered[line].replace_range(at..=at, with);
    }
    altered
}

/// The lines with another actor in one header, and every later entry carrying the hash that follows from it: what a
/// forger without keys can do.
fn rewritten(lines: &[&str], from: usize) -> Vec<String> {
    let mut altered = changed(lines, from, "\"actor\":\"", "x");
    for header in (from + 2..lines.len()).step_by(2) {
        let (genuine, forged) = (Digest::of(lines[header - 2]), Digest::of(&altered[header - 2]));
        altered[header] = altered[header].replace(&genuine.to_string(), &forged.to_string());
    }
    altered
}

fn without(lines: &[&str], gone: std::ops::Range<usize>) -> Vec<String> {
    lines
        .iter()
        .enumerate()
        .filter(|(index, _)| !gone.contains(index))
        .map(|(_, line)| (*line).to_owned())
        .collect()
}

fn swapped(lines: &[&str], one: std::ops::Range<usize>, other: std::ops::Range<usize>) -> Vec<String> {
    let mut altered: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    for (one, other) in one.zip(other) {
        altered.swap(one, other);
    }
    altered
}
