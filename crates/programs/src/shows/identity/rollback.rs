//! A machine set back to a snapshot: it does not know what it did since, and does nothing until a person says so.

use anyhow::{Context as _, ensure};

use super::{Story, copy_directory, set_back, tell};
use crate::shows::{Scale, figure};

pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let mut machine = story.world.machine()?;
    machine.start()?;
    let before = story.queue(&machine, "before the snapshot", &[story.step("before.1")])?;
    story.until(&before, "succeeded")?;
    machine.stop()?;
    let snapshot = story.world.directory.path().join("snapshot");
    copy_directory(&machine.state, &snapshot)?;
    machine.start()?;
    let since =
        story.queue(&machine, "since the snapshot", &[story.step("since.1"), story.step("since.2")])?;
    story.until(&since, "succeeded")?;
    machine.stop()?;
    let waiting = story.queue(&machine, "waiting", &[story.step("waiting.1")])?;
    set_back(&machine.state, &snapshot)?;
    tell("the machine ran work, is switched off and set back to a snapshot from before it; more work waits");

    machine.start()?;
    let candidates = story.candidates(&machine, 1)?;
    let attention = story.attention(&machine)?;
    ensure!(attention.iter().any(|code| code == "identity_conflict"), "it asks for a person: {attention:?}");
    let kinds = story.kinds(&machine)?;
    ensure!(kinds.iter().any(|kind| kind == "journal.continued"), "the new journal says what it continues");
    story.stays_quiet()?;
    story.ran_once(&["before.1", "since.1", "since.2"])?;
    tell(format!("it starts and is found out; attention: {}; nothing runs", attention.join(", ")));

    story.adopt(&machine, &candidates[0])?;
    story.stays_quiet()?;
    ensure!(story.state(&waiting)? == "held", "what waited is held: {}", story.state(&waiting)?);
    for id in [&before, &since] {
        ensure!(story.state(id)? == "succeeded", "what ran stays as it was: {}", story.state(id)?);
    }
    story.ran_once(&["before.1", "since.1", "since.2"])?;
    tell(
        "adopted: what waited is held, what was done since the snapshot keeps its results and is not done again",
    );

    story.act(&waiting, "release")?;
    story.until(&waiting, "succeeded").with_context(|| machine.said().unwrap_or_default())?;
    let after = story.queue(&machine, "after it all", &[story.step("after.1")])?;
    story.until(&after, "succeeded")?;
    story.stays_quiet()?;
    story.ran_once(&["before.1", "since.1", "since.2", "waiting.1", "after.1"])?;
    tell("the held work is released and runs, and so does new work");
    figure("steps that ran, each once", 5);
    figure("of them done since the snapshot and not done again", 2);
    figure("verdict on the export", story.verified(&machine)?);
    Ok(())
}
