//! SIGKILL in the middle of a step: nothing of it survives, it is not run again, and the record says so.

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Scale, figure};
use crate::harness::{Machine, World, descendants, wait_for};

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let rounds = scale.pick(50, 3);
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let mut killed_processes = 0;
    for round in 1..=rounds {
        // Every third round asks for one automatic repeat, every other one stops on what did not succeed.
        let rerun = round % 3 == 0;
        let stop_on = if round % 2 == 0 { "failed" } else { "never" };
        killed_processes += kill_once(&mut world, &mut machine, round, rerun, stop_on)
            .with_context(|| format!("round {round}, rerun {rerun}, stop_on {stop_on}"))?;
    }
    figure("times the runtime was killed in the middle of a step", rounds);
    figure("processes of those steps that had to go, in all", killed_processes);
    figure("of them alive after the restart", 0);
    figure("steps that ended interrupted and ran no second time", rounds - rounds / 3);
    figure("steps with rerun that had exactly one more attempt", rounds / 3);
    Ok(())
}

fn kill_once(
    world: &mut World,
    machine: &mut Machine,
    round: usize,
    rerun: bool,
    stop_on: &str,
) -> anyhow::Result<usize> {
    // The mark is on the command line of every process of the step, also of those that hide from their parents.
    let mark = format!("tidegate-mark-{}-{round}", std::process::id());
    let trace = world.directory.path().join(format!("trace-{round}"));
    let trace_text = trace.to_string_lossy().into_owned();
    let tree = format!(
        "echo run >> '{trace_text}'; \
         setsid setsid sh -c 'exec sleep 1000 #{mark}' & \
         env -i nohup sh -c 'sleep 1000 & sleep 1000; : {mark}' >/dev/null 2>&1 & \
         if [ $(wc -l < '{trace_text}') -gt 1 ]; then exit 0; fi; \
         sh -c 'sleep 1000; : {mark}'"
    );
    let id = world.queue(
        machine,
        &json!({ "title": format!("round {round}"), "stop_on": stop_on, "steps": [
            { "probe": "shell", "with": { "command": tree }, "rerun": rerun, "timeout": "10m" },
            { "probe": "shell", "with": { "command": format!("echo after >> '{trace_text}'") } },
        ] }),
    )?;
    wait_for("the step's tree", 30, || Ok(descendants(&mark)?.len() >= 3))?;
    let before = descendants(&mark)?.len();
    machine.kill()?;
    machine.start()?;
    let ended = world.ended(&id, 40).with_context(|| machine.said().unwrap_or_default())?;
    let left = descendants(&mark)?;
    ensure!(left.is_empty(), "{} processes of the step survived the restart", left.len());
    check(&ended, &fs::read_to_string(&trace)?, rerun, stop_on)?;
    Ok(before)
}

fn check(ended: &Value, trace: &str, rerun: bool, stop_on: &str) -> anyhow::Result<()> {
    let attempts: Vec<_> = ended["steps"][0]["attempts"]
        .as_array()
        .context("attempts")?
        .iter()
        .map(|a| a["state"].clone())
        .collect();
    let runs = trace.lines().filter(|line| *line == "run").count();
    let after = trace.lines().filter(|line| *line == "after").count();
    let second = ended["steps"][1]["state"].as_str().unwrap_or_default();
    if rerun {
        ensure!(attempts == ["interrupted", "succeeded"], "attempts with rerun: {attempts:?}");
        ensure!(runs == 2 && after == 1 && second == "succeeded", "{trace:?}, then {second}");
        ensure!(ended["state"] == "succeeded", "{}", ended["state"]);
        return Ok(());
    }
    ensure!(attempts == ["interrupted"], "attempts: {attempts:?}");
    ensure!(runs == 1, "the step ran {runs} times");
    match stop_on {
        "failed" => ensure!(
            after == 0 && second == "skipped" && ended["state"] == "stopped",
            "stop_on failed: {second}, {}",
            ended["state"]
        ),
        _ => ensure!(
            after == 1 && second == "succeeded" && ended["state"] == "failed",
            "stop_on never: {second}, {}",
            ended["state"]
        ),
    }
    Ok(())
}
