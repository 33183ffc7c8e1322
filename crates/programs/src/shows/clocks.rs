//! Machines whose clocks are wrong, over TLS: they connect, their times are right, conditions on time hold.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_core::time::Timestamp;

use super::{Scale, figure};
use crate::harness::{Certificates, FakedClock, Machine, World, sequence_of, wait_for};

/// How far a time in the transcript may be from the true one.
const TOLERANCE_MS: i64 = 1_000;
/// How far the skew may be from what was set: a request's way is in it.
const SKEW_TOLERANCE_MS: i64 = 2_000;
const HOUR_MS: i64 = 3_600_000;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("tidegate-clocks-").tempdir()?;
    let certificates = Certificates::new(directory.path(), "plant")?;
    let mut stage = Stage {
        world: World::with_tls(&certificates)?,
        ca: certificates.ca_file("plant"),
        directory: directory.path().to_owned(),
    };
    let all = [
        ("right", 0),
        ("3 hours behind", -3 * HOUR_MS),
        ("3 hours ahead", 3 * HOUR_MS),
        ("ten years ahead", 3_652 * 24 * HOUR_MS),
        ("in 1970", HOUR_MS - now().milliseconds()),
    ];
    for (name, offset_ms) in all.into_iter().skip(scale.pick(0, 4)) {
        stage.steady(name, offset_ms).with_context(|| format!("with a clock that is {name}"))?;
    }
    stage.jumping().context("with a clock that jumps during a step")?;
    stage.reboot_in_the_dark().context("after a reboot into 1970 without a path")
}

struct Stage {
    world: World,
    ca: std::path::PathBuf,
    directory: std::path::PathBuf,
}

impl Stage {
    /// Enrols and starts a machine whose clock is off.
    fn machine(&mut self, name: &str, offset_ms: i64) -> anyhow::Result<(Machine, FakedClock)> {
        let clock = FakedClock::new(&self.directory.join(name.replace(' ', "-")))?;
        clock.set(offset_ms)?;
        let surroundings = clock.surroundings(&self.ca)?;
        let server = self.world.plane.runtime_url();
        let mut machine = self.world.machine_in(&surroundings, &server)?;
        machine.start()?;
        Ok((machine, clock))
    }

    fn steady(&mut self, name: &str, offset_ms: i64) -> anyhow::Result<()> {
        let (mut machine, _clock) = self.machine(name, offset_ms)?;
        let mut worst_ms = 0;
        for _ in 0..2 {
            let before = now();
            let id = self.world.queue(
                &machine,
                &json!({ "title": "look", "steps": [
                { "probe": "system_info" }, { "probe": "shell", "with": { "command": "sleep 0.2" } },
            ] }),
            )?;
            let ended = self.world.ended(&id, 30)?;
            ensure!(ended["state"] == "succeeded", "it ended {ended:#}");
            worst_ms = worst_ms.max(worst_deviation(&ended, before, now())?);
        }
        ensure!(worst_ms <= TOLERANCE_MS, "a time in the transcript is off by {worst_ms} ms");
        let endpoint = self.world.api.get(&format!("/api/v1/endpoints/{}", machine.endpoint))?;
        let skew_ms = endpoint["clock_skew_ms"].as_i64().context("the skew is told")?;
        let off_ms = (skew_ms - offset_ms).abs();
        ensure!(off_ms <= SKEW_TOLERANCE_MS, "the skew is shown as {skew_ms} ms, it is {offset_ms} ms");
        let shown = endpoint["attention"].as_array().context("attention is a list")?;
        let has_word = shown.iter().any(|attention| attention["code"] == "clock_skew");
        ensure!(has_word == (offset_ms.abs() > 5_000), "attention says {shown:?}");
        let late_ms = self.obeys_conditions(&machine)?;
        self.world.verified(&machine.endpoint)?;
        machine.stop()?;
        figure(
            &format!("clock {name}: connects, times off by at most"),
            format!("{worst_ms} ms; skew shown {skew_ms} ms; not_before kept, {late_ms} ms late"),
        );
        Ok(())
    }

    /// `not_before` holds the work back until then, and an expiry that lies ahead does not end it. Answers how late the
    /// work started.
    fn obeys_conditions(&self, machine: &Machine) -> anyhow::Result<i64> {
        let not_before = now().shifted_by_ms(3_000);
        let expires_at = now().shifted_by_ms(HOUR_MS);
        let id = self.world.queue(
            machine,
            &json!({
                "title": "later", "not_before": not_before, "expires_at": expires_at,
                "steps": [{ "probe": "system_info" }],
            }),
        )?;
        let ended = self.world.ended(&id, 30)?;
        ensure!(ended["state"] == "succeeded", "it ended {ended:#}");
        let started = time(&ended["steps"][0]["attempts"][0]["started_at"])?;
        let late_ms = started.milliseconds() - not_before.milliseconds();
        ensure!((0..5_000).contains(&late_ms), "it started {late_ms} ms after its not_before");
        Ok(late_ms)
    }

    fn jumping(&mut self) -> anyhow::Result<()> {
        let (mut machine, clock) = self.machine("jumps", 0)?;
        let go = self.directory.join("go");
        let command = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());
        let before = now();
        let id = self.world.queue(&machine, &sequence_of("while it jumps", &[command, "true".into()]))?;
        self.world.until(&id, 30, |state| state == "running")?;
        for offset_ms in [24 * HOUR_MS, -2 * HOUR_MS, -50 * 365 * 24 * HOUR_MS, 10 * HOUR_MS] {
            clock.set(offset_ms)?;
            // Something must be said while the clock stands so.
            let other = self.world.queue(&machine, &sequence_of("meanwhile", &["true".into()]))?;
            self.world.until(&other, 30, |state| state == "delivered")?;
        }
        std::fs::write(&go, "")?;
        let ended = self.world.ended(&id, 30)?;
        ensure!(ended["state"] == "succeeded", "it ended {ended:#}");
        let worst_ms = worst_deviation(&ended, before, now())?;
        ensure!(worst_ms <= TOLERANCE_MS, "a time in the transcript is off by {worst_ms} ms");
        let path = format!("/api/v1/endpoints/{}", machine.endpoint);
        wait_for("the skew to be shown", 30, || {
            let skew_ms = self.world.api.get(&path)?["clock_skew_ms"].as_i64().unwrap_or(0);
            Ok((skew_ms - 10 * HOUR_MS).abs() <= SKEW_TOLERANCE_MS)
        })?;
        self.world.verified(&machine.endpoint)?;
        machine.stop()?;
        figure("clock that jumps four times during a step: off by at most", format!("{worst_ms} ms"));
        Ok(())
    }

    /// The machine goes down with work, comes up in 1970 without a path, and the path opens later.
    fn reboot_in_the_dark(&mut self) -> anyhow::Result<()> {
        let (mut machine, clock) = self.machine("reboots", 0)?;
        let file = |name: &str| self.directory.join(name).display().to_string();
        let never = format!("while [ ! -e {} ]; do sleep 0.05; done", file("never"));
        let first = self.world.queue(&machine, &sequence_of("under way", &[never]))?;
        self.world.until(&first, 30, |state| state == "running")?;
        let plain_ran = file("plain-ran");
        let plain = self
            .world
            .queue(&machine, &sequence_of("plain", &[format!("touch {plain_ran}"), "true".into()]))?;
        let mut conditional = sequence_of("conditional", &[format!("touch {}", file("conditional-ran"))]);
        conditional["expires_in"] = json!("1d");
        let conditional = self.world.queue(&machine, &conditional)?;
        for id in [&plain, &conditional] {
            self.world.until(id, 30, |state| state == "delivered")?;
        }
        ensure!(self.world.plane.stop()?, "the control plane stops");
        machine.kill()?;
        clock.set(HOUR_MS - now().milliseconds())?;
        clock.reboot()?;
        let before = now();
        machine.start()?;
        wait_for("the plain work to run in the dark", 30, || Ok(std::path::Path::new(&plain_ran).exists()))?;
        let after = now();
        machine.says("no path to the control plane", 30)?;
        ensure!(
            !self.directory.join("conditional-ran").exists(),
            "work with a condition on time ran without a clock"
        );
        self.world.plane.start()?;
        let plain = self.world.ended(&plain, 60)?;
        let worst_ms = worst_deviation(&plain, before, after)?;
        ensure!(worst_ms <= TOLERANCE_MS, "what ran in 1970 is dated {worst_ms} ms off: {plain:#}");
        let conditional = self.world.ended(&conditional, 60)?;
        ensure!(conditional["state"] == "succeeded", "it ended {conditional:#}");
        let transcript =
            self.world.api.text(&format!("/api/v1/endpoints/{}/transcript?limit=500", machine.endpoint))?;
        ensure!(transcript.contains("clock_unknown"), "the transcript says why the conditional work waited");
        self.world.verified(&machine.endpoint)?;
        machine.stop()?;
        figure(
            "rebooted into 1970 in the dark: plain work ran there, dated off by",
            format!("{worst_ms} ms"),
        );
        figure(
            "rebooted into 1970 in the dark: work with a condition on time",
            "waited (clock unknown), then ran",
        );
        Ok(())
    }
}

/// How far the times of `sequence` that the machine told lie outside `before`..`after`, or out of order.
fn worst_deviation(sequence: &Value, before: Timestamp, after: Timestamp) -> anyhow::Result<i64> {
    let mut worst_ms = 0;
    for step in sequence["steps"].as_array().context("a sequence has steps")? {
        let attempt = step["attempts"].as_array().and_then(|attempts| attempts.last()).context("it ran")?;
        let mut earlier = before;
        for name in ["started_at", "finished_at"] {
            let at = time(&attempt[name]).with_context(|| format!("{name} of {attempt:#}"))?;
            let outside_ms =
                (earlier.milliseconds() - at.milliseconds()).max(at.milliseconds() - after.milliseconds());
            worst_ms = worst_ms.max(outside_ms);
            earlier = at;
        }
    }
    Ok(worst_ms)
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    Ok(value.as_str().context("a time is told")?.parse()?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(0))
}
