//! Guarantee G1 for the storage alone: what a writer acknowledged survives the power cut that follows.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use tidegate_programs::power_cut::Options;

const CUTS: u64 = 20;

#[test]
fn nothing_acknowledged_is_missing_after_power_cuts() {
    let mut disk = CutDisk::new();
    for cut in 0..CUTS {
        // Half of the cuts find some unsynced writes on the disk, others none.
        let leak = if cut % 2 == 0 { "0" } else { "0.5" };
        disk.run(&format!("seed={cut},leak={leak}"), Some(Duration::from_millis(30 + cut * 37 % 200)));
        disk.assert_whole(&format!("cut {cut}, leak {leak}"));
    }
    assert!(disk.acknowledged.len() as u64 > CUTS * 10, "{} acknowledged", disk.acknowledged.len());
}

#[test]
fn a_disk_that_lies_about_syncing_is_noticed() {
    let mut disk = CutDisk::new();
    disk.run("sync=lie", Some(Duration::from_millis(300)));
    assert!(!disk.acknowledged.is_empty(), "nothing was acknowledged");
    assert!(!disk.missing().is_empty(), "the test cannot fail: a disk without syncs lost nothing");
}

#[test]
fn a_failed_sync_ends_the_process_and_nothing_is_acknowledged_after() {
    let mut disk = CutDisk::new();
    for (round, honest) in [20, 21, 50, 90, 120, 137, 200].into_iter().enumerate() {
        let status = disk.run(&format!("seed={round},sync=fail:{honest}"), None);
        assert_eq!(signal(status), Some(libc::SIGABRT), "after {honest} syncs: {status}");
        disk.assert_whole(&format!("failure after {honest} syncs"));
    }
    assert!(!disk.acknowledged.is_empty(), "nothing was acknowledged");
}

/// One database across many lives of its writer.
struct CutDisk {
    acknowledged: BTreeSet<i64>,
    next: i64,
    path: PathBuf,
    _directory: TempDir,
}

impl CutDisk {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("cut.db");
        Self { acknowledged: BTreeSet::new(), next: 1, path, _directory: directory }
    }

    /// Runs the writer until it ends, or is killed `cut_after` it was ready.
    fn run(&mut self, options: &str, cut_after: Option<Duration>) -> ExitStatus {
        let mut child = Command::new(env!("CARGO_BIN_EXE_power-cut-writer"))
            .arg(&self.path)
            .arg(self.next.to_string())
            .env(Options::VARIABLE, options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, read) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        let reader =
            thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        assert_eq!(read.recv().as_deref(), Ok("ready"), "the writer starts with `{options}`");
        let status = match cut_after {
            Some(delay) => {
                thread::sleep(delay);
                child.kill().unwrap();
                child.wait().unwrap()
            }
            None => wait(&mut child),
        };
        for line in read {
            self.acknowledged.insert(line.parse().unwrap());
        }
        drop(reader.join().unwrap());
        // Past whatever was tried without an answer.
        self.next = self.acknowledged.last().unwrap_or(&self.next) + 1000;
        status
    }

    fn assert_whole(&self, when: &str) {
        let missing = self.missing();
        assert!(missing.is_empty(), "{when}: {} acknowledged, missing {missing:?}", self.acknowledged.len());
        let db = open(&self.path);
        let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok", "{when}");
        let halves = "SELECT count(*) FROM (SELECT number FROM number EXCEPT SELECT number FROM half)";
        let halves: i64 = db.query_row(halves, [], |row| row.get(0)).unwrap();
        assert_eq!(halves, 0, "{when}: half of a call is stored");
    }

    fn missing(&self) -> Vec<i64> {
        let stored = stored(&self.path).unwrap_or_default();
        self.acknowledged.difference(&stored).copied().collect()
    }
}

/// What the real file holds, through SQLite's own file system.
fn stored(path: &Path) -> rusqlite::Result<BTreeSet<i64>> {
    open(path).prepare("SELECT number FROM half")?.query_map([], |row| row.get(0))?.collect()
}

fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("the writer goes on though syncs fail");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
