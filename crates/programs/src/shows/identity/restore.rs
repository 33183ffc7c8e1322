//! A control plane set back to a backup, with a machine that went on: by `admin restore`, and by a copied file.

use anyhow::{Context as _, ensure};

use super::{PATIENCE, Story, copy_directory, set_back, tell};
use crate::harness::{ApiError, Machine, wait_for};
use crate::shows::{Scale, figure};

pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    announced().context("restored by `admin restore`")?;
    unannounced().context("restored by a copied file")
}

fn announced() -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let mut machine = story.world.machine()?;
    let steps = [story.step("A.1"), story.gated_step("A.2")];
    let first = story.queue(&machine, "A, which the backup knows", &steps)?;
    let backup = story.world.directory.path().join("backup.db").to_string_lossy().into_owned();
    story.world.plane.admin(&["backup", "--out", &backup])?;
    tell("A is queued, the machine is off; the backup is made while the control plane serves");

    let second = story.queue(&machine, "B, queued after the backup", &[story.step("B.1")])?;
    machine.start()?;
    story.until_ran("A.1")?;
    story.until(&second, "delivered")?;
    ensure!(story.world.plane.stop()?, "the control plane stops when asked");
    story.open_gate()?;
    story.until_ran("B.1")?;
    machine.pause()?;
    tell("the machine runs A.1; the control plane goes; the machine goes on alone and runs A.2 and B.1");

    story.world.plane.admin(&["restore", "--from", &backup])?;
    story.world.plane.start()?;
    let gap = story.world.sequence(&first)?;
    ensure!(gap["state"] == "offered", "A stands as `{}` before the machine is heard", gap["state"]);
    let words = format!("{} / {}", gap["reason"], gap["waiting_for"]);
    ensure!(words.contains("may have run since the backup"), "the page says so: {words}");
    ensure!(is_unknown(&story, &second)?, "B lived only in the lost part");
    tell(format!("restored; until the machine is heard A reads: offered, {words}; of B nothing is known"));

    machine.resume()?;
    let ended = story.until(&first, "succeeded").with_context(|| machine.said().unwrap_or_default())?;
    wait_for("B to appear", PATIENCE, || Ok(!is_unknown(&story, &second)?))?;
    let told = story.until(&second, "succeeded")?;
    ensure!(told["title"] == "B, queued after the backup", "the journal tells its title: {}", told["title"]);
    ensure!(ended["steps"][1]["attempts"].as_array().map(Vec::len) == Some(1), "A.2 has one attempt");
    tell(
        "the machine is heard: A is known to have succeeded, and B appears with what the machine tells of it",
    );
    settled(&story, &machine, true, &["A.1", "A.2", "B.1"])
}

fn unannounced() -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let mut machine = story.world.machine()?;
    machine.start()?;
    let earlier = story.queue(&machine, "work before", &[story.step("0.1")])?;
    story.until(&earlier, "succeeded")?;
    machine.stop()?;
    let first = story.queue(&machine, "A, which the copy knows", &[story.step("A.1")])?;
    ensure!(story.world.plane.stop()?, "the control plane stops when asked");
    let (data, copy) = (story.world.plane.data.clone(), story.world.directory.path().join("copy"));
    copy_directory(&data, &copy)?;
    story.world.plane.start()?;
    let second = story.queue(&machine, "B, queued after the copy", &[story.step("B.1")])?;
    machine.start()?;
    story.until(&first, "succeeded")?;
    story.until(&second, "succeeded")?;
    machine.pause()?;
    ensure!(story.world.plane.stop()?, "the control plane stops when asked");
    tell(
        "the data directory is copied with A waiting; then the machine runs A and B and returns both results",
    );

    set_back(&data, &copy)?;
    story.world.plane.start()?;
    ensure!(story.state(&first)? == "queued", "the copied record believes that A waits");
    machine.resume()?;
    story.until(&first, "succeeded").with_context(|| machine.said().unwrap_or_default())?;
    wait_for("B to appear", PATIENCE, || Ok(!is_unknown(&story, &second)?))?;
    story.until(&second, "succeeded")?;
    tell(
        "the copy is put back and nobody says so: the machine's order head proves it before A is sent again",
    );
    settled(&story, &machine, false, &["0.1", "A.1", "B.1"])
}

/// Nothing ran twice, the transcript says what happened, it verifies, and new work runs.
fn settled(story: &Story, machine: &Machine, announced: bool, marks: &[&str]) -> anyhow::Result<()> {
    story.stays_quiet()?;
    story.ran_once(marks)?;
    let transcript = story.transcript(machine)?;
    let restored: Vec<_> = transcript.iter().filter(|entry| entry["kind"] == "restored").collect();
    ensure!(restored.len() == 1, "one `restored` entry, not {}", restored.len());
    ensure!(restored[0]["body"]["announced"] == announced, "it says how: {}", restored[0]["body"]);
    let next = story.queue(machine, "C, after it all", &[story.step("C.1")])?;
    story.until(&next, "succeeded")?;
    let marks: Vec<_> = marks.iter().copied().chain(["C.1"]).collect();
    story.ran_once(&marks)?;
    let how = if announced { "announced" } else { "not announced" };
    figure(&format!("restore, {how}: steps that ran, each once"), marks.len());
    figure(&format!("restore, {how}: verdict on the export"), story.verified(machine)?);
    Ok(())
}

fn is_unknown(story: &Story, sequence: &str) -> anyhow::Result<bool> {
    match story.world.sequence(sequence) {
        Ok(_) => Ok(false),
        Err(error) => match error.downcast_ref::<ApiError>() {
            Some(refused) if refused.status == 404 => Ok(true),
            _ => Err(error),
        },
    }
}
