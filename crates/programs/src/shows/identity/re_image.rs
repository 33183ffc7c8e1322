//! A machine whose disk was replaced: it is the same machine for people, and another one for work.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{PATIENCE, Story, tell};
use crate::harness::{Machine, wait_for};
use crate::shows::{Scale, figure};

pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let mut old = story.world.machine()?;
    old.start()?;
    let steps = [story.step("running.1"), story.gated_step("running.2")];
    let running = story.queue(&old, "under way when the disk died", &steps)?;
    wait_for("the first result and the second start", PATIENCE, || {
        let steps = &story.world.sequence(&running)?["steps"];
        Ok(steps[0]["state"] == "succeeded" && steps[1]["state"] == "running")
    })?;
    old.kill()?;
    std::fs::remove_dir_all(&old.state)?;
    let kept = story.queue(&old, "waiting, and wanted on the new image too", &[story.step("kept.1")])?;
    let unwanted = story.queue(&old, "waiting, and meant for the old image", &[story.step("unwanted.1")])?;
    tell(
        "the machine dies in the middle of a step and its state directory is gone; two sequences wait for it",
    );

    // Codes are the directory's, which hears of new machines a moment later.
    story.world.listed(&old.endpoint)?;
    let code = story.world.api.post(
        "/api/v1/enrolment-codes",
        &json!({ "site_id": story.world.site, "endpoint_id": old.endpoint }),
    )?;
    let code = code["code"].as_str().context("a new code is told")?.to_owned();
    let state = story.world.directory.path().join("new-image");
    let mut new = Machine::enrol(&state, &story.world.plane.url(), &code)?;
    ensure!(new.endpoint == old.endpoint, "the code is for this one machine");
    new.start()?;
    let candidates = story.candidates(&new, 1)?;
    let attention = story.attention(&new)?;
    ensure!(attention.iter().any(|code| code == "candidate_journal"), "it asks for a person: {attention:?}");
    story.stays_quiet()?;
    story.ran_once(&["running.1"])?;
    tell(format!(
        "the new image enrols with a code for this machine; attention: {}; nothing runs",
        attention.join(", ")
    ));

    story.adopt(&new, &candidates[0])?;
    let lost = story.until(&running, "lost")?;
    ensure!(lost["steps"][0]["state"] == "succeeded", "a result that was returned stays");
    ensure!(
        lost["steps"][1]["state"] == "lost",
        "nobody can tell of the second step: {}",
        lost["steps"][1]["state"]
    );
    for id in [&kept, &unwanted] {
        ensure!(story.state(id)? == "held", "{id} is {}", story.state(id)?);
    }
    story.stays_quiet()?;
    story.ran_once(&["running.1"])?;
    tell("adopted: what was waiting is held, the step without a result is lost, still nothing runs");

    story.act(&unwanted, "purge")?;
    story.act(&kept, "release")?;
    story.until(&kept, "succeeded").with_context(|| new.said().unwrap_or_default())?;
    ensure!(story.state(&unwanted)? == "cancelled", "the purged one is {}", story.state(&unwanted)?);
    story.open_gate()?;
    story.stays_quiet()?;
    story.ran_once(&["running.1", "kept.1"])?;
    tell("one is released and runs on the new image, the other is purged and never runs");
    let attention = story.attention(&new)?;
    ensure!(attention.is_empty(), "nothing needs a person any more: {attention:?}");
    figure("steps that ran, each once", 2);
    figure("sequences held until a person decided", 2);
    figure("steps lost, and said so", 1);
    figure("verdict on the export", story.verified(&new)?);
    Ok(())
}
