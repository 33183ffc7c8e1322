//! Disks filled to the last byte while work flows, under the machine and under the control plane.
//!
//! The programs are real and so are the disks: small file systems, mounted in a namespace that ends with the show, on
//! which somebody else takes every byte as soon as it is free. At the end of each round that somebody goes away, and
//! nothing is done to the programs: they must find out by themselves.

mod disk;
mod machine;
mod plane;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Scale, figure};
use crate::harness::binary;

/// Says to the program, run again, that the namespace is its own.
const VARIABLE: &str = "TIDEGATE_OWN_NAMESPACE";

/// What was counted on one side.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    /// Sequences whose queueing was answered 2xx, and their steps.
    acknowledged: usize,
    steps: usize,
    /// Attempts that a kill in the middle cut off.
    interrupted: usize,
    /// Requests that were refused, each with `storage_full`.
    refused: usize,
    /// Rounds in which the program was ended in the middle and started again.
    restarts: usize,
    /// Rounds in which a page said that the machine waits for room.
    said: usize,
    /// From the moment there was room to the end of everything, or to the next answer 2xx.
    recoveries_ms: Vec<u128>,
    verdict: String,
}

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return shown(scale);
    }
    // The mounts end with the namespace, and what lies under them is removed from out here.
    let directory = tempfile::Builder::new().prefix("tidegate-full-disk-").tempdir()?;
    let mut command = Command::new("unshare");
    command.args(rights()).arg(binary("shows")?).arg("full-disk").args(scale.arguments());
    let status = command
        .env(VARIABLE, "1")
        .env("TMPDIR", directory.path())
        .status()
        .context("`unshare` is part of util-linux")?;
    ensure!(status.success(), "in its own namespace it ended with {status}");
    Ok(())
}

/// Whether this process may mount a file system in a namespace of its own, which `full-disk` does.
pub fn can_mount() -> bool {
    let Ok(directory) = tempfile::tempdir() else { return false };
    let mut command = Command::new("unshare");
    command.args(rights()).args(["mount", "-t", "tmpfs", "none"]).arg(directory.path());
    command.output().is_ok_and(|output| output.status.success())
}

/// Root mounts what it likes in a namespace of its own, others tmpfs in a user namespace.
fn rights() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--mount", "--user", "--map-root-user"]
    }
}

fn shown(scale: Scale) -> anyhow::Result<()> {
    let rounds = scale.pick(20, 2);
    let disk = disk::SmallDisk::mount(&std::env::temp_dir().join("machine"))?;
    figure("disks of 48 MiB, filled to the last byte", disk.kind());
    let machine = machine::rounds(&disk, rounds).context("under the machine")?;
    figure("machine: rounds, of them killed and started while full", of(machine.rounds, machine.restarts));
    figure("machine: rounds in which its page said it waits for room", machine.said);
    figure("machine: steps, each ran once and has its result", machine.steps);
    figure("machine: steps that a kill cut off, each says `interrupted`", machine.interrupted);
    figure("machine: from room to everything done, median / longest", spans(&machine));
    figure("machine: verdict on the last export", machine.verdict);
    let disk = disk::SmallDisk::mount(&std::env::temp_dir().join("control-plane"))?;
    let plane = plane::rounds(&disk, rounds).context("under the control plane")?;
    figure("control plane: rounds, of them killed and started", of(plane.rounds, plane.restarts));
    figure("control plane: answers 2xx, each there and each ended", plane.acknowledged);
    figure("control plane: requests refused, each with storage_full", plane.refused);
    figure("control plane: steps, each ran once and has its result", plane.steps);
    figure("control plane: from room to the next 2xx, median / longest", spans(&plane));
    figure("control plane: verdict on the export", plane.verdict);
    Ok(())
}

fn of(all: usize, some: usize) -> String {
    format!("{all}, {some}")
}

fn spans(tally: &Tally) -> String {
    let mut spans = tally.recoveries_ms.clone();
    spans.sort_unstable();
    let median = spans.get(spans.len() / 2).copied().unwrap_or_default();
    format!("{median} ms / {} ms", spans.last().copied().unwrap_or_default())
}

/// The lines of a file of traces, each of which a step wrote when it ran.
fn traces(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut lines: Vec<_> = std::fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    Ok(lines)
}
