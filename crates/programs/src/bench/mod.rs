//! Measures what the design budgets, on real programs, with the disk's and the network's own figures beside it.

mod floors;
mod idle;
mod intake;
mod latency;
mod load;
mod memory;
mod queueing;
mod table;

use std::time::Instant;

pub use floors::serve_floor;

use self::floors::FloorServer;
use self::table::Table;
use crate::harness::{World, cpu_seconds, enrol_light};

/// Callers and machines at once.
const CALLERS: usize = 64;
/// Steps of a sequence.
const STEPS: usize = 6;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seconds of each load.
    pub seconds: f64,
    /// Endpoints that are known and silent.
    pub endpoints: usize,
    /// Rounds of the latency.
    pub rounds: usize,
}

/// Runs everything and prints the table.
///
/// # Errors
///
/// When a program does not do what it must; a budget that is missed is printed.
pub fn run(options: Options) -> anyhow::Result<()> {
    let started = Instant::now();
    let load_average = std::fs::read_to_string("/proc/loadavg")?;
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores; load before: {}", load_average.trim());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::default();

    let mut world = World::new()?;
    floors::disk(&mut table, world.directory.path())?;
    memory::empty_and_known(&mut table, &tokio, &mut world, options.endpoints)?;
    let to = ([127, 0, 0, 1], world.plane.port()).into();
    let pid = world.plane.pid()?;

    let code = world.code_for(2 * CALLERS)?;
    let mut machines = tokio.block_on(enrol_light(to, code, CALLERS))?;
    queueing::measure(&mut table, &tokio, &world, &machines, options.seconds)?;
    intake::measure(&mut table, &tokio, &world, &mut machines)?;
    let floor = FloorServer::start()?;
    idle::measure(&mut table, &tokio, (to, pid), &floor, &mut machines, options.seconds)?;
    drop((floor, machines));
    memory::after_load(&mut table, pid)?;
    latency::measure(&mut table, &tokio, &mut world, options.rounds)?;
    table.note("server", format!("{:.1} s of processor in all", cpu_seconds(pid)?));
    table.print();
    println!("took {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
