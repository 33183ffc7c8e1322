//! Garbage at every route of both listeners: nothing breaks, nothing grows.

mod chance;
mod fire;
mod mutate;
mod seeds;
mod signed;
mod stage;
mod text;

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::json;

use self::fire::{LANES, Lane, Range, Tally};
use self::mutate::Bombs;
use self::signed::Hostile;
use super::{Scale, figure};
use crate::harness::{World, memory_kib, sequence_of};

/// Makes the choices of every case repeatable.
const SEED: u64 = 0x7164_6567_6174_6531;

/// The parts after each of which memory is read. One reading says little: the size of what happens to be under way at
/// that moment, up to 8 MiB a request, is in it.
const PARTS: usize = 12;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let cases = scale.pick(100_000, 3_000);
    let mut world = World::with_two_listeners()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (ids, hostiles) = tokio.block_on(stage::set(&world))?;
    let range = Range {
        people: ([127, 0, 0, 1], world.plane.port()).into(),
        machines: ([127, 0, 0, 1], world.plane.runtime_port()).into(),
        seeds: seeds::seeds(&world, &ids)?,
        bombs: Bombs::new()?,
        token: world.plane.token.clone(),
        seed: SEED,
        limited: AtomicUsize::new(0),
    };
    let pid = world.plane.pid()?;
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut hostiles = hostiles;
    let mut memory_kib_after = Vec::with_capacity(PARTS);
    for part in 0..PARTS {
        let of_part = cases * part / PARTS..cases * (part + 1) / PARTS;
        let (counted, left) = tokio.block_on(barrage(&range, hostiles, of_part));
        tally.add(counted);
        hostiles = left;
        memory_kib_after.push(memory_kib(pid, "VmRSS")?);
    }
    let took = started.elapsed().as_secs_f64();

    report(&tally, &range, cases, took);
    let mib: Vec<_> = memory_kib_after.iter().map(|kib| kib / 1024).collect();
    figure("memory after each twelfth, MiB", json!(mib));
    figure("memory at most, MiB", memory_kib(pid, "VmHWM")? / 1024);
    ensure!(
        tally.faults.is_empty(),
        "{} answers say 5xx; the first: {}",
        tally.faults.len(),
        tally.faults[0]
    );
    ensure!(world.plane.is_running()? && world.plane.pid()? == pid, "the control plane is the same process");
    let said = world.plane.said()?;
    let panics: Vec<&str> = said.lines().filter(|line| line.contains("panicked")).collect();
    ensure!(panics.is_empty(), "nothing panicked: {panics:?}");
    let limited = tally.statuses.get(&429).copied().unwrap_or(0);
    ensure!(limited * 50 <= cases, "limits do not hide the routes: {limited} answers of 429");
    for seed in &range.seeds {
        let (sent, _) = tally.routes.get(&seed.route).copied().unwrap_or_default();
        ensure!(sent * range.seeds.len() * 3 >= cases, "{} got only {sent} requests", seed.route);
    }
    // What a warm program may still gain from its second quarter to its last: a tenth, and room for the allocator.
    let (warm_kib, end_kib) = (mean(&memory_kib_after[3..6]), mean(&memory_kib_after[9..12]));
    ensure!(
        end_kib <= warm_kib + warm_kib / 10 + 8 * 1024,
        "memory is flat: {warm_kib} KiB, then {end_kib} KiB"
    );

    let id = world.queue(&machine, &sequence_of("after it all", &["echo still here".to_owned()]))?;
    let ended = world.ended(&id, 30).with_context(|| machine.said().unwrap_or_default())?;
    ensure!(ended["state"] == "succeeded", "{ended:#}");
    figure("a sequence of a real machine afterwards", &ended["state"]);
    machine.stop()?;
    ensure!(world.plane.stop()?, "it ends as asked");
    let database = rusqlite::Connection::open(world.plane.data.join("tidegate.db"))?;
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "the database is whole: {verdict}");
    figure("integrity of the database", verdict);
    Ok(())
}

fn mean(values: &[u64]) -> u64 {
    values.iter().sum::<u64>() / values.len() as u64
}

/// Sends `cases` over all lanes; answers what came back and the machines for the next cases.
async fn barrage(
    range: &Range,
    hostiles: Vec<Vec<Hostile>>,
    cases: std::ops::Range<usize>,
) -> (Tally, Vec<Vec<Hostile>>) {
    let lanes = hostiles
        .into_iter()
        .enumerate()
        .map(|(number, hostiles)| Lane::new(range, number, hostiles).run(cases.clone()));
    let mut tally = Tally::default();
    let mut left = Vec::with_capacity(LANES);
    for (counted, hostiles) in futures_util::future::join_all(lanes).await {
        tally.add(counted);
        left.push(hostiles);
    }
    (tally, left)
}

fn report(tally: &Tally, range: &Range, cases: usize, took: f64) {
    figure("requests, seed", format!("{cases}, {SEED:#x}"));
    figure("seconds, requests a second", format!("{took:.1}, {:.0}", cases as f64 / took));
    figure("routes (described, operators', unknown)", range.seeds.len());
    let with_success = tally.routes.values().filter(|(_, done)| *done > 0).count();
    figure("routes that some request passed", with_success);
    figure("answers by status", json!(tally.statuses));
    let rest = format!("{} / {} / {}", tally.left, tally.closed, tally.unheard);
    figure("held or incomplete / closed without answer / not waited for", rest);
    let never: Vec<_> =
        tally.routes.iter().filter(|(_, (_, done))| *done == 0).map(|(route, _)| route).collect();
    figure("routes that refused everything", json!(never));
}
