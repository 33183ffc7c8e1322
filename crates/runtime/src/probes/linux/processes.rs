//! Processes, from `/proc` (proc(5)). Command lines are never read: they hold passwords.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tidegate_core::time::Timestamp;

use crate::probes::processes::Process;
use crate::probes::words::round;

/// Most processes looked at; the limit of most machines is 32,768 and few have a tenth of it.
const PROCESSES_MAX: usize = 32_768;
/// The kernel's names are cut to so many bytes (`TASK_COMM_LEN` less the NUL).
const COMM_BYTES: usize = 15;

/// One look at all processes.
#[derive(Debug)]
pub(in crate::probes) struct Sample {
    taken: Instant,
    stats: HashMap<u32, Stat>,
}

#[derive(Debug)]
struct Stat {
    name: String,
    parent: u32,
    state: char,
    /// Time on a processor.
    ticks: u64,
    /// When it started, in ticks after the machine did. With the number this is what one process is.
    started_ticks: u64,
    resident_pages: u64,
}

/// Looks once.
pub(in crate::probes) fn sample() -> Sample {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let stats = numbers.take(PROCESSES_MAX).filter_map(|pid| {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, stat(&String::from_utf8_lossy(&bytes))?))
    });
    Sample { taken: Instant::now(), stats: stats.collect() }
}

/// What ran at `after`, with how busy each was since `before`.
pub(in crate::probes) fn processes(before: &Sample, after: &Sample) -> Vec<Process> {
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let page_bytes = rustix::param::page_size() as u64;
    let span = after.taken.duration_since(before.taken);
    let booted_ms = booted_ms();
    let each = |(pid, stat): (&u32, &Stat)| {
        let earlier = before.stats.get(pid).filter(|earlier| earlier.started_ticks == stat.started_ticks);
        let busy = earlier.map_or(0, |earlier| stat.ticks.saturating_sub(earlier.ticks));
        let started_ms = stat.started_ticks.saturating_mul(1_000) / ticks_per_second.max(1);
        Process {
            pid: *pid,
            parent_pid: stat.parent,
            name: full_name(*pid, &stat.name),
            user_id: fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| metadata.uid()),
            state: stat.state,
            cpu_percent: percent(busy, ticks_per_second, span),
            memory_bytes: stat.resident_pages.saturating_mul(page_bytes),
            started_at: booted_ms
                .map(|booted| Timestamp::from_milliseconds(booted.saturating_add_unsigned(started_ms))),
        }
    };
    after.stats.iter().map(each).collect()
}

/// Of one processor.
fn percent(ticks: u64, ticks_per_second: u64, span: Duration) -> f64 {
    let busy_seconds = ticks as f64 / ticks_per_second.max(1) as f64;
    (round(100.0 * busy_seconds / span.as_secs_f64().max(0.001)) * 10.0).round() / 10.0
}

/// When the machine started, by its clock.
fn booted_ms() -> Option<i64> {
    let counters = fs::read_to_string("/proc/stat").ok()?;
    let seconds =
        counters.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<i64>().ok()?;
    seconds.checked_mul(1_000)
}

/// The kernel cuts names; the file that runs has all of it, where this process may see it.
fn full_name(pid: u32, name: &str) -> String {
    let file = fs::read_link(format!("/proc/{pid}/exe")).ok().filter(|_| name.len() >= COMM_BYTES);
    let file = file.as_deref().and_then(Path::file_name).map(|file| file.to_string_lossy().into_owned());
    file.filter(|file| file.starts_with(name)).unwrap_or_else(|| name.to_owned())
}

/// One line of `/proc/PID/stat`. The name stands in brackets and may hold brackets and spaces itself.
fn stat(line: &str) -> Option<Stat> {
    let (open, close) = (line.find('(')?, line.rfind(')')?);
    let name = line.get(open + 1..close)?;
    let fields: Vec<&str> = line.get(close + 1..)?.split_ascii_whitespace().collect();
    // The third field of proc(5) is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name: name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect(),
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(4)?).ok()?,
        ticks: number(14)?.saturating_add(number(15)?),
        started_ticks: number(22)?,
        resident_pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "812 (a) b) R 1 812 812 0 -1 4194304 99 0 0 0 250 50 0 0 20 0 1 0 7400 1000000 321 184467";
        let stat = stat(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.state, stat.parent), ("a) b", 'R', 1));
        assert_eq!((stat.ticks, stat.started_ticks, stat.resident_pages), (300, 7_400, 321));
        assert_eq!(percent(25, 100, Duration::from_millis(500)), 50.0);
    }

    #[test]
    fn the_test_itself_is_seen_and_its_number_alone_is_not_it() {
        let before = sample();
        let mut after = sample();
        let myself = std::process::id();
        after.stats.get_mut(&myself).unwrap().ticks += 1_000_000;
        let of = |after: &Sample| {
            processes(&before, after).into_iter().find(|process| process.pid == myself).unwrap()
        };
        let process = of(&after);
        assert!(process.memory_bytes > 100_000 && process.cpu_percent > 100.0, "{process:?}");
        assert_eq!(process.parent_pid, std::os::unix::process::parent_id());
        let age = crate::clock::wall().since(process.started_at.unwrap());
        assert!(age.0 < 3_600_000, "{age}");
        // Another process that got the same number was not busy before it began.
        after.stats.get_mut(&myself).unwrap().started_ticks += 1;
        assert_eq!(of(&after).cpu_percent, 0.0);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_skipped(line in any::<String>(), fields in "[0-9]{1,4} \\(.{0,9}\\)( [0-9A-Z-]{0,22}){0,30}") {
            let _ = (stat(&line), stat(&fields));
        }
    }
}
