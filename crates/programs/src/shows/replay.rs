//! Recorded syncs are sent again from elsewhere: at once, later, and after a restart of the control plane. Somebody who
//! reads a machine's requests in the clear thereby gets no work and makes no machine look alive.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{Scale, figure};
use crate::harness::{Connection, Detour, DetourOptions, Machine, Tamper, World, sequence_of, wait_for};

/// An answer that takes longer was held.
const HELD: Duration = Duration::from_secs(10);

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let from = "127.0.0.1".parse()?;
    let detour = Detour::start(DetourOptions { to: world.plane.port(), from, tamper: Tamper::Nothing })?;
    let mut machine = world.machine_through(&detour.url())?;
    work(&mut world, &mut machine, &detour, scale.pick(30, 4))?;

    let trace = world.directory.path().join("canary");
    let canary = world
        .queue(&machine, &sequence_of("canary", &[format!("echo ran >> '{}'", trace.to_string_lossy())]))?;
    let each = scale.pick(1_000, 60).div_ceil(3);
    let mut sent = Sent::default();
    replay(&world, &machine, &canary, &mut sent, "at once", &detour.recorded(), each)?;

    // Later: more work has moved the journal, and what was recorded before is behind it.
    machine.start()?;
    let ran = world.ended(&canary, 60)?;
    ensure!(ran["state"] == "succeeded", "{ran:#}");
    machine.stop()?;
    work(&mut world, &mut machine, &detour, 2)?;
    let second = world
        .queue(&machine, &sequence_of("canary", &[format!("echo ran >> '{}'", trace.to_string_lossy())]))?;
    replay(&world, &machine, &second, &mut sent, "later", &detour.recorded(), each)?;

    world.plane.kill()?;
    world.plane.start()?;
    replay(&world, &machine, &second, &mut sent, "after a restart", &detour.recorded(), each)?;
    machine.start()?;
    world.ended(&second, 60)?;
    let ran = fs::read_to_string(&trace)?;
    ensure!(ran == "ran\nran\n", "each canary runs once: {ran:?}");
    figure("recorded requests, signed / idle", format!("{} / {}", sent.signed, sent.idle));
    figure("replays sent in all", sent.all);
    figure("of them: told where the journal stands / refused", format!("{} / {}", sent.told, sent.refused));
    figure("orders, contacts or entries that they brought about", 0);
    machine.stop()?;
    // What a window costs is as before.
    if scale == Scale::Quick { Ok(()) } else { super::trickle::trial() }
}

/// Runs sequences one after another, and lets an idle sync go out after each.
fn work(world: &mut World, machine: &mut Machine, detour: &Detour, sequences: usize) -> anyhow::Result<()> {
    machine.start()?;
    for number in 1..=sequences {
        let id = world.queue(machine, &sequence_of(&format!("work {number}"), &["true".into()]))?;
        world.ended(&id, 60).with_context(|| machine.said().unwrap_or_default())?;
        let idle = |requests: &[Vec<u8>]| requests.last().is_some_and(|last| is_idle(last));
        wait_for("an idle sync", 20, || Ok(idle(&detour.recorded())))?;
    }
    machine.kill()?;
    // The held sync of a machine that is gone would be given the work that waits below.
    wait_for("the end of its connection", 20, || {
        Ok(world.api.text("/metrics")?.lines().any(|line| line == "tidegate_syncs_held 0"))
    })
}

#[derive(Default)]
struct Sent {
    signed: usize,
    idle: usize,
    all: usize,
    told: usize,
    refused: usize,
}

/// Sends what was recorded again, newest first, `count` times in all, while work waits; nothing must move.
fn replay(
    world: &World,
    machine: &Machine,
    canary: &str,
    sent: &mut Sent,
    when: &str,
    recorded: &[Vec<u8>],
    count: usize,
) -> anyhow::Result<()> {
    sent.idle = recorded.iter().filter(|request| is_idle(request)).count();
    sent.signed = recorded.len() - sent.idle;
    ensure!(sent.idle > 0 && sent.signed > 0, "both kinds of sync were recorded");
    let before = stands(world, machine, canary)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = world.plane.port();
    for request in recorded.iter().rev().cycle().take(count) {
        let (status, body) = runtime.block_on(send(port, "127.0.0.99".parse()?, request))?;
        sent.all += 1;
        match status {
            200 => {
                let answer: Value = serde_json::from_slice(&body).context("a plain answer is JSON")?;
                let fields: Vec<&str> = answer
                    .as_object()
                    .into_iter()
                    .flat_map(|fields| fields.keys().map(String::as_str))
                    .collect();
                ensure!(fields == ["at", "journal", "request", "v"], "{when}: a replay is told {answer:#}");
                sent.told += 1;
            }
            401 => sent.refused += 1,
            other => bail!("{when}: a replay is answered with {other}: {}", String::from_utf8_lossy(&body)),
        }
    }
    let after = stands(world, machine, canary)?;
    ensure!(before == after, "{when}: replays moved something:\n{before:#}\n{after:#}");
    figure(&format!("replays {when}, from another address"), count);
    Ok(())
}

/// Everything that a replay could move.
fn stands(world: &World, machine: &Machine, canary: &str) -> anyhow::Result<Value> {
    let endpoint = world.api.get(&format!("/api/v1/endpoints/{}", machine.endpoint))?;
    let transcript = world.api.text(&format!("/api/v1/endpoints/{}/export", machine.endpoint))?;
    let entries = transcript.lines().skip(1).collect::<Vec<_>>();
    let sequence = world.sequence(canary)?;
    ensure!(sequence["state"] == "queued", "the canary waits: {sequence:#}");
    Ok(serde_json::json!({
        "last_seen_at": endpoint["last_seen_at"],
        "journals": endpoint["journals"],
        "transcript_lines": entries.len(),
        "transcript_end": entries.last(),
        "state": sequence["state"],
    }))
}

async fn send(port: u16, from: IpAddr, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut connection = Connection::open(([127, 0, 0, 1], port).into(), from).await?;
    let answer = tokio::time::timeout(HELD, connection.exchange(request));
    let answer = answer.await.context("a replay was held")??;
    Ok((answer.status, answer.body.to_vec()))
}

/// Whether a recorded request is an idle sync: its body is a short list.
fn is_idle(request: &[u8]) -> bool {
    let body = request.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    request[body..].starts_with(b"[")
}
