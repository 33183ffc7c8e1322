//! The runtime as a service under a real systemd, in a machine of its own that is killed, rebooted and unplugged.
//!
//! Takes root and a system to boot, which `./dev shows systemd` makes; so it is no part of every test run.

mod container;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Scale, figure};
use crate::harness::{
    Cable, Detour, DetourOptions, Tamper, World, binary, descendants, sequence_of, wait_for,
};
use container::Container;

const SERVICE: &str = "tidegate-runtime";
const UNIT: &str = "/etc/systemd/system/tidegate-runtime.service";
const PROGRAM: &str = "/usr/local/bin/tidegate-runtime";
const STATE: &str = "/var/lib/tidegate-runtime";
/// Where the program lies that an administrator brought along.
const BROUGHT: &str = "/opt/tidegate-runtime";

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let world = World::new()?;
    let cable = Cable::new();
    let mut machine = Container::new(world.directory.path())?;
    let booting = Instant::now();
    machine.boot()?;
    figure(
        "systemd, and its start in this machine",
        format!("{}, {} ms", version(&machine)?, ms(booting.elapsed())),
    );
    machine.plug_in(&cable)?;
    let options =
        DetourOptions { to: world.plane.port(), from: [127, 0, 0, 9].into(), tamper: Tamper::Nothing };
    let detour = Detour::start_at(cable.host().into(), options)?;

    let mut site = Site { world, machine, cable, endpoint: String::new() };
    site.install(&detour.url())?;
    site.works("after the installation")?;
    for round in 1..=scale.pick(5, 1) {
        site.killed(round)?;
    }
    site.stopped_by_hand()?;
    site.upgraded()?;
    site.rebooted()?;
    site.unplugged()?;
    site.uninstalled()?;
    site.retired()?;
    site.purged()?;
    site.leaves_nothing()
}

/// The machine and its control plane.
struct Site {
    world: World,
    machine: Container,
    cable: Cable,
    endpoint: String,
}

impl Site {
    /// A program that was brought along, enrolled and installed with three commands.
    fn install(&mut self, server: &str) -> anyhow::Result<()> {
        fs::copy(binary("tidegate-runtime")?, self.machine.file(BROUGHT))?;
        let said = self.machine.expect(&format!("{BROUGHT} install"), 4)?;
        ensure!(
            said.contains("(not_enrolled)") && said.contains("tidegate-runtime enrol"),
            "without an enrolment: {said}"
        );
        ensure!(!self.machine.file(UNIT).exists(), "a refusal leaves nothing behind");
        self.endpoint = self.enrol(server)?;

        let started = Instant::now();
        // The proxy is for TLS, which this control plane has not; a service must know it all the same.
        let shell = "NO_PROXY=plant.invalid HTTPS_PROXY=http://proxy.invalid:3128";
        let said = self.machine.expect(&format!("{shell} {BROUGHT} install"), 0)?;
        figure("from `install` to a service that runs, ms", ms(started.elapsed()));
        ensure!(said.contains("running, and starts with the machine"), "{said}");
        println!("{}", indented(&said));
        self.is_active()?;
        ensure!(
            self.machine.ask(&format!("systemctl is-enabled {SERVICE}"))? == "enabled",
            "it starts with the machine"
        );
        let environment =
            self.machine.ask(&format!("tr '\\0' '\\n' </proc/{}/environ", self.main_process()?))?;
        ensure!(
            environment.contains("HTTPS_PROXY=http://proxy.invalid:3128"),
            "it knows the proxy: {environment}"
        );
        let modes = self.machine.ask(&format!("stat -c %a {STATE} /etc/tidegate/runtime.env"))?;
        ensure!(modes == "700\n600", "keys and passwords are root's alone: {modes}");

        let said = self.machine.ask(&format!("{PROGRAM} doctor"))?;
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(
            flat.contains("although HTTPS_PROXY is set, from /etc/tidegate/runtime.env"),
            "the doctor: {said}"
        );
        ensure!(flat.contains("the runtime is running"), "the doctor: {said}");
        println!("{}", indented(&said));
        let verified = self.machine.expect(&format!("systemd-analyze verify {UNIT}"), 0)?;
        ensure!(verified.trim().is_empty(), "systemd-analyze verify: {verified}");
        let exposure =
            self.machine.ask(&format!("systemd-analyze security --no-pager {SERVICE} | tail -n 1"))?;
        figure("`systemd-analyze verify`", "nothing to say");
        let level = exposure.rsplit("service: ").next().unwrap_or(&exposure).trim_end_matches(" :-{");
        figure("`systemd-analyze security`: exposure, of 10", level);
        Ok(())
    }

    fn enrol(&self, server: &str) -> anyhow::Result<String> {
        let code = self.world.code()?;
        let command = format!(
            "{BROUGHT} enrol --json --allow-http --allow-volatile-state --server {server} --code {code}"
        );
        let said: Value = serde_json::from_str(&self.machine.expect(&command, 0)?)?;
        Ok(said["endpoint_id"].as_str().context("enrol tells the endpoint's id")?.to_owned())
    }

    /// Work runs, as root, in the service's own control group.
    fn works(&self, when: &str) -> anyhow::Result<()> {
        let ended = self.ended(&self.queue("who", &["id -u; cat /proc/self/cgroup".to_owned()])?)?;
        ensure!(ended["state"] == "succeeded", "work {when}: {ended:#}");
        let text = &ended["steps"][0]["attempts"][0]["result"]["output"]["text"];
        let text = text.as_str().unwrap_or_default();
        ensure!(
            text.starts_with("0\n") && text.contains("tidegate-runtime.service/tidegate-"),
            "{when}: {text}"
        );
        figure("work ran", when);
        Ok(())
    }

    /// `kill -9` of the main process in the middle of a step with children.
    fn killed(&self, round: usize) -> anyhow::Result<()> {
        let (sequence, mark) = self.begin(&format!("killed-{round}"))?;
        let before = self.main_process()?;
        let killed = Instant::now();
        self.machine.expect(&format!("kill -9 {before}"), 0)?;
        self.until_another(before)?;
        let back = killed.elapsed();
        let left = descendants(&mark)?;
        ensure!(left.is_empty(), "{} processes of the step outlived the restart", left.len());
        self.was_interrupted(&sequence)?;
        figure(
            "after kill -9 in a step: back, ms; left over; the step",
            format!("{}; 0; interrupted", ms(back)),
        );
        Ok(())
    }

    /// A restart by an administrator interrupts a step too: it does not pass for failed.
    fn stopped_by_hand(&self) -> anyhow::Result<()> {
        let (sequence, mark) = self.begin("restarted")?;
        let restarting = Instant::now();
        self.machine.expect(&format!("systemctl restart {SERVICE}"), 0)?;
        let took = restarting.elapsed();
        ensure!(descendants(&mark)?.is_empty(), "nothing of the step outlives the restart");
        self.was_interrupted(&sequence)?;
        figure(
            "after `systemctl restart` in a step: took, ms; the step",
            format!("{}; interrupted", ms(took)),
        );
        Ok(())
    }

    /// A repeat of `install` changes nothing; one with another program upgrades in place.
    fn upgraded(&self) -> anyhow::Result<()> {
        let before = self.main_process()?;
        let said = self.machine.expect(&format!("{PROGRAM} install"), 0)?;
        ensure!(
            said.matches("(unchanged)").count() == 2 && self.main_process()? == before,
            "a repeat: {said}"
        );
        // What follows an executable's last section changes the file and not the program.
        let newer = self.machine.file(BROUGHT);
        let mut bytes = fs::read(&newer)?;
        bytes.extend_from_slice(b"a newer version");
        fs::write(&newer, bytes)?;
        let upgrading = Instant::now();
        let said = self.machine.expect(&format!("{BROUGHT} install"), 0)?;
        let took = upgrading.elapsed();
        ensure!(said.contains("restarted with the new version") && self.main_process()? != before, "{said}");
        ensure!(
            fs::read(self.machine.file(PROGRAM))?.ends_with(b"a newer version"),
            "the newer program runs"
        );
        figure("`install` again: nothing changed; with a newer program, ms", ms(took));
        Ok(())
    }

    /// Shut down and started with no network; work that was queued meanwhile is done when the cable is in.
    fn rebooted(&mut self) -> anyhow::Result<()> {
        let down = self.machine.shut_down()?;
        wait_for("the cable to go with the machine's network", 20, || Ok(!self.cable.is_there()))?;
        let sequence = self.queue("while off", &["echo done while nobody looked".to_owned()])?;
        self.machine.boot()?;
        self.until_active()?;
        figure(
            "shut down, ms; active after boot without a network, ms",
            format!("{}; {}", ms(down), self.active_after()?),
        );
        let plugged = Instant::now();
        self.machine.plug_in(&self.cable)?;
        let ended = self.ended(&sequence)?;
        ensure!(ended["state"] == "succeeded", "work that waited for the machine: {ended:#}");
        figure("from the cable to the waiting work's result, ms", ms(plugged.elapsed()));
        Ok(())
    }

    /// The plug is pulled in the middle of a step.
    fn unplugged(&mut self) -> anyhow::Result<()> {
        let (sequence, mark) = self.begin("unplugged")?;
        self.machine.cut_power()?;
        ensure!(descendants(&mark)?.is_empty(), "the power is off");
        wait_for("the cable to go with the machine's network", 20, || Ok(!self.cable.is_there()))?;
        self.machine.boot()?;
        self.machine.plug_in(&self.cable)?;
        self.was_interrupted(&sequence)?;
        self.works("after the plug was pulled")
    }

    /// Gone, but for the state.
    fn uninstalled(&self) -> anyhow::Result<()> {
        let process = self.main_process()?;
        let said = self.machine.expect(&format!("{PROGRAM} uninstall"), 0)?;
        self.is_gone()?;
        ensure!(
            self.machine.run(&format!("kill -0 {process}"))?.status.code() != Some(0),
            "the process is gone"
        );
        ensure!(self.machine.file(STATE).join("state.db").exists(), "the state stays");
        println!("{}", indented(&said));
        let said = self.machine.expect(&format!("{BROUGHT} uninstall"), 0)?;
        ensure!(said.contains("is not installed: nothing to remove"), "{said}");
        figure("after `uninstall`", "no unit, no process, no program; the state is kept");
        Ok(())
    }

    /// Retired by the control plane, the service removes itself.
    fn retired(&self) -> anyhow::Result<()> {
        self.machine.expect(&format!("{BROUGHT} install"), 0)?;
        self.works("after it was installed again")?;
        self.world.api.post(&format!("/api/v1/endpoints/{}/retire", self.endpoint), &json!({}))?;
        wait_for("the retired service to remove itself", 60, || Ok(self.is_gone().is_ok()))
            .with_context(|| self.log())?;
        let failed = self.machine.ask("systemctl list-units --all --plain --no-legend 'tidegate*'")?;
        ensure!(failed.is_empty(), "nothing of it is left, as failed or otherwise: {failed}");
        let said = self.machine.expect(&format!("{BROUGHT} install"), 4)?;
        ensure!(said.contains("was retired"), "a retired machine is not installed again: {said}");
        figure("after it was retired", "the service stopped and removed itself; the state is kept");
        Ok(())
    }

    /// The state goes when that is asked for, and confirmed.
    fn purged(&self) -> anyhow::Result<()> {
        let said = self.machine.expect(&format!("{BROUGHT} uninstall --purge-state"), 2)?;
        ensure!(said.contains("repeat with --yes") && self.machine.file(STATE).exists(), "{said}");
        self.machine.expect(&format!("{BROUGHT} uninstall --purge-state --yes"), 0)?;
        for gone in [STATE, "/etc/tidegate"] {
            ensure!(!self.machine.file(gone).exists(), "{gone} is gone");
        }
        figure("after `uninstall --purge-state --yes`", "no state and no file of variables either");
        Ok(())
    }

    /// The host is as it was.
    fn leaves_nothing(mut self) -> anyhow::Result<()> {
        self.machine.remove()?;
        ensure!(!self.machine.group().exists(), "its control groups are gone");
        wait_for("the cable's end on the host to go", 20, || Ok(!self.cable.is_there()))?;
        let folder = self.world.directory.path().to_string_lossy().into_owned();
        ensure!(
            !fs::read_to_string("/proc/self/mountinfo")?.contains(&folder),
            "the host has no mount of the machine"
        );
        figure("left on the host: mounts, control groups, links, processes", 0);
        Ok(())
    }

    fn queue(&self, title: &str, commands: &[String]) -> anyhow::Result<String> {
        let path = format!("/api/v1/endpoints/{}/sequences", self.endpoint);
        let queued = self.world.api.post(&path, &sequence_of(title, commands))?;
        Ok(queued["id"].as_str().context("a sequence has an id")?.to_owned())
    }

    fn ended(&self, sequence: &str) -> anyhow::Result<Value> {
        self.world.ended(sequence, 90).with_context(|| self.log())
    }

    /// Starts a step with a tree of processes that hide from their parents; answers the sequence and the mark that is
    /// on the command line of each.
    fn begin(&self, name: &str) -> anyhow::Result<(String, String)> {
        let mark = format!("tidegate-mark-{}-{name}", std::process::id());
        let tree = format!(
            "setsid setsid sh -c 'sleep 1000; : {mark}' & env -i nohup sh -c 'sleep 1000; : {mark}' >/dev/null 2>&1 & \
             sh -c 'sleep 1000; : {mark}'"
        );
        let sequence = self.queue(name, &[tree])?;
        wait_for("the step's tree", 60, || Ok(descendants(&mark)?.len() >= 4)).with_context(|| self.log())?;
        Ok((sequence, mark))
    }

    fn was_interrupted(&self, sequence: &str) -> anyhow::Result<()> {
        let ended = self.ended(sequence)?;
        let attempts = ended["steps"][0]["attempts"].as_array().context("a step has attempts")?;
        let states: Vec<_> = attempts.iter().map(|attempt| &attempt["state"]).collect();
        ensure!(states == ["interrupted"], "one attempt, interrupted: {states:?}");
        Ok(())
    }

    fn main_process(&self) -> anyhow::Result<u32> {
        Ok(self.machine.ask(&format!("systemctl show --property MainPID --value {SERVICE}"))?.parse()?)
    }

    fn is_active(&self) -> anyhow::Result<()> {
        let stands = self.machine.ask(&format!("systemctl is-active {SERVICE}"))?;
        ensure!(stands == "active", "the service is {stands}: {}", self.log());
        Ok(())
    }

    fn until_active(&self) -> anyhow::Result<()> {
        wait_for("the service", 60, || Ok(self.is_active().is_ok())).with_context(|| self.log())
    }

    /// Waits until the service runs as another process than `before`.
    fn until_another(&self, before: u32) -> anyhow::Result<()> {
        wait_for("the service's restart", 60, || {
            let process = self.main_process()?;
            Ok(process != 0 && process != before && self.is_active().is_ok())
        })
        .with_context(|| self.log())
    }

    /// Milliseconds from systemd's own start to the service's, as systemd noted them.
    fn active_after(&self) -> anyhow::Result<u64> {
        let boot = self.machine.ask("systemctl show --property UserspaceTimestampMonotonic --value")?;
        let active = self
            .machine
            .ask(&format!("systemctl show --property ActiveEnterTimestampMonotonic --value {SERVICE}"))?;
        Ok(active.parse::<u64>()?.saturating_sub(boot.parse()?) / 1_000)
    }

    fn is_gone(&self) -> anyhow::Result<()> {
        for gone in [UNIT, PROGRAM] {
            ensure!(!self.machine.file(gone).exists(), "{gone} is gone");
        }
        let stands = self.machine.ask(&format!("systemctl is-active {SERVICE}"))?;
        ensure!(stands == "inactive" || stands == "unknown", "the service is gone, not {stands}");
        let runs = self.machine.ask("cat /proc/[0-9]*/comm | grep -c '^tidegate-runtim' || true")?;
        ensure!(runs == "0", "{runs} processes of it run");
        Ok(())
    }

    fn log(&self) -> String {
        self.machine.ask(&format!("journalctl -u {SERVICE} -n 20 --no-pager")).unwrap_or_default()
    }
}

fn version(machine: &Container) -> anyhow::Result<String> {
    Ok(machine
        .ask("systemctl --version | head -n 1")?
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" "))
}

fn ms(duration: Duration) -> u128 {
    duration.as_millis()
}

/// What a program of the machine said, as part of this one's output.
fn indented(said: &str) -> String {
    said.lines().map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
}
