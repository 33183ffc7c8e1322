//! Durable steps queued a second, through the API.

use std::time::Duration;

use serde_json::json;

use super::load::{Lane, Measured, Target, drive};
use super::table::Table;
use super::{CALLERS, STEPS};
use crate::harness::{LightMachine, World, request_bytes};

/// Sequences that are queued for one endpoint: a few below what it may have.
const LIVE_MAX: usize = 960;

pub(super) fn measure(
    table: &mut Table,
    tokio: &tokio::runtime::Runtime,
    world: &World,
    machines: &[LightMachine],
    seconds: f64,
) -> anyhow::Result<()> {
    let address = ([127, 0, 0, 1], world.plane.port()).into();
    let target = Target { address, pid: world.plane.pid()?, status: 201 };
    let at_most = Duration::from_secs_f64(seconds);
    let over = |endpoints: &[String], callers: usize| -> anyhow::Result<Measured> {
        let each = LIVE_MAX * endpoints.len() / callers;
        let lanes = (0..callers).map(|caller| {
            Lane::Once(vec![request(&world.plane.token, &endpoints[caller % endpoints.len()]); each])
        });
        tokio.block_on(drive(target, lanes.collect(), at_most))
    };
    let all: Vec<String> = machines.iter().map(|machine| machine.endpoint.to_string()).collect();
    let many = over(&all, CALLERS)?;
    let steps = many.per_second() * STEPS as f64;
    let text = format!("{steps:.0} steps/s, {:.0} µs CPU a sequence", many.cpu_us());
    let what = format!("queueing, {CALLERS} callers, {} endpoints", all.len());
    table.judged(what, text, ">= 10,000 steps/s, FULL", steps >= 10_000.0);

    // Endpoints of their own, so that the machines above have no more than they can return in a short while.
    let code = world.code_for(2)?;
    let spare = tokio.block_on(crate::harness::enrol_light(address, code, 2))?;
    let spare: Vec<String> = spare.iter().map(|machine| machine.endpoint.to_string()).collect();
    let one_endpoint = over(&spare[..1], CALLERS)?;
    let steps_one = one_endpoint.per_second() * STEPS as f64;
    let text = format!("{steps_one:.0} steps/s, {:.0} µs CPU a sequence", one_endpoint.cpu_us());
    table.note(format!("queueing, {CALLERS} callers, one endpoint"), text);
    let alone = over(&spare[1..], 1)?;
    let steps_alone = alone.per_second() * STEPS as f64;
    let text =
        format!("{steps_alone:.0} steps/s; {CALLERS} callers do {:.1} times as much", steps / steps_alone);
    table.note("queueing, one caller", text);
    Ok(())
}

fn request(token: &str, endpoint: &str) -> Vec<u8> {
    let step = json!({ "probe": "ping", "with": { "host": "10.20.0.5", "count": 4 } });
    let sequence = json!({ "title": "HMI lost the servo controller", "steps": vec![step; STEPS] });
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let path = format!("/api/v1/endpoints/{endpoint}/sequences");
    request_bytes("POST", &path, &headers, sequence.to_string().as_bytes())
}
