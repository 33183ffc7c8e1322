//! Floods of requests that cost the sender little: what they take of the control plane's memory, and of the time of an
//! honest machine.
//!
//! The attackers' threads share one core. Each attack has addresses of its own, as attackers have, and the honest
//! machine another.

mod honest;
mod machines;
mod sockets;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};

use self::honest::{Honest, Took};
use super::{Scale, figure};
use crate::harness::{World, memory_kib};

/// Most memory that the control plane may have at any moment.
const MEMORY_MAX_KIB: u64 = 200 * 1024;
/// Most that it may keep half a minute later. A program that is not optimized has 20 MiB more of its own code in memory.
const MEMORY_AFTER_KIB: u64 = if cfg!(debug_assertions) { 80 } else { 60 } * 1024;
/// How long the control plane has to give memory back.
const RECOVERY: Duration = Duration::from_secs(30);
/// How many times as long as in quiet an honest machine's work may take, at the 99th percentile.
const SLOWER_MAX: f64 = 2.0;

/// What an attack did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Bytes sent.
    bytes: AtomicU64,
    /// Requests that were taken.
    taken: AtomicU64,
    /// Requests that were refused, or cut.
    refused: AtomicU64,
}

/// Tells an attack when to stop, and hears what it did.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    to: std::net::SocketAddr,
    is_over: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

impl Orders {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn sent(&self, bytes: usize) {
        self.tally.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn answered(&self, is_taken: bool) {
        let counter = if is_taken { &self.tally.taken } else { &self.tally.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Begins an attack.
type Attacker = Box<dyn FnOnce(Orders) -> Attack + Send>;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let span = Duration::from_secs(if scale == Scale::Quick { 4 } else { 60 });
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let mut honest = Honest::open(&world, &machine.endpoint)?;
    honest.rounds(Duration::from_secs(1), &AtomicBool::new(false))?;
    let quiet = honest.rounds(span / 4, &AtomicBool::new(false))?;
    figure("queue → result of an honest machine in quiet", &quiet);
    let hostile = machines::enrol(&world)?;

    let attacks: [(&str, Attacker); 3] = [
        ("250 half-sent streams of one connection", Box::new(|orders| Box::pin(streams::attack(orders)))),
        ("200 slow sockets", Box::new(|orders| Box::pin(sockets::attack(orders)))),
        (
            "20 enrolled machines with the largest syncs",
            Box::new(|orders| Box::pin(machines::attack(orders, hostile))),
        ),
    ];
    let mut slowest = 0.0_f64;
    for (what, attack) in attacks {
        let during = endure(&world, &mut honest, what, span, attack)?;
        slowest = slowest.max(during.p99_ms() / quiet.p99_ms());
    }
    figure("slowest p99 against that in quiet", format!("{slowest:.1} times"));
    // The 99th percentile of a few rounds, with other tests running, means nothing.
    ensure!(
        scale == Scale::Quick || slowest <= SLOWER_MAX,
        "an honest machine's work takes {slowest:.1} times as long as in quiet"
    );
    ensure!(world.plane.is_running()?, "the control plane lives");
    machine.stop()
}

type Attack = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Lets an attack go on for `span` while the honest machine works; answers how long its work took.
fn endure(
    world: &World,
    honest: &mut Honest,
    what: &str,
    span: Duration,
    attack: impl FnOnce(Orders) -> Attack + Send,
) -> anyhow::Result<Took> {
    let pid = world.plane.pid()?;
    let orders = Orders {
        to: ([127, 0, 0, 1], world.plane.port()).into(),
        is_over: Arc::default(),
        tally: Arc::default(),
    };
    let (took, most_kib) = thread::scope(|scope| {
        let attacking = scope.spawn(|| on_one_core(attack(orders.clone())));
        let watching = scope.spawn(|| most_memory(pid, &orders.is_over));
        let timing = scope.spawn(|| {
            thread::sleep(span);
            orders.is_over.store(true, Ordering::Relaxed);
        });
        let took = honest.rounds(span, &orders.is_over);
        timing.join().map_err(|_| anyhow::anyhow!("the clock panicked"))?;
        let attacked = attacking.join().map_err(|_| anyhow::anyhow!("an attack panicked"))?;
        attacked.context("the attack itself failed")?;
        let most = watching.join().map_err(|_| anyhow::anyhow!("the watch panicked"))??;
        anyhow::Ok((took?, most))
    })?;
    let (after_kib, recovery) = recovered(pid)?;
    let [bytes, taken, refused] = [&orders.tally.bytes, &orders.tally.taken, &orders.tally.refused]
        .map(|counter| counter.load(Ordering::Relaxed));
    figure(what, format!("{} MiB sent, {taken} taken, {refused} refused or cut", bytes >> 20));
    figure("  queue → result meanwhile", &took);
    let text =
        format!("{} MiB, then {} after {:.0} s", most_kib / 1024, after_kib / 1024, recovery.as_secs_f64());
    figure("  memory at most", text);
    ensure!(bytes > 0 && taken + refused > 0, "the attack took place");
    ensure!(most_kib < MEMORY_MAX_KIB, "{what}: {} MiB of memory", most_kib / 1024);
    ensure!(after_kib < MEMORY_AFTER_KIB, "{what}: {} MiB half a minute later", after_kib / 1024);
    Ok(took)
}

/// Runs an attack on threads that share the first core.
fn on_one_core(attack: Attack) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(|| {
            let mut first = CpuSet::new();
            first.set(0);
            // Where it is not allowed the attack is only stronger.
            let _ = sched_setaffinity(None, &first);
        })
        .build()?;
    let attacked = tokio.block_on(async { tokio::spawn(attack).await });
    tokio.shutdown_background();
    attacked?
}

fn most_memory(pid: u32, is_over: &AtomicBool) -> anyhow::Result<u64> {
    let mut most = 0;
    while !is_over.load(Ordering::Relaxed) {
        most = most.max(memory_kib(pid, "VmRSS")?);
        thread::sleep(Duration::from_millis(20));
    }
    Ok(most.max(memory_kib(pid, "VmRSS")?))
}

/// Waits until memory is back below its bound, or time is up; what it is then.
fn recovered(pid: u32) -> anyhow::Result<(u64, Duration)> {
    let since = Instant::now();
    loop {
        let now = memory_kib(pid, "VmRSS")?;
        if now < MEMORY_AFTER_KIB || since.elapsed() >= RECOVERY {
            return Ok((now, since.elapsed()));
        }
        thread::sleep(Duration::from_millis(100));
    }
}
