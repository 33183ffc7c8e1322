//! Ending what earlier runtimes of the same state directory left running.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::group::{self, Group};
use super::guard::{NAME, SUBCOMMAND, WATCH};
use super::tree::{self, Killed};
use crate::executor::Swept;

/// How long a guard whose runtime is gone may take to end its tree by itself; it needs milliseconds.
const GUARD_PATIENCE: Duration = Duration::from_secs(2);
/// How long the processes of one group or guard may take to die.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Ends every guard of `state_id` with its tree, and every process in a control group of that name.
pub(super) fn sweep(state_id: &str, with_groups: bool) -> Swept {
    let guards = guards(state_id);
    let groups = if with_groups { group::leftovers(state_id) } else { Vec::new() };
    let mut found: Vec<Pid> = guards.iter().flat_map(|guard| tree::living_below(*guard)).collect();
    found.extend(groups.iter().flat_map(Group::processes));
    for guard in guards {
        end_guard(guard, state_id);
    }
    for group in groups {
        group.end(KILL_PATIENCE);
    }
    found.sort_unstable_by_key(|process| process.as_raw_pid());
    found.dedup();
    let survivors = found.iter().filter(|process| tree::is_alive(**process)).count();
    Swept { found: found.len(), survivors }
}

/// Waits for a guard to finish; one that does not (stopped, or stuck) loses its tree and then its life.
pub(super) fn end_guard(guard: Pid, state_id: &str) {
    let begin = Instant::now();
    let mut killed = Killed::default();
    while is_guard(guard, state_id) && begin.elapsed() < GUARD_PATIENCE + KILL_PATIENCE {
        if begin.elapsed() > GUARD_PATIENCE {
            tree::kill_below(guard, &[], &mut killed);
            if tree::living_below(guard).is_empty() {
                let _ = rustix::process::kill_process(guard, Signal::KILL);
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    until_ended(guard);
}

/// Waits for a dying guard to be dead. The kernel takes its memory first, then closes its files, and gives its
/// children to another only at the very end: whoever looks for them between would find none.
fn until_ended(guard: Pid) {
    let begin = Instant::now();
    while is_dying(guard) && begin.elapsed() < KILL_PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the process has no memory any more and has not ended either.
fn is_dying(process: Pid) -> bool {
    fs::read(format!("/proc/{}/cmdline", process.as_raw_pid())).is_ok_and(|line| line.is_empty())
        && tree::is_alive(process)
}

fn guards(state_id: &str) -> Vec<Pid> {
    tree::processes().into_iter().filter(|process| is_guard(*process, state_id)).collect()
}

/// Whether the process is a living guard of that state directory: this user's, with exactly its arguments.
fn is_guard(process: Pid, state_id: &str) -> bool {
    let directory = format!("/proc/{}", process.as_raw_pid());
    let Ok(status) = fs::read_to_string(format!("{directory}/status")) else { return false };
    let Ok(line) = fs::read(format!("{directory}/cmdline")) else { return false };
    let expected = [NAME, SUBCOMMAND, WATCH, state_id].map(str::as_bytes);
    effective_user(&status) == Some(rustix::process::geteuid().as_raw())
        && line.strip_suffix(b"\0").is_some_and(|line| line.split(|byte| *byte == 0).eq(expected))
}

/// From `/proc/PID/status`; the owner of the directory is root's for a program with capabilities of its own.
fn effective_user(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}
