//! Ninety days in which a key is replaced, old backups are restored, a key is revoked, and two machines are off.
//!
//! The days pass on a clock that the control plane and the machines share; nothing else of them is changed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::super::{PATIENCE, Story, tell};
use crate::harness::{ControlPlane, FakedClock, Machine};
use crate::shows::figure;

const DAY_MS: i64 = 86_400_000;

pub(super) fn run() -> anyhow::Result<()> {
    let mut plant = Plant::new()?;
    let (mut early, unheard) = (plant.machine()?, plant.machine()?);
    let early_work = plant.accepted_for_later(&mut early, "accepted under key 1")?;
    early.stop()?;
    let first_backup = plant.backup("day-0")?;
    plant.until_day(20)?;
    plant.order_key("new")?;

    let mut late = plant.machine()?;
    let late_work = plant.accepted_for_later(&mut late, "accepted under key 2")?;
    late.stop()?;
    plant.until_day(25)?;
    let second_backup = plant.backup("day-25")?;
    tell(
        "day 0: one machine accepts work and goes off; day 20: key 2; another accepts work under it and goes off",
    );

    plant.until_day(30)?;
    plant.restore(&first_backup, 2)?;
    plant.until_day(45)?;
    plant.order_key("revoke")?;
    plant.until_day(60)?;
    plant.restore(&second_backup, 3)?;
    tell(
        "day 30: the backup of day 0 is restored; day 45: key 2 is revoked; day 60: the backup of day 25 is restored",
    );

    plant.until_day(70)?;
    let waits =
        [(&early, "early"), (&late, "late")].map(|(machine, mark)| plant.queue_for_a_year(machine, mark));
    plant.until_day(90)?;
    early.start()?;
    late.start()?;
    for id in waits {
        let ended = plant.story.world.ended(&id?, PATIENCE)?;
        ensure!(ended["state"] == "succeeded", "{ended:#}");
    }
    let ran = plant.story.world.ended(&early_work, PATIENCE)?;
    ensure!(ran["state"] == "succeeded", "a replaced key's work runs: {ran:#}");
    let refused = plant.story.world.ended(&late_work, PATIENCE)?;
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(refused["state"] == "refused" && reason.starts_with("key revoked"), "{refused:#}");
    plant.story.stays_quiet()?;
    plant.story.ran_once(&["accepted-under-key-1", "early", "late"])?;
    for machine in [&early, &late] {
        let attention = plant.story.attention(machine)?;
        // All machines of a show run on one computer and take its name.
        ensure!(attention.iter().all(|code| code == "same_name"), "{attention:?}");
    }
    figure("back after 90 and 70 days", "both took key 3 and ran once what waited; key 2's work: refused");
    early.stop()?;
    late.stop()?;
    for machine in [&early, &late] {
        plant.story.verified(machine)?;
    }
    plant.thief_until_the_end(&first_backup, unheard)
}

/// A control plane and machines that share a clock.
struct Plant {
    story: Story,
    clock: FakedClock,
}

impl Plant {
    fn new() -> anyhow::Result<Self> {
        let mut story = Story::begin()?;
        let clock = FakedClock::new(&story.world.directory.path().join("clock"))?;
        clock.set(0)?;
        story.world.plane.stop()?;
        story.world.plane.environment.extend(clock.environment()?);
        story.world.plane.start()?;
        Ok(Self { story, clock })
    }

    fn machine(&mut self) -> anyhow::Result<Machine> {
        let mut machine = self.story.world.machine()?;
        machine.environment.extend(self.clock.environment()?);
        Ok(machine)
    }

    /// Lets days pass, on a clock that jumps while the control plane serves. Tokens do not last so long.
    fn until_day(&mut self, day: i64) -> anyhow::Result<()> {
        self.clock.set(day * DAY_MS)?;
        self.renew_token()
    }

    fn renew_token(&mut self) -> anyhow::Result<()> {
        let world = &mut self.story.world;
        let said = world.plane.admin(&["token", "--email", "owner@example.com"])?;
        world.plane.token = said.lines().last().context("the token is on the last line")?.trim().to_owned();
        world.api = world.plane.api()?;
        Ok(())
    }

    /// Starts the machine and lets it accept work that it may begin on day 80.
    fn accepted_for_later(&self, machine: &mut Machine, title: &str) -> anyhow::Result<String> {
        let step = self.story.step(&title.replace(' ', "-"));
        let not_before = self.real_day(80)?;
        let expires_at = self.real_day(360)?;
        let asked =
            json!({ "title": title, "not_before": not_before, "expires_at": expires_at, "steps": [step] });
        let id = self.story.world.queue(machine, &asked)?;
        machine.start()?;
        self.story.until(&id, "delivered")?;
        Ok(id)
    }

    fn queue_for_a_year(&self, machine: &Machine, mark: &str) -> anyhow::Result<String> {
        let asked = json!({ "title": mark, "expires_in": "300d", "steps": [self.story.step(mark)] });
        self.story.world.queue(machine, &asked)
    }

    /// The time of that day by the shared clock.
    fn real_day(&self, day: i64) -> anyhow::Result<String> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let at_ms = i64::try_from(now.as_millis())? + day * DAY_MS;
        Ok(tidegate_core::time::Timestamp::from_milliseconds(at_ms).to_string())
    }

    fn backup(&self, name: &str) -> anyhow::Result<PathBuf> {
        let backup = self.story.world.directory.path().join(name);
        self.story.world.plane.admin(&["backup", "--out", &backup.to_string_lossy()])?;
        Ok(backup)
    }

    fn order_key(&mut self, act: &str) -> anyhow::Result<()> {
        let plane = &mut self.story.world.plane;
        let root = self.story.world.directory.path().join("root-key.pem");
        plane.stop()?;
        plane.admin(&["order-key", act, "--root-key", &root.to_string_lossy()])?;
        plane.start()
    }

    /// Puts a backup in place; the key of `serial` must stay in use.
    fn restore(&mut self, backup: &Path, serial: u64) -> anyhow::Result<()> {
        let plane = &mut self.story.world.plane;
        plane.stop()?;
        let said = plane.admin(&["restore", "--from", &backup.to_string_lossy()])?;
        ensure!(said.contains(&format!("The current order key {serial} stays in use")), "{said}");
        plane.start()?;
        self.renew_token()
    }

    /// A thief serves the backup of before both rotations to a machine that never heard of another key: it obeys until
    /// the certificate in that backup ends, and takes nothing from then on.
    fn thief_until_the_end(&self, backup: &Path, mut unheard: Machine) -> anyhow::Result<()> {
        self.clock.set(300 * DAY_MS)?;
        let world = &self.story.world;
        let environment = self.clock.environment()?;
        let mut thief =
            ControlPlane::of_backup(world.directory.path(), world.plane.program(), backup, &environment)?;
        thief.start()?;
        let api = thief.api()?;
        let path = format!("/api/v1/endpoints/{}/sequences", unheard.endpoint);
        let steal = |mark: &str| {
            api.post(&path, &json!({ "title": "theft", "steps": [self.story.step(mark)] })).map(drop)
        };
        steal("theft-on-day-300")?;
        unheard.move_path(&thief.url())?;
        unheard.start()?;
        self.story.until_ran("theft-on-day-300")?;
        self.clock.set(400 * DAY_MS)?;
        // His token does not last so long either, so he makes another.
        let said = thief.admin(&["token", "--email", "owner@example.com"])?;
        thief.token = said.lines().last().context("the token is on the last line")?.trim().to_owned();
        thief
            .api()?
            .post(&path, &json!({ "title": "theft", "steps": [self.story.step("theft-on-day-400")] }))?;
        self.story.stays_quiet()?;
        ensure!(self.story.times("theft-on-day-400")? == 0, "an order key ordered work after its end");
        tell(
            "day 300: a thief who serves the backup of day 0 is obeyed by a machine that heard of no other key; day 400: no more",
        );
        unheard.stop()?;
        thief.stop()?;
        Ok(())
    }
}
