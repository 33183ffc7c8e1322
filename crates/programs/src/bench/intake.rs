//! Results taken in a second: genuine journals, made beforehand, one sequence a sync.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::load::{Lane, Target, drive};
use super::table::Table;
use super::{CALLERS, STEPS};
use crate::harness::{Connection, LightMachine, SYNC_PATH, World, loopback, request_bytes, settle};

/// Most sequences of one machine that are returned.
const SEQUENCES_MAX: usize = 120;

pub(super) fn measure(
    table: &mut Table,
    tokio: &tokio::runtime::Runtime,
    world: &World,
    machines: &mut [LightMachine],
) -> anyhow::Result<()> {
    let address = ([127, 0, 0, 1], world.plane.port()).into();
    let started = Instant::now();
    let lanes: anyhow::Result<Vec<Lane>> = tokio.block_on(async {
        let mut lanes = Vec::with_capacity(CALLERS);
        for machine in machines.iter_mut() {
            let mut connection = Connection::open(address, loopback(0)).await?;
            settle(machine, &mut connection).await?;
            lanes.push(Lane::Once(returns(machine)?));
        }
        Ok(lanes)
    });
    let lanes = lanes?;
    let prepared = started.elapsed().as_secs_f64();
    let sequences: usize =
        lanes.iter().map(|lane| if let Lane::Once(requests) = lane { requests.len() } else { 0 }).sum();
    ensure!(sequences > 0, "the machines were offered work");
    let bytes: usize = lanes
        .iter()
        .map(|lane| if let Lane::Once(requests) = lane { requests.iter().map(Vec::len).sum() } else { 0 })
        .sum();
    let target = Target { address, pid: world.plane.pid()?, status: 200 };
    let measured = tokio.block_on(drive(target, lanes, Duration::from_secs(60)))?;
    ensure!(measured.requests == sequences, "every result was taken in");
    let steps = measured.per_second() * STEPS as f64;
    let text = format!("{steps:.0} steps/s, {:.0} µs CPU a sequence", measured.cpu_us());
    table.judged(
        format!("results taken in, {CALLERS} machines"),
        text,
        ">= 10,000 steps/s, FULL",
        steps >= 10_000.0,
    );
    let each = bytes / sequences;
    table.note(
        "a result of six steps on the wire",
        format!("{each} B with headers, {sequences} in all, made in {prepared:.1} s"),
    );
    is_told(tokio, world, machines)
}

/// The syncs that return the machine's work, as a runtime sends them: compressed.
fn returns(machine: &mut LightMachine) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut requests = Vec::new();
    while requests.len() < SEQUENCES_MAX && machine.run_steps(STEPS)? == STEPS {
        let request = machine.request(0)?;
        machine.assume_taken(&request.bytes)?;
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&request.bytes)?;
        requests.push(request_bytes(
            "POST",
            SYNC_PATH,
            &[("content-encoding", "deflate")],
            &encoder.finish()?,
        ));
    }
    Ok(requests)
}

/// What was sent is what people see.
fn is_told(
    tokio: &tokio::runtime::Runtime,
    world: &World,
    machines: &mut [LightMachine],
) -> anyhow::Result<()> {
    let machine = &mut machines[0];
    let address = ([127, 0, 0, 1], world.plane.port()).into();
    tokio.block_on(async {
        let mut connection = Connection::open(address, loopback(0)).await?;
        settle(machine, &mut connection).await
    })?;
    let path = format!("/api/v1/sequences?endpoint={}&state=succeeded&limit=1", machine.endpoint);
    crate::harness::wait_for("a sequence that succeeded", 30, || {
        Ok(world.api.get(&path)?["items"].as_array().is_some_and(|items| !items.is_empty()))
    })
}
