//! What is asked of systemd, through its own program.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};

/// Most lines of the journal that an error repeats.
const LAST_WORDS: &str = "5";

/// Whether systemd runs this machine (sd_booted(3)).
pub(super) fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Runs `systemctl` with `arguments`.
///
/// # Errors
///
/// What it said, when it did not succeed.
pub(super) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let output = ask(arguments)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("`systemctl {}` failed: {}", arguments.join(" "), said.trim());
        let next = "mend what it says, then repeat: repeating is safe";
        bail!(Obstructed::new(Obstacle::SystemdFailed, what, next));
    }
    Ok(())
}

/// Whether the unit is running, or about to.
pub(super) fn is_active(unit: &str) -> bool {
    ask(&["is-active", "--quiet", unit]).is_ok_and(|output| output.status.success())
}

/// The version of systemd; `None`: it does not tell.
pub(super) fn version() -> Option<u32> {
    let output = ask(&["--version"]).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(1)?.parse().ok()
}

/// What the unit said last, for an error; empty where there is no journal.
pub(super) fn last_words(unit: &str) -> String {
    let output = Command::new("journalctl")
        .args(["--unit", unit, "--lines", LAST_WORDS, "--output", "cat", "--no-pager", "--quiet"])
        .stdin(Stdio::null())
        .output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn ask(arguments: &[&str]) -> anyhow::Result<Output> {
    // Unasked, it would wait for a key press where a pager or a password agent is set up.
    Command::new("systemctl")
        .args(["--no-pager", "--no-ask-password"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("failed to run `systemctl`")
}
