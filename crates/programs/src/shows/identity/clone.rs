//! A machine that was copied: two write under one name, and neither works until a person says which it is.

use anyhow::{Context as _, ensure};

use super::{PATIENCE, Story, copy_directory, tell};
use crate::harness::Machine;
use crate::shows::{Scale, figure};

pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    idle().context("a copy made while nothing waits")?;
    waiting().context("a copy made while work waits")
}

/// A machine that ran one step, and a copy of it; both are off.
fn two(story: &mut Story) -> anyhow::Result<(Machine, Machine)> {
    let mut machine = story.world.machine()?;
    machine.start()?;
    let before = story.queue(&machine, "work before the copy", &[story.step("before.1")])?;
    story.until(&before, "succeeded")?;
    machine.stop()?;
    let state = story.world.directory.path().join("copy-of-the-machine");
    copy_directory(&machine.state, &state)?;
    let mut copy = machine.on_copy(&state);
    machine.environment.push(("TZ".to_owned(), "original".to_owned()));
    copy.environment.push(("TZ".to_owned(), "copy".to_owned()));
    Ok((machine, copy))
}

fn idle() -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let (mut machine, mut copy) = two(&mut story)?;
    machine.start()?;
    copy.start()?;
    let candidates = story.candidates(&machine, 2)?;
    let attention = story.attention(&machine)?;
    ensure!(attention.iter().any(|code| code == "identity_conflict"), "it asks for a person: {attention:?}");
    ensure!(story.journals(&machine, "current")?.is_empty(), "no journal is current");
    tell(format!("both copies start and are told apart; attention: {}", attention.join(", ")));

    let waiting = story.queue(&machine, "queued while two claim to be it", &[story.step("waiting.1")])?;
    story.stays_quiet()?;
    story.ran_once(&["before.1"])?;
    ensure!(story.state(&waiting)? == "queued", "it waits: {}", story.state(&waiting)?);
    tell("work is queued: neither of the two runs it");

    let chosen = journal_of(&copy)?;
    ensure!(candidates.contains(&chosen), "the copy writes one of {candidates:?}: {chosen}");
    story.adopt(&machine, &chosen)?;
    story.stays_quiet()?;
    ensure!(story.state(&waiting)? == "held", "it is held: {}", story.state(&waiting)?);
    story.act(&waiting, "release")?;
    story.until(&waiting, "succeeded").with_context(|| copy.said().unwrap_or_default())?;
    let after = story.queue(&machine, "work after", &[story.step("after.1")])?;
    story.until(&after, "succeeded")?;
    story.stays_quiet()?;
    story.ran_once(&["before.1", "waiting.1 on copy", "after.1 on copy"])?;
    tell("the copy is adopted: the held work runs on it once it is released, and the original runs nothing");
    figure("clone, nothing waiting: steps that ran, each once", 3);
    figure("clone, nothing waiting: of them on the one not adopted", 0);
    figure("clone, nothing waiting: verdict on the export", story.verified(&machine)?);
    Ok(())
}

/// The first copy to be heard may rightly be sent the work before the second is: once, on one of them.
fn waiting() -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let (mut machine, mut copy) = two(&mut story)?;
    let queue = |name: &str| {
        let steps = [story.step(&format!("{name}.1")), story.step(&format!("{name}.2"))];
        anyhow::Ok((story.queue(&machine, name, &steps)?, name.to_owned()))
    };
    let waiting = [queue("one")?, queue("two")?, queue("three")?];
    machine.start()?;
    copy.start()?;
    let candidates = story.candidates(&machine, 2)?;
    story.stays_quiet()?;
    let ran_before = story.ran()?.len() - 1;
    story.adopt(&machine, &candidates[0])?;
    let (mut released, mut succeeded, mut lost, mut ran) = (0, 0, 0, 0);
    for (id, name) in &waiting {
        if story.state(id)? == "held" {
            story.act(id, "release")?;
            released += 1;
        }
        let ended = story.world.ended(id, PATIENCE)?;
        let times = [story.times(&format!("{name}.1"))?, story.times(&format!("{name}.2"))?];
        ensure!(times.iter().all(|times| *times <= 1), "{name} ran on both: {:?}", story.ran()?);
        match ended["state"].as_str() {
            Some("succeeded") => {
                ensure!(times == [1, 1], "{name} succeeded and ran {times:?} times");
                succeeded += 1;
            }
            Some("lost") => lost += 1,
            _ => anyhow::bail!("{name} ended otherwise: {ended:#}"),
        }
        ran += times[0] + times[1];
    }
    story.stays_quiet()?;
    tell(format!(
        "three sequences wait while both start: {ran_before} of 6 steps run on the one heard first, none on both; \
         after adoption {released} were held and released, {succeeded} succeeded, {lost} are lost and say so"
    ));
    figure("clone, work waiting: steps that ran / ran twice", format!("{ran} of 6 / 0"));
    figure("clone, work waiting: verdict on the export", story.verified(&machine)?);
    Ok(())
}

/// The journal that a machine writes now.
fn journal_of(machine: &Machine) -> anyhow::Result<String> {
    let db = rusqlite::Connection::open_with_flags(
        machine.state.join("state.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )?;
    let sql = "SELECT json_extract(value, '$.journal.id') FROM document WHERE name = 'state'";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}
