//! Random schedules of everything that can go wrong, many more than a test run has time for, with seeds that nobody chose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Scale, figure, source};
use crate::harness::random;

/// Seeds, and how many schedules each gives.
const SEEDS: usize = 20;
const SCHEDULES: u32 = 20_000;
const TEST: &str = "schedules::no_random_schedule_breaks_a_promise";

/// What one seed gave.
struct Ran {
    seed: u32,
    schedules: u64,
    /// How often each fault took effect.
    fired: BTreeMap<String, u64>,
}

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let (seeds, schedules) = (scale.pick(SEEDS, 2), if scale == Scale::Quick { 400 } else { SCHEDULES });
    let program = build()?;
    let began = Instant::now();
    let seeds: Vec<u32> = (0..seeds)
        .map(|_| Ok(u32::from_be_bytes(random()?[..4].try_into()?)))
        .collect::<anyhow::Result<_>>()?;
    let (mut all, mut fired) = (0, BTreeMap::<String, u64>::new());
    let waiting = Mutex::new(seeds.iter().copied());
    let next = || waiting.lock().ok()?.next();
    std::thread::scope(|scope| {
        let (ran, running) = mpsc::channel();
        for _ in 0..std::thread::available_parallelism()?.get() {
            let (ran, program) = (ran.clone(), &program);
            scope.spawn(move || {
                while let Some(seed) = next() {
                    if ran.send(play(program, seed, schedules)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ran);
        for one in running {
            let one = one?;
            all += one.schedules;
            one.fired.into_iter().for_each(|(fault, times)| *fired.entry(fault).or_default() += times);
            println!("  - seed {}: {} schedules, no promise broken; {all} in all", one.seed, one.schedules);
        }
        anyhow::Ok(())
    })?;
    for (fault, times) in &fired {
        figure(fault, times);
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    figure(
        "schedules / seeds / minutes / promises broken",
        format!("{all} / {} / {minutes:.0} / 0", seeds.len()),
    );
    Ok(())
}

/// Builds the core's scenarios for release, and answers where the program is.
fn build() -> anyhow::Result<PathBuf> {
    let built = Command::new("cargo")
        .args(["test", "--locked", "--release", "--package", "tidegate-core", "--test", "scenarios"])
        .args(["--no-run", "--message-format", "json"])
        .current_dir(source::root()?)
        .env("CARGO_TARGET_DIR", source::target_directory("target-schedules"))
        .output()
        .context("failed to run cargo")?;
    ensure!(built.status.success(), "the scenarios do not build: {}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout)?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "scenarios";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    programs.next_back().context("cargo names the program that it built")
}

/// Plays the schedules of one seed.
fn play(program: &Path, seed: u32, schedules: u32) -> anyhow::Result<Ran> {
    let played = Command::new(program)
        .args([TEST, "--exact", "--nocapture"])
        .env("PROPTEST_CASES", schedules.to_string())
        .env("PROPTEST_RNG_SEED", seed.to_string())
        .env("RUST_BACKTRACE", "0")
        .output()?;
    let said = String::from_utf8_lossy(&played.stdout);
    let error = String::from_utf8_lossy(&played.stderr);
    // What proptest found is at the end, shrunk.
    let tail = error.char_indices().rev().nth(4_000).map_or(0, |(start, _)| start);
    ensure!(played.status.success(), "seed {seed} breaks a promise: {}", &error[tail..]);
    let mut ran = Ran { seed, schedules: 0, fired: BTreeMap::new() };
    for line in said.lines() {
        if let Some(count) = line.strip_prefix("schedules ") {
            ran.schedules = count.trim().parse()?;
        } else if let Some((times, fault)) =
            line.strip_prefix("fired ").and_then(|rest| rest.trim().split_once(' '))
        {
            ran.fired.insert(fault.trim().to_owned(), times.parse()?);
        }
    }
    ensure!(
        ran.schedules == u64::from(schedules) && !ran.fired.is_empty(),
        "seed {seed} played nothing: {said}"
    );
    Ok(ran)
}
