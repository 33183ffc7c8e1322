//! The machine's disk is full: nothing starts without room for its result, and what was started is told.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::super::dice::Dice;
use super::disk::SmallDisk;
use super::{Tally, traces};
use crate::harness::{Machine, World, binary, sequence_of, wait_for};

/// Sequences of a round, and steps of each: with 32 KiB of output a step, more than the reserve holds. A step takes a
/// while, or a fast machine would be done before its disk is full.
const SEQUENCES: usize = 12;
const STEPS: usize = 6;
/// What the log says, once, when there is no room.
const SAID: &str = "the disk is full";

pub(super) fn rounds(disk: &SmallDisk, rounds: usize) -> anyhow::Result<Tally> {
    let mut world = World::new()?;
    let mut tally = Tally::default();
    for round in 0..rounds {
        // A fresh machine each time: one that has kept months of entries would find room among them.
        let state = disk.at(&format!("state-{round}"));
        let mut machine = world.machine_at(&state)?;
        play(&mut world, disk, &mut machine, round, &mut tally)
            .with_context(|| format!("round {round}: {}", machine.said().unwrap_or_default()))?;
        machine.stop()?;
        fs::remove_dir_all(&state)?;
    }
    Ok(tally)
}

fn play(
    world: &mut World,
    disk: &SmallDisk,
    machine: &mut Machine,
    round: usize,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut dice = Dice::new(round as u64);
    let file = world.directory.path().join(format!("traces-{round}"));
    fs::write(&file, "")?;
    let mut expected = Vec::new();
    let mut ids = Vec::new();
    for sequence in 0..SEQUENCES {
        let names: Vec<_> = (0..STEPS).map(|step| format!("{sequence}.{step}")).collect();
        let command = |name: &String| {
            format!("echo {name} >> '{}'; sleep 0.05; head -c 30000 /dev/urandom | base64", file.display())
        };
        let commands: Vec<_> = names.iter().map(command).collect();
        ids.push(world.queue(machine, &sequence_of(&format!("sequence {sequence}"), &commands))?);
        expected.extend(names);
    }
    machine.start()?;
    // A quarter at most has run: what is left needs more than the reserve holds.
    let ran = dice.below(expected.len() as u64 / 4);
    wait_for("steps to have run", 60, || Ok(traces(&file)?.len() as u64 >= ran))?;
    let filler = disk.fill()?;
    machine.says(SAID, 60)?;
    // Every third round the program is ended while the disk is full, by turns as a crash and as an operator would.
    if round % 3 == 1 {
        if round.is_multiple_of(2) {
            machine.kill()?;
        } else {
            machine.stop()?;
        }
        machine.start()?;
        tally.restarts += 1;
    }
    waits(world, disk, machine, &ids, tally)?;
    let before = traces(&file)?.len();
    filler.release()?;
    let released = Instant::now();
    let mut interrupted = 0;
    for id in &ids {
        let ended = world.ended(id, 90)?;
        interrupted += check(&ended, round % 3 == 1)?;
    }
    tally.recoveries_ms.push(released.elapsed().as_millis());
    let ran = traces(&file)?;
    // One that was cut off may not have come to write its line.
    let is_once = ran.windows(2).all(|pair| pair[0] != pair[1]);
    ensure!(
        is_once && ran.len() + interrupted >= expected.len(),
        "{} were to run, {ran:?} did",
        expected.len()
    );
    tally.steps += expected.len() - interrupted;
    tally.interrupted += interrupted;
    ensure!(before < ran.len(), "the disk was full and everything ran all the same: it was not full in time");
    ensure!(machine.is_running()?, "the runtime ended");
    tally.verdict = world.verified(&machine.endpoint)?;
    tally.acknowledged += ids.len();
    tally.rounds += 1;
    Ok(())
}

/// The machine does nothing more, keeps running, and says why wherever somebody may look.
fn waits(
    world: &World,
    disk: &SmallDisk,
    machine: &mut Machine,
    ids: &[String],
    tally: &mut Tally,
) -> anyhow::Result<()> {
    ensure!(disk.free_bytes()? < 16 << 10, "{} bytes are free on a full disk", disk.free_bytes()?);
    ensure!(machine.is_running()?, "the runtime ended");
    let said = machine.said()?;
    ensure!(said.contains("free some"), "its log says what to do: {said}");
    let mut says_why = false;
    // What was journaled before the room ended is returned all the same; whether the reason was among it depends on
    // the moment.
    let _ = wait_for("the page to say why", 3, || {
        for id in ids {
            let sequence = world.sequence(id)?;
            says_why |=
                sequence["waiting_for"].as_str().is_some_and(|text| text.contains("room at the machine"));
        }
        Ok(says_why)
    });
    tally.said += usize::from(says_why);
    let status = std::process::Command::new(binary("tidegate-runtime")?)
        .args(["status", "--state"])
        .arg(&machine.state)
        .output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&status.stdout), String::from_utf8_lossy(&status.stderr));
    ensure!(
        text.contains("no step starts") || text.contains("disk is full") || text.contains("no room"),
        "status says why: {text}"
    );
    Ok(())
}

/// Everything has ended in one attempt; where the program was killed a step may be `interrupted`. Answers how many are.
fn check(sequence: &Value, was_killed: bool) -> anyhow::Result<usize> {
    let mut interrupted = 0;
    for step in sequence["steps"].as_array().context("a sequence has steps")? {
        let state = step["state"].as_str().unwrap_or_default();
        let is_fine = state == "succeeded" || was_killed && state == "interrupted";
        ensure!(is_fine, "a step ended `{state}`: {sequence:#}");
        interrupted += usize::from(state == "interrupted");
        let attempts = step["attempts"].as_array().map_or(0, Vec::len);
        ensure!(attempts == 1, "a step has {attempts} attempts: {sequence:#}");
    }
    Ok(interrupted)
}
