//! From queueing to the result on an open path: one real runtime, one small probe; and what that runtime takes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::STEPS;
use super::floors::fsync_p50;
use super::memory::mib;
use super::table::Table;
use crate::harness::{Connection, World, binary, loopback, memory_kib, request_bytes};

/// How long one round may take.
const ROUND_MAX: Duration = Duration::from_secs(20);

pub(super) fn measure(
    table: &mut Table,
    tokio: &tokio::runtime::Runtime,
    world: &mut World,
    rounds: usize,
) -> anyhow::Result<()> {
    let mut machine = world.machine()?;
    machine.start()?;
    let mut line = Line::open(tokio, world, &machine.endpoint)?;
    // The first contact settles the logs.
    for _ in 0..5 {
        tokio.block_on(line.round(1))?;
    }
    let pid = machine.pid()?;
    let idle = memory_kib(pid, "VmRSS")?;
    let (mut took, mut synced) = (Vec::with_capacity(rounds), Vec::new());
    for round in 0..rounds {
        took.push(tokio.block_on(line.round(1))?);
        if round % 20 == 0 {
            synced.push(fsync_p50(world.directory.path(), 10)?);
        }
    }
    took.sort();
    synced.sort();
    let ms = |took: &Duration| took.as_secs_f64() * 1e3;
    let at = |share: f64| ms(&took[((took.len() - 1) as f64 * share) as usize]);
    let text = format!("p50 {:.1}, p99 {:.1}, most {:.1} ms", at(0.5), at(0.99), at(1.0));
    table.judged(
        format!("queue → result, system_info, {rounds} rounds"),
        text,
        "p99 <= 50 ms",
        at(0.99) <= 50.0,
    );
    table.note("fsync p50 between those rounds", format!("{:.2} ms", ms(&synced[synced.len() / 2])));

    tokio.block_on(line.round(STEPS))?;
    let after = memory_kib(pid, "VmRSS")?.max(idle);
    let peak = memory_kib(pid, "VmHWM")?;
    let text = format!("{} / {} / {}", mib(idle), mib(after), mib(peak));
    table.judged(
        "runtime RSS idle / after six steps / at most",
        text,
        "<= 14 MB",
        after * 1024 <= 14_000_000,
    );
    let program = binary("tidegate-runtime")?;
    let bytes = std::fs::metadata(&program)?.len();
    let text = format!(
        "{:.2} MB ({})",
        bytes as f64 / 1e6,
        program.parent().context("it lies somewhere")?.display()
    );
    table.judged("runtime on disk", text, "<= 9 MB", bytes <= 9_000_000);
    machine.stop()
}

struct Line {
    connection: Connection,
    authorization: String,
    endpoint: String,
}

impl Line {
    fn open(tokio: &tokio::runtime::Runtime, world: &World, endpoint: &str) -> anyhow::Result<Self> {
        let address = ([127, 0, 0, 1], world.plane.port()).into();
        let connection = tokio.block_on(Connection::open(address, loopback(0)))?;
        let authorization = format!("Bearer {}", world.plane.token);
        Ok(Self { connection, authorization, endpoint: endpoint.to_owned() })
    }

    /// Queues one sequence and asks until it has succeeded.
    async fn round(&mut self, steps: usize) -> anyhow::Result<Duration> {
        let headers = [("authorization", self.authorization.as_str()), ("content-type", "application/json")];
        let body =
            json!({ "title": "look", "steps": vec![json!({ "probe": "system_info" }); steps] }).to_string();
        let path = format!("/api/v1/endpoints/{}/sequences", self.endpoint);
        let queue = request_bytes("POST", &path, &headers, body.as_bytes());
        let started = Instant::now();
        let answer = self.connection.exchange(&queue).await?;
        let said = String::from_utf8_lossy(answer.body).into_owned();
        ensure!(answer.status == 201, "queueing answered {}: {said}", answer.status);
        let queued: Value = serde_json::from_str(&said)?;
        let id = queued["id"].as_str().context("a sequence has an id")?;
        let look = request_bytes("GET", &format!("/api/v1/sequences/{id}"), &headers[..1], b"");
        loop {
            let answer = self.connection.exchange(&look).await?;
            let sequence: Value = serde_json::from_slice(answer.body)?;
            if sequence["state"] == "succeeded" {
                return Ok(started.elapsed());
            }
            ensure!(started.elapsed() < ROUND_MAX, "it does not come back: {sequence:#}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
