//! The machine's clocks, read.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::runtime::Reading;
use tidegate_core::time::Timestamp;

/// Reads every clock of this machine at one moment.
pub(crate) fn read() -> Reading {
    Reading { wall: wall(), monotonic_ms: monotonic_ms(), machine_boot: machine_boot() }
}

/// The wall clock as it shows.
pub(crate) fn wall() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Timestamp::from_milliseconds(ms)
}

/// Milliseconds since the machine started, sleep included (`CLOCK_BOOTTIME`, Linux clock_gettime(2)).
#[cfg(target_os = "linux")]
pub(crate) fn monotonic_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds_ms = u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000);
    seconds_ms + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// The kernel's id of this start of the machine (random(4), `boot_id`).
#[cfg(target_os = "linux")]
fn machine_boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
