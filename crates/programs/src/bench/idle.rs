//! Idle syncs a second, beside a server that does nothing.

use std::net::SocketAddr;
use std::time::Duration;

use super::CALLERS;
use super::floors::FloorServer;
use super::load::{Lane, Target, drive};
use super::table::Table;
use crate::harness::{Connection, LightMachine, SYNC_PATH, loopback, request_bytes, settle};

pub(super) fn measure(
    table: &mut Table,
    tokio: &tokio::runtime::Runtime,
    (address, pid): (SocketAddr, u32),
    floor: &FloorServer,
    machines: &mut [LightMachine],
    seconds: f64,
) -> anyhow::Result<()> {
    let bodies: anyhow::Result<Vec<Vec<u8>>> = tokio.block_on(async {
        let mut bodies = Vec::with_capacity(CALLERS);
        let mut connection = Connection::open(address, loopback(0)).await?;
        for machine in machines {
            settle(machine, &mut connection).await?;
            let request = machine.request(0)?;
            bodies.push(request_bytes("POST", SYNC_PATH, &[("accept-encoding", "deflate")], &request.bytes));
        }
        Ok(bodies)
    });
    let bodies = bodies?;
    let at_most = Duration::from_secs_f64(seconds);
    let lanes = || bodies.iter().cloned().map(Lane::Forever).collect();
    let bare = Target { address: floor.address, pid: floor.pid(), status: 200 };
    let bare = tokio.block_on(drive(bare, lanes(), at_most))?;
    let text = format!("{:.0}/s, {:.1} µs CPU each", bare.per_second(), bare.cpu_us());
    table.note("floor: bare axum, the same requests and client", text);
    let idle = tokio.block_on(drive(Target { address, pid, status: 204 }, lanes(), at_most))?;
    let text = format!("{:.0}/s, {:.1} µs CPU each", idle.per_second(), idle.cpu_us());
    let holds = idle.per_second() >= 30_000.0;
    table.judged(format!("idle syncs, {CALLERS} connections"), text, ">= 30,000/s", holds);
    let (times, cpu) = (bare.per_second() / idle.per_second(), idle.cpu_us() / bare.cpu_us());
    table.note("idle syncs against bare axum", format!("{times:.2} times slower, {cpu:.2} times the CPU"));
    let per_core = 1e6 / idle.cpu_us();
    table.note("idle syncs for one core of the server", format!("{per_core:.0}/s"));
    Ok(())
}
