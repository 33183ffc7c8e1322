//! 500 MB of output: how fast, and in how much memory. In a program of its own, whose memory is then this
//! step's.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

mod support;

use std::time::Instant;

use support::{Groups, Machine};
use tidegate_core::sequence::EndState;

#[tokio::test(flavor = "current_thread")]
#[ignore = "takes seconds; prints figures"]
async fn half_a_gigabyte_passes_in_little_memory() {
    let machine = Machine::new(Groups::Used);
    let before = peak_kib();
    let start = Instant::now();
    let ended = machine.shell("dd if=/dev/zero bs=1M count=500 status=none; echo last", 120).await;
    let seconds = start.elapsed().as_secs_f64();
    let peak = peak_kib();
    eprintln!("{:.0} MB/s, peak memory {before} KiB before, {peak} KiB after", 524.288 / seconds);
    assert_eq!(ended.state, EndState::Succeeded);
    assert_eq!(ended.result.output.bytes, 524_288_005);
    assert!(ended.result.output.tail.ends_with("\0last\n"));
    assert!(peak < 40 * 1024, "{peak} KiB");
}

/// The largest resident memory of this process so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
