//! What the control plane keeps in memory for endpoints it knows.

use std::time::Instant;

use super::table::Table;
use crate::harness::{World, enrol_many, memory_kib};

/// Most uses of one code.
const CODE_USES: usize = 1_000;

pub(super) fn empty_and_known(
    table: &mut Table,
    tokio: &tokio::runtime::Runtime,
    world: &mut World,
    endpoints: usize,
) -> anyhow::Result<()> {
    let empty = memory_kib(world.plane.pid()?, "VmRSS")?;
    table.note("server RSS, no endpoint", mib(empty));
    let address = ([127, 0, 0, 1], world.plane.port()).into();
    let started = Instant::now();
    let mut enrolled = 0;
    while enrolled < endpoints {
        let batch = CODE_USES.min(endpoints - enrolled);
        let code = world.code_for(batch)?;
        tokio.block_on(enrol_many(address, code, batch, |_, _| Ok(())))?;
        enrolled += batch;
    }
    let rate = endpoints as f64 / started.elapsed().as_secs_f64();
    let known = memory_kib(world.plane.pid()?, "VmRSS")?;
    table.note(
        format!("server RSS, {endpoints} just enrolled"),
        format!("{}, {rate:.0} enrolments/s", mib(known)),
    );
    world.plane.stop()?;
    world.plane.start()?;
    let again = memory_kib(world.plane.pid()?, "VmRSS")?;
    let each = (again.saturating_sub(empty) * 1024) as f64 / endpoints as f64;
    let text = format!("{}, {each:.0} B each", mib(again));
    table.judged(format!("server RSS, {endpoints} known, restarted"), text, "<= 2 KiB each", each <= 2048.0);
    let grown = (known.saturating_sub(empty) * 1024) as f64 / endpoints as f64;
    table.note("server RSS grown while they enrolled", format!("{grown:.0} B each, caches included"));
    Ok(())
}

pub(super) fn after_load(table: &mut Table, pid: u32) -> anyhow::Result<()> {
    let (now, peak) = (memory_kib(pid, "VmRSS")?, memory_kib(pid, "VmHWM")?);
    table.note("server RSS after the loads / at most", format!("{} / {}", mib(now), mib(peak)));
    Ok(())
}

pub(super) fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
