//! What a step costs in time and memory. In a program of its own, whose memory is then the steps'.
//!
//! `cargo test -p tidegate-runtime --test figures -- --ignored --nocapture --test-threads 1`
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

#[tokio::test(flavor = "current_thread")]
#[ignore = "prints figures"]
async fn a_step_and_its_guard_cost_little() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(machine.shell("true", 20).await.state, EndState::Succeeded);
        }
        eprintln!("{groups:?}: {:?} a step", start.elapsed() / 100);
        let guard = machine.shell("cat /proc/$PPID/status", 20).await.result.output.head;
        eprintln!("guard: {}", guard.lines().find(|line| line.starts_with("VmRSS:")).unwrap());
    }
}

/// The largest resident memory of this process so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
