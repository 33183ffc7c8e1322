//! A runtime that is killed outright, and what the next one finds.
//!
//! The runtime of these tests is this test program started again for one of the `as_a_runtime…` tests, which do
//! nothing unless asked by an environment variable.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Groups, Machine, is_alive, options};
use tidegate_core::sequence::EndState;
use tidegate_runtime::executor::{Executor, StepTask};

const DIRECTORY: &str = "TEST_RUNTIME_DIRECTORY";
const GROUPS: &str = "TEST_RUNTIME_GROUPS";
const TREE: &str = "for i in 1 2 3 4 5 6 7; do
        setsid env -i FILE=$FILE setsid sh -c 'echo $$ >> $FILE; exec sleep 600' &
    done; echo $$ >> $FILE; sleep 600";

/// Runs the tree as a step of the executor in the directory named by the environment, until killed.
#[tokio::test(flavor = "current_thread")]
async fn as_a_runtime_with_a_step() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let groups = if std::env::var(GROUPS).unwrap() == "Used" { Groups::Used } else { Groups::Forbidden };
    let mut options = options(directory, groups);
    options.adopt_orphans = true;
    let executor = Executor::new(options).unwrap();
    let command = format!("export FILE={}; {TREE}", directory.join("pids").display());
    let with = serde_json::from_value(serde_json::json!({ "command": command })).unwrap();
    let timeout = Duration::from_secs(600);
    let task = StepTask {
        probe: "shell".into(),
        with,
        timeout,
        output_limit_bytes: 1 << 20,
        policy: tidegate_core::wire::Policy::default(),
    };
    let ended = executor.start(task).wait().await;
    std::fs::write(directory.join("ended"), format!("{:?} {}", ended.state, ended.result.summary)).unwrap();
}

fn start_runtime(machine: &Machine, groups: Groups) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_runtime_with_a_step"])
        .env(DIRECTORY, machine.path())
        .env(GROUPS, format!("{groups:?}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The guard of a runtime that has one step.
fn guard_of(runtime: &Child) -> String {
    let children =
        |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap();
    let threads = std::fs::read_dir(format!("/proc/{}/task", runtime.id())).unwrap();
    let all: String = threads.map(|thread| children(thread.unwrap())).collect();
    all.split_whitespace().next().unwrap().to_owned()
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().unwrap().success());
}

fn until_gone(machine: &Machine) -> Duration {
    let start = Instant::now();
    let pids = std::fs::read_to_string(machine.file("pids")).unwrap();
    while pids.lines().any(is_alive) {
        assert!(start.elapsed() < Duration::from_secs(5), "still running");
        std::thread::sleep(Duration::from_micros(200));
    }
    start.elapsed()
}

#[tokio::test(flavor = "current_thread")]
async fn a_killed_runtime_takes_its_step_along() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let mut runtime = start_runtime(&machine, groups);
        machine.until_lines("pids", 8).await;
        runtime.kill().unwrap();
        eprintln!("{groups:?}: gone {:?} after the runtime", until_gone(&machine));
        runtime.wait().unwrap();
        machine.assert_all_gone(8);
        assert_eq!(machine.executor.sweep_leftovers().survivors, 0);
        assert_eq!(machine.executor.sweep_leftovers().found, 0);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_next_runtime_ends_what_a_stopped_guard_left() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let mut runtime = start_runtime(&machine, groups);
        machine.until_lines("pids", 8).await;
        let guard = guard_of(&runtime);
        signal("-STOP", &guard);
        runtime.kill().unwrap();
        runtime.wait().unwrap();
        let start = Instant::now();
        let swept = machine.executor.sweep_leftovers();
        eprintln!("{groups:?}: {swept:?} in {:?}", start.elapsed());
        assert!(swept.found >= 8 && swept.survivors == 0, "{swept:?}");
        machine.assert_all_gone(8);
        assert!(!is_alive(&guard));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_next_runtime_finds_the_group_of_a_killed_guard() {
    let machine = Machine::new(Groups::Used);
    if !machine.executor.has_control_groups() {
        eprintln!("not shown: this machine has no writable control groups");
        return;
    }
    let mut runtime = start_runtime(&machine, Groups::Used);
    machine.until_lines("pids", 8).await;
    let guard = guard_of(&runtime);
    // Stopped first, so that it cannot take in what its guard leaves.
    signal("-STOP", &runtime.id().to_string());
    signal("-KILL", &guard);
    runtime.kill().unwrap();
    runtime.wait().unwrap();
    let start = Instant::now();
    let swept = machine.executor.sweep_leftovers();
    eprintln!("{swept:?} in {:?}", start.elapsed());
    assert!(swept.found >= 7 && swept.survivors == 0, "{swept:?}");
    machine.assert_all_gone(8);
    assert_eq!(machine.executor.sweep_leftovers().found, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_runtime_takes_in_what_a_killed_guard_leaves() {
    for groups in Groups::BOTH {
        let machine = Machine::new(groups);
        let mut runtime = start_runtime(&machine, groups);
        machine.until_lines("pids", 8).await;
        signal("-KILL", &guard_of(&runtime));
        machine.until_lines("ended", 1).await;
        eprintln!("{groups:?}: gone {:?} after the guard", until_gone(&machine));
        assert!(runtime.wait().unwrap().success());
        let ended = std::fs::read_to_string(machine.file("ended")).unwrap();
        assert_eq!(ended, format!("{:?} the command lost its guard and was ended", EndState::Failed));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_sweep_leaves_other_state_directories_alone() {
    let (machine, other) = (Machine::new(Groups::Used), Machine::new(Groups::Used));
    let mut running = other.start("echo $$ > /dev/null; sleep 1; echo survived", 20);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(machine.executor.sweep_leftovers().found, 0);
    assert_eq!(running.wait().await.result.output.head, "survived\n");
}
