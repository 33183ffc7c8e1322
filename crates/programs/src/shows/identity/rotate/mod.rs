//! Order keys are replaced and revoked, with the root key offline, while one machine works, one is away, and somebody
//! serves a stolen backup elsewhere; then again with machines that are off for ninety days.

mod ninety_days;

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{PATIENCE, QUIET, Story, tell};
use crate::harness::{ControlPlane, Machine};
use crate::shows::{Scale, figure};

pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut story = Story::begin()?;
    let (mut near, mut away) = (story.world.machine()?, story.world.machine()?);
    near.start()?;
    away.start()?;
    let warm = [&near, &away].map(|machine| story.queue(machine, "warm", &[story.step("warm")]));
    for id in warm {
        story.world.ended(&id?, PATIENCE)?;
    }
    away.stop()?;
    let mut unheard = story.world.machine()?;
    let backup = story.world.directory.path().join("stolen.db");
    story.world.plane.admin(&["backup", "--out", &backup.to_string_lossy()])?;
    tell("a backup was made, and somebody copied it; one machine works, one is away");

    revoke_while_working(&mut story, &near)?;
    replace_and_restore(&mut story, &backup)?;

    let late = story.queue(&away, "waited through two new keys", &[story.step("late")])?;
    away.start()?;
    let ended = story.world.ended(&late, PATIENCE)?;
    ensure!(ended["state"] == "succeeded", "{ended:#}");
    ensure!(story.marks("late")? == 1, "it ran once");
    tell("the machine that was away took the newest key and ran what waited for it, once");

    thief(&mut story, &backup, &mut away, &mut unheard)?;
    for machine in [&near, &away] {
        let own = story.queue(machine, "afterwards", &[story.step("own")])?;
        let ended = story.world.ended(&own, PATIENCE)?;
        ensure!(ended["state"] == "succeeded", "{ended:#}");
    }
    let listed: Value = serde_json::from_str(&story.world.plane.admin(&["order-key", "list", "--json"])?)?;
    figure("order keys, newest first", summary(&listed));
    near.stop()?;
    away.stop()?;
    story.world.verified(&near.endpoint)?;
    ninety_days::run().context("with machines that are off for ninety days")
}

/// Revokes the key with files, as for a root key that stays offline, while the machine runs one sequence and has
/// accepted another.
fn revoke_while_working(story: &mut Story, near: &Machine) -> anyhow::Result<()> {
    let runs = story.queue(near, "under way", &[story.gated_step("under-way")])?;
    story.world.until(&runs, PATIENCE, |state| state == "running")?;
    let waits = story.queue(near, "accepted", &[story.step("accepted")])?;
    story.world.until(&waits, PATIENCE, |state| state == "delivered")?;
    let place = |name: &str| story.world.directory.path().join(name).to_string_lossy().into_owned();
    let (request, answer, root) = (place("request.json"), place("answer.json"), place("root-key.pem"));
    story.world.plane.stop()?;
    story.world.plane.admin(&["order-key", "revoke", "--request", &request])?;
    let listed: Value = serde_json::from_str(&story.world.plane.admin(&["order-key", "list", "--json"])?)?;
    let fingerprint = listed["pending"]["request_fingerprint"].as_str().context("a request is pending")?;
    let sign =
        ["admin", "order-key", "sign", "--request", &request, "--root-key", &root, "--answer", &answer];
    let swapped = "0".repeat(64);
    for (fingerprint, exit) in [(swapped.as_str(), 4), (fingerprint, 0)] {
        story.world.tidegate(&[&sign[..], &["--fingerprint", fingerprint]].concat(), exit)?;
    }
    tell("the root key signed the request by its fingerprint, and refused it by another");
    story.world.plane.admin(&["order-key", "revoke", "--answer", &answer])?;
    story.world.plane.start()?;
    let refused = story.world.ended(&waits, PATIENCE)?;
    ensure!(refused["state"] == "refused", "{refused:#}");
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(reason.starts_with("key revoked"), "{reason}");
    story.open_gate()?;
    let ran = story.world.ended(&runs, PATIENCE)?;
    ensure!(ran["state"] == "succeeded", "{ran:#}");
    ensure!(story.marks("accepted")? == 0 && story.marks("under-way")? == 1, "what ran");
    tell(format!("the key was revoked: what ran went on, what had not started ended `refused: {reason}`"));
    Ok(())
}

/// Replaces the key in one step, then restores the backup of before both.
fn replace_and_restore(story: &mut Story, backup: &std::path::Path) -> anyhow::Result<()> {
    let root = story.world.directory.path().join("root-key.pem").to_string_lossy().into_owned();
    story.world.plane.stop()?;
    story.world.plane.admin(&["order-key", "new", "--root-key", &root])?;
    let said = story.world.plane.admin(&["restore", "--from", &backup.to_string_lossy()])?;
    ensure!(said.contains("The current order key 3 stays in use"), "{said}");
    story.world.plane.start()?;
    tell("the key was replaced and the old backup restored: the newest key stayed in use");
    Ok(())
}

/// Serves the stolen backup where the machines look for their control plane.
fn thief(
    story: &mut Story,
    backup: &std::path::Path,
    informed: &mut Machine,
    unheard: &mut Machine,
) -> anyhow::Result<()> {
    let home = story.world.plane.url();
    let mut thief =
        ControlPlane::of_backup(story.world.directory.path(), story.world.plane.program(), backup, &[])?;
    thief.start()?;
    let api = thief.api()?;
    let steal = |machine: &Machine, mark: &str| -> anyhow::Result<String> {
        let path = format!("/api/v1/endpoints/{}/sequences", machine.endpoint);
        let queued = api.post(&path, &json!({ "title": "theft", "steps": [story.step(mark)] }))?;
        Ok(queued["id"].as_str().context("a sequence has an id")?.to_owned())
    };
    steal(informed, "stolen-informed")?;
    informed.stop()?;
    informed.move_path(&thief.url())?;
    informed.start()?;
    // Heard and refused: the thief's page shows the machine, and nothing runs.
    crate::harness::wait_for("the machine's visit", PATIENCE, || {
        let view = api.get(&format!("/api/v1/endpoints/{}", informed.endpoint))?;
        let attention = view["attention"].as_array().context("a list")?;
        Ok(attention.iter().any(|attention| attention["code"] == "order_key_behind"))
    })?;
    std::thread::sleep(QUIET);
    ensure!(story.marks("stolen-informed")? == 0, "a stolen key ordered work");
    tell("a stolen backup, served elsewhere, got nothing from a machine that has heard of the rotation");
    informed.stop()?;
    informed.move_path(&home)?;
    informed.start()?;

    let theft = steal(unheard, "stolen-unheard")?;
    unheard.move_path(&thief.url())?;
    unheard.start()?;
    crate::harness::wait_for("the theft", PATIENCE, || {
        Ok(api.get(&format!("/api/v1/sequences/{theft}"))?["state"] == "succeeded")
    })?;
    unheard.stop()?;
    unheard.move_path(&home)?;
    unheard.start()?;
    let own = story.queue(unheard, "afterwards", &[story.step("own")])?;
    crate::harness::wait_for("the machine's own control plane", PATIENCE, || {
        let view = story.endpoint(unheard)?;
        Ok(view["journals"].as_array().is_some_and(|journals| !journals.is_empty()))
    })?;
    let ended = story.world.ended(&own, PATIENCE)?;
    ensure!(ended["state"] == "succeeded", "{ended:#}");
    tell("one that met the thief first obeyed it, and obeys its own control plane again");
    unheard.stop()?;
    thief.stop()?;
    Ok(())
}

impl Story {
    /// How often a step left this mark.
    fn marks(&self, mark: &str) -> anyhow::Result<usize> {
        Ok(fs::read_to_string(&self.traces)?.lines().filter(|line| *line == mark).count())
    }
}

fn summary(listed: &Value) -> String {
    let state = |key: &Value| match (key["is_current"].as_bool(), key["is_revoked"].as_bool()) {
        (Some(true), _) => "in use",
        (_, Some(true)) => "revoked",
        _ => "replaced",
    };
    let items = listed["items"].as_array().into_iter().flatten();
    items.map(|key| format!("{} {}", key["serial"], state(key))).collect::<Vec<_>>().join(", ")
}
