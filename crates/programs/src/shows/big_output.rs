//! Output without end, and processes that will not go: bounded, counted, ended.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Scale, figure};
use crate::harness::{World, descendants, memory_kib};

/// Most memory that the runtime may use, in KiB.
const MEMORY_KIB_MAX: u64 = 40 * 1024;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let megabytes = scale.pick(500, 40) as u64;
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let command =
        format!("echo the beginning; head -c {megabytes}000000 /dev/zero | tr '\\0' x; echo; echo the end");
    let step = json!({ "probe": "shell", "with": { "command": command }, "timeout": "5m" });
    let id = world.queue(&machine, &json!({ "title": "big output", "steps": [step] }))?;
    let ended = world.ended(&id, 300).with_context(|| machine.said().unwrap_or_default())?;
    let output = &ended["steps"][0]["attempts"][0]["result"]["output"];
    let text = output["text"].as_str().context("output is text")?;
    let (bytes, dropped) =
        (output["bytes"].as_u64().unwrap_or(0), output["dropped_bytes"].as_u64().unwrap_or(0));
    ensure!(ended["state"] == "succeeded", "{ended:#}");
    ensure!(bytes == megabytes * 1_000_000 + 23, "every byte is counted: {bytes}");
    ensure!(text.starts_with("the beginning\n") && text.ends_with("the end\n"), "head and tail are shown");
    ensure!(text.contains(&format!("{dropped} bytes dropped")), "the text says what is missing");
    let shown = text.len() as u64;
    ensure!(
        bytes - dropped < shown && shown < 64 * 1024,
        "what is not shown is counted: {bytes} {dropped} {shown}"
    );
    let peak = memory_kib(machine.pid()?, "VmHWM")?;
    figure("bytes the step printed / counted", bytes);
    figure("bytes shown (head and tail) / counted as dropped", format!("{} / {dropped}", bytes - dropped));
    figure("most memory of the runtime (budget 40 MB)", format!("{:.1} MB", peak as f64 / 1024.0));
    ensure!(peak < MEMORY_KIB_MAX, "the runtime used {peak} KiB");
    Ok(())
}

/// A step over its time limit whose grandchildren hid as well as they can.
pub(super) fn timeout(_: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let mark = format!("tidegate-timeout-{}", std::process::id());
    let command = format!(
        "for i in 1 2 3 4; do setsid setsid setsid sh -c 'sleep 1000; : {mark}' & done; \
         env -i setsid setsid nohup sh -c 'sleep 1000; : {mark}' >/dev/null 2>&1 & echo started; \
         sh -c 'sleep 1000; : {mark}'"
    );
    let slow = json!({ "probe": "shell", "with": { "command": command }, "timeout": "2s" });
    let next = json!({ "probe": "shell", "with": { "command": "echo next" } });
    let id =
        world.queue(&machine, &json!({ "title": "timeout", "stop_on": "never", "steps": [slow, next] }))?;
    crate::harness::wait_for("the step's tree", 30, || Ok(descendants(&mark)?.len() >= 6))?;
    let started = descendants(&mark)?.len();
    let ended = world.ended(&id, 60).with_context(|| machine.said().unwrap_or_default())?;
    let left = descendants(&mark)?.len();
    ensure!(ended["steps"][0]["state"] == "timed_out", "{ended:#}");
    ensure!(ended["steps"][1]["state"] == "succeeded", "the next step runs: {ended:#}");
    let output = ended["steps"][0]["attempts"][0]["result"]["output"]["text"].as_str().unwrap_or_default();
    ensure!(output == "started\n", "what it printed is kept: {output:?}");
    ensure!(left == 0, "{left} processes survived");
    figure("processes of the step, setsid twice and more", started);
    figure("of them alive when the step had ended", left);
    Ok(())
}
