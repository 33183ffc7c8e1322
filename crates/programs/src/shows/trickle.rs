//! A link of 32 kbit/s with a round trip of 600 ms: work with real output comes through, in as few round trips as
//! ever, and near the time that its bytes need.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_cli::link::{Closed, Conditions, Rate, Shape};

use super::{Scale, figure};
use crate::harness::{Network, World};

/// What a sequence of six steps may cost in exchanges once there is a connection.
const ROUND_TRIPS_MAX: usize = 3;
const BITS_PER_SECOND: u64 = 32_000;
const LATENCY: Duration = Duration::from_millis(300);

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    for number in 1..=scale.pick(3, 1) {
        trial().with_context(|| format!("trial {number}"))?;
    }
    Ok(())
}

/// One window of six steps; prints what it cost.
pub(super) fn trial() -> anyhow::Result<()> {
    let mut world = World::new()?;
    let path = Network::new()?.path(world.plane.runtime_port(), Conditions::closing(Closed::Cut))?;
    let mut machine = world.machine_through(&path.url())?;
    machine.start()?;
    path.settles(60)?;
    path.close()?;
    let slow =
        Shape { latency: LATENCY, rate: Some(Rate::bits_per_second(BITS_PER_SECOND)), ..Shape::default() };
    path.set(Conditions::shaped(slow))?;
    let id = world.queue(&machine, &six_steps())?;
    let (before, exchanges_before) = (path.counts(), path.exchanges().len());

    let opened_at = path.open()?;
    let ended = world.ended(&id, 300).with_context(|| machine.said().unwrap_or_default())?;
    let took = SystemTime::now().duration_since(opened_at).unwrap_or_default();
    let (after, exchanges) = (path.counts(), path.exchanges());
    ensure!(ended["state"] == "succeeded", "{ended:#}");
    let output_bytes: u64 = (0..6).map(|step| shown_bytes(&ended["steps"][step])).sum();
    ensure!(output_bytes > 40_000, "the output is all there: {output_bytes} bytes");

    let (up, down) = (after.up_bytes - before.up_bytes, after.down_bytes - before.down_bytes);
    let round_trips = exchanges.len() - exchanges_before;
    let rate = Rate::bits_per_second(BITS_PER_SECOND);
    let connections = after.connections - before.connections;
    // Each exchange waits for the one before, so one direction is idle while the other is used. A connection costs a
    // round trip, and so does each exchange but for the last answer's way back, which nobody has to wait for.
    let trips = 2 * u32::try_from(round_trips as u64 + connections).context("few round trips")? - 1;
    let floor = rate.time_for(up + down) + LATENCY * trips;
    println!("  32 kbit/s each way, 600 ms there and back");
    figure("bytes of output that six steps printed", output_bytes);
    figure("bytes up / down until all of it was there", format!("{up} / {down}"));
    figure("round trips after the opening (promised: 3 at most)", round_trips);
    figure("connections that took", connections);
    figure("from the opening to the complete transcript", format!("{:.1} s", took.as_secs_f64()));
    figure("of that, what these bytes and round trips need", format!("{:.1} s", floor.as_secs_f64()));
    ensure!(round_trips <= ROUND_TRIPS_MAX, "it took {round_trips} round trips");
    Ok(())
}

/// Two steps print 20 KB of the kind that logs have, the others a line.
fn six_steps() -> Value {
    let log = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); \
               echo \"2026-11-23T14:03:$((i%60)) plc-$((i%7)) axis $((i*7919%360)) following error $((i*104729%9973)) um, limit 4000\"; \
               done";
    let steps: Vec<_> = [log, "echo two", "uname -a", log, "echo five", "echo six"]
        .iter()
        .map(|command| json!({ "probe": "shell", "with": { "command": command } }))
        .collect();
    json!({ "title": "two logs and four lines", "stop_on": "never", "steps": steps })
}

fn shown_bytes(step: &Value) -> u64 {
    step["attempts"][0]["result"]["output"]["text"].as_str().map_or(0, |text| text.len() as u64)
}
