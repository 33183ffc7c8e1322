//! Finding and ending the processes below a process.
//!
//! A process is killed *before* its children are read: from then on it cannot reap them or start others,
//! so the numbers read are still theirs when they are used.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Signal};

/// What `kill` found below a process.
#[derive(Debug, Default)]
pub(super) struct Killed {
    /// Every living process that was sent `SIGKILL`, over all rounds.
    pub(super) seen: BTreeSet<i32>,
    /// How many the last round still found alive.
    pub(super) alive: usize,
}

/// Sends `SIGKILL` to everything below `root`, except the trees of `spared` children.
///
/// One round; a tree that forks meanwhile needs more, until its root has no child left.
pub(super) fn kill_below(root: Pid, spared: &[Pid], killed: &mut Killed) {
    killed.alive = 0;
    let mut waiting = children(root);
    waiting.retain(|child| !spared.contains(child));
    while let Some(process) = waiting.pop() {
        if is_alive(process) {
            killed.seen.insert(process.as_raw_pid());
            killed.alive += 1;
        }
        let _ = rustix::process::kill_process(process, Signal::KILL);
        waiting.extend(children(process));
    }
}

/// Every living process below `root`.
pub(super) fn living_below(root: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut waiting = children(root);
    while let Some(process) = waiting.pop() {
        waiting.extend(children(process));
        if is_alive(process) {
            found.push(process);
        }
    }
    found
}

/// The children of a process, ended ones that nobody reaped included.
///
/// `/proc/…/children` needs a kernel with `CONFIG_PROC_CHILDREN`; without it every process is read.
pub(super) fn children(parent: Pid) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", parent.as_raw_pid())) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => found.extend(list.split_ascii_whitespace().filter_map(parse)),
            // The thread ended meanwhile: what it had went to another thread or to the parent's parent.
            Err(_) if fs::exists(thread.path()).is_ok_and(|exists| !exists) => {}
            Err(_) => return children_by_parent(parent),
        }
    }
    found
}

/// Whether the process exists and has not ended.
pub(super) fn is_alive(process: Pid) -> bool {
    stat(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Every process of the machine that this one may see.
pub(super) fn processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| parse(entry.file_name().to_str()?)).collect()
}

fn children_by_parent(parent: Pid) -> Vec<Pid> {
    let is_child = |process: &Pid| stat(*process).is_some_and(|(_, its)| its == parent.as_raw_pid());
    processes().into_iter().filter(is_child).collect()
}

/// State and parent from `/proc/PID/stat` (proc(5)); the name before them may hold spaces and brackets.
fn stat(process: Pid) -> Option<(char, i32)> {
    let text = fs::read(format!("/proc/{}/stat", process.as_raw_pid())).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn parse(number: &str) -> Option<Pid> {
    number.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Pid::from_child(&child);
        let myself = rustix::process::getpid();
        assert!(children(myself).contains(&process));
        assert!(children_by_parent(myself).contains(&process));
        assert!(is_alive(process));
        child.kill().unwrap();
        while is_alive(process) {
            std::thread::yield_now();
        }
        assert!(children(myself).contains(&process), "ended, not reaped");
        child.wait().unwrap();
        assert!(!children_by_parent(myself).contains(&process));
    }
}
