//! The demonstration, as somebody who tries the product for the first time sees it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use tidegate_programs::harness::{binary, wait_for};

#[test]
fn the_story_is_told_to_its_end_and_leaves_nothing_behind() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let output = demo(directory.path())?.arg("--exit").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "it ended with {}: {told}", output.status);

    // The scenes come in their order, and each holds what makes it worth telling.
    // Lines are broken where the terminal ends, so it is read as words.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let story = words(&said);
    let mut rest = story.as_str();
    for part in [
        "Afternoon",
        "Night",
        "open    for 10 s",
        "ALERT",
        "5. shell df -h .",
        "Queued: waiting for",
        "Window 1",
        "✓ 1. system_info",
        "It closed in the middle of step 4",
        "Window 2",
        "while the link was closed",
        "Morning",
        "QUEUED    DELIVERED  STARTED   FINISHED  RETURNED",
        "no heartbeat for 10 s",
        "Proof",
        "✓ complete to ",
        ", endorsed by the endpoint to ",
    ] {
        let at =
            rest.find(&words(part)).with_context(|| format!("`{part}` is not told, or not there: {told}"))?;
        rest = &rest[at..];
    }
    ensure!(said.lines().all(|line| line.chars().count() <= 80), "a line does not fit 80 columns: {said}");
    nothing_is_left(&said, directory.path())
}

#[test]
fn ctrl_c_in_the_middle_ends_every_program_and_removes_the_directory() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut child = demo(directory.path())?.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().context("its output is read")?).lines() {
        let line = line?;
        if line.contains("ALERT") {
            // As the terminal would; what else it started must not depend on being told too.
            Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        }
        said.push_str(&line);
        said.push('\n');
    }
    ensure!(child.wait()?.success(), "{said}");
    ensure!(said.contains("ALERT") && !said.contains("Morning"), "it ended in the middle: {said}");
    nothing_is_left(&said, directory.path())
}

#[test]
fn a_directory_of_ones_own_is_kept_and_must_be_empty() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("mine"), "")?;
    let output = demo(directory.path())?.arg("--data").arg(directory.path()).output()?;
    ensure!(output.status.code() == Some(2), "{}", output.status);
    ensure!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    ensure!(directory.path().join("mine").exists());
    Ok(())
}

fn demo(temporary: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(binary("tidegate")?);
    command.arg("demo").env("TMPDIR", temporary).env("TIDEGATE_RUNTIME", binary("tidegate-runtime")?);
    command.env_remove("COLUMNS").stdin(Stdio::null());
    Ok(command)
}

/// The processes that the story named are gone, and so is its directory.
fn nothing_is_left(said: &str, temporary: &Path) -> anyhow::Result<()> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let named = words.windows(2).filter(|pair| pair[0] == "process");
    let processes: Vec<u32> = named.filter_map(|pair| pair[1].parse().ok()).collect();
    ensure!(processes.len() == 2, "it names two processes: {said}");
    for process in processes {
        let proc = Path::new("/proc").join(process.to_string());
        wait_for(&format!("process {process} to end"), 10, || Ok(!proc.exists()))?;
    }
    let left: Vec<_> = std::fs::read_dir(temporary)?.collect::<Result<_, _>>()?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}
