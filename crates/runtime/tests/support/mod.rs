//! A temporary state directory with its executor.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tidegate_runtime::executor::{Ended, Executor, ExecutorOptions, Running, StepTask};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Groups {
    Used,
    Forbidden,
}

impl Groups {
    pub const BOTH: [Self; 2] = [Self::Used, Self::Forbidden];
}

pub struct Machine {
    pub executor: Executor,
    directory: TempDir,
}

pub fn options(directory: &Path, groups: Groups) -> ExecutorOptions {
    let name = directory.file_name().unwrap().to_str().unwrap().replace('.', "t");
    ExecutorOptions {
        guard_program: env!("CARGO_BIN_EXE_tidegate-runtime").into(),
        control_groups: groups == Groups::Used,
        adopt_orphans: false,
        ..ExecutorOptions::new(&name)
    }
}

impl Machine {
    pub fn new(groups: Groups) -> Self {
        let directory = TempDir::new().unwrap();
        let executor = Executor::new(options(directory.path(), groups)).unwrap();
        Self { executor, directory }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn start(&self, command: &str, timeout_s: u64) -> Running {
        let Value::Object(with) = json!({ "command": command }) else { unreachable!() };
        self.start_probe("shell", with, timeout_s)
    }

    pub fn start_probe(&self, probe: &str, with: Map<String, Value>, timeout_s: u64) -> Running {
        let timeout = Duration::from_secs(timeout_s);
        self.executor.start(StepTask {
            probe: probe.into(),
            with,
            timeout,
            output_limit_bytes: 1 << 20,
            policy: tidegate_core::wire::Policy::default(),
        })
    }

    pub async fn shell(&self, command: &str, timeout_s: u64) -> Ended {
        self.start(command, timeout_s).wait().await
    }

    /// Waits until the file has that many lines.
    pub async fn until_lines(&self, name: &str, lines: usize) {
        let start = Instant::now();
        while std::fs::read_to_string(self.file(name)).unwrap_or_default().lines().count() < lines {
            assert!(start.elapsed() < Duration::from_secs(20), "`{name}` never got {lines} lines");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// None of the processes whose numbers the file `pids` lists is alive, and there are at least so many.
    pub fn assert_all_gone(&self, at_least: usize) {
        let list = std::fs::read_to_string(self.file("pids")).unwrap();
        assert!(list.lines().count() >= at_least, "{list}");
        let alive: Vec<&str> = list.lines().filter(|process| is_alive(process)).collect();
        assert!(alive.is_empty(), "still running: {alive:?}");
    }
}

/// Whether a process of that number runs, with the test's file in its environment or as a shell's child.
pub fn is_alive(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat[stat.rfind(')').unwrap()..].starts_with(") Z"))
}
