//! Real proxies between a machine and its control plane: the main job, or a clear answer.

mod cut;
mod peer;
mod squid;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Scale, figure};
use crate::harness::{Certificates, Machine, Surroundings, World, free_port};
use cut::Cut;
use peer::Peer;
use squid::{Admits, Squid};

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("tidegate-proxies-").tempdir()?;
    // Proxies give root up and must still reach their own files in it.
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
    let certificates = Certificates::new(directory.path(), "plant")?;
    let mut stage = Stage {
        world: World::with_tls(&certificates)?,
        ca: certificates.ca_file("plant"),
        certificates,
        directory: directory.path().to_owned(),
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut learning = stage.behind_each(&tokio, &cuts(scale))?;
    stage.squid_open().context("squid that admits everybody")?;
    stage.squid_basic().context("squid that asks for Basic")?;
    stage.squid_ntlm().context("squid that asks for NTLM")?;
    stage.inspected().context("mitmproxy that inspects TLS")?;
    learning.iter_mut().try_for_each(|behind| stage.settles(behind))
}

/// As they are in plants; quick: everything twenty times as fast.
fn cuts(scale: Scale) -> Vec<Cut> {
    let cut = |after_seconds, divisor, is_nginx| Cut { after_seconds, divisor, is_nginx };
    match scale {
        Scale::Quick => vec![cut(60, 20, false), cut(60, 20, true)],
        Scale::Full | Scale::Times(_) | Scale::Unscaled => {
            vec![cut(30, 5, false), cut(100, 5, false), cut(60, 1, false), cut(60, 1, true)]
        }
    }
}

struct Stage {
    world: World,
    certificates: Certificates,
    ca: PathBuf,
    directory: PathBuf,
}

impl Stage {
    fn direct(&self) -> Surroundings {
        Surroundings { ca: Some(self.ca.clone()), ..through("") }
    }

    /// Where the control plane listens, so that nobody has to resolve a name.
    fn server(&self) -> String {
        self.world.plane.runtime_url().replace("localhost", "127.0.0.1")
    }

    /// Enrols, starts, and does work through a proxy.
    fn main_job(
        &mut self,
        proxy: &str,
        ca: Option<PathBuf>,
    ) -> anyhow::Result<(Machine, Duration, Duration)> {
        let surroundings = Surroundings { ca: ca.or(Some(self.ca.clone())), ..through(proxy) };
        let server = self.server();
        let mut machine = self.world.machine_in(&surroundings, &server)?;
        machine.start()?;
        let first = self.work(&machine)?;
        // The second finds a sync that the control plane holds: it must not wait for a check-in.
        let second = self.work(&machine)?;
        self.world.verified(&machine.endpoint)?;
        Ok((machine, first, second))
    }

    /// Queues two steps and answers how long it took until their results were back.
    fn work(&self, machine: &Machine) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let id = self.world.queue(
            machine,
            &json!({ "title": "look", "steps": [
            { "probe": "system_info" }, { "probe": "shell", "with": { "command": "echo through the proxy" } },
        ] }),
        )?;
        let ended = self.world.ended(&id, 60).with_context(|| machine.said().unwrap_or_default())?;
        ensure!(ended["state"] == "succeeded", "it ended {ended:#}");
        Ok(began.elapsed())
    }

    /// Enrolment fails, and answers what it said.
    fn refused(&mut self, proxy: &str, ca: PathBuf) -> anyhow::Result<String> {
        let surroundings = Surroundings { ca: Some(ca), ..through(proxy) };
        let server = self.server();
        match self.world.machine_in(&surroundings, &server) {
            Ok(_) => anyhow::bail!("it enrolled"),
            Err(error) => Ok(error.to_string().trim_start_matches("enrol failed: ").trim().to_owned()),
        }
    }

    fn squid_open(&mut self) -> anyhow::Result<()> {
        let squid = Squid::start(&self.directory, "squid-open", Admits::Everybody)?;
        let (mut machine, first, second) = self.main_job(&squid.peer.address(""), None)?;
        machine.stop()?;
        told("squid without authentication", first, second);
        Ok(())
    }

    fn squid_basic(&mut self) -> anyhow::Result<()> {
        let squid = Squid::start(&self.directory, "squid-basic", Admits::Basic)?;
        let without = self.refused(&squid.peer.address(""), self.ca.clone())?;
        ensure!(without.contains("wants authentication (Basic)"), "without a password it said: {without}");
        let wrong = self.refused(&squid.peer.address("plant:wrong@"), self.ca.clone())?;
        ensure!(wrong.contains("does not accept the name and password"), "with a wrong one it said: {wrong}");
        ensure!(!wrong.contains("plant:"), "a password is shown: {wrong}");
        let (mut machine, first, second) = self.main_job(&squid.peer.address("plant:s3cret@"), None)?;
        ensure!(!machine.said()?.contains("s3cret"), "the password is in the log");
        machine.stop()?;
        let (denied, _) = squid.counted()?;
        figure("squid with Basic: without or with a wrong password", &without);
        told(&format!("squid with Basic ({denied} answers 407 before)"), first, second);
        Ok(())
    }

    fn squid_ntlm(&mut self) -> anyhow::Result<()> {
        let squid = Squid::start(&self.directory, "squid-ntlm", Admits::Ntlm)?;
        let said = self.refused(&squid.peer.address("plant:s3cret@"), self.ca.clone())?;
        ensure!(
            said.contains("NTLM") && said.contains("407") | said.contains("authentication"),
            "it said: {said}"
        );
        figure("squid that asks for NTLM: a clear answer", said.lines().next().unwrap_or_default());
        // A machine that was there before the proxy was: it says why, once, and goes on trying.
        let (surroundings, server) = (self.direct(), self.server());
        let mut machine = self.world.machine_in(&surroundings, &server)?;
        machine.environment = through(&squid.peer.address("")).environment;
        machine.pace = vec!["--interval-divisor".to_owned(), "50".to_owned()];
        machine.start()?;
        crate::harness::wait_for("a few more tries", 30, || Ok(squid.counted()?.0 >= 6))?;
        let lines = machine.said()?.matches("wants authentication (NTLM)").count();
        ensure!(lines == 1, "the machine said it {lines} times");
        machine.stop()?;
        figure(
            "squid that asks for NTLM: tries by a running machine",
            format!("{}, said once", squid.counted()?.0),
        );
        Ok(())
    }

    fn inspected(&mut self) -> anyhow::Result<()> {
        let directory = self.directory.join("mitmproxy");
        std::fs::create_dir_all(&directory)?;
        let program =
            std::env::var_os("TIDEGATE_MITMDUMP").map_or_else(|| PathBuf::from("mitmdump"), PathBuf::from);
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .args(["--listen-host", "127.0.0.1", "--listen-port", &port.to_string()])
            .arg("--set")
            .arg(format!("confdir={}", directory.display()))
            .arg("--set")
            .arg(format!("ssl_verify_upstream_trusted_ca={}", self.ca.display()));
        let peer = Peer::start(command, port, &directory)?;
        let untrusted = self.refused(&peer.address(""), self.ca.clone())?;
        ensure!(untrusted.contains("is not trusted"), "without its CA it said: {untrusted}");
        figure("mitmproxy that inspects, its CA unknown", untrusted.lines().next().unwrap_or_default());
        let ca = directory.join("mitmproxy-ca-cert.pem");
        let (mut machine, first, second) = self.main_job(&peer.address(""), Some(ca))?;
        machine.stop()?;
        told("mitmproxy that inspects and keeps whole answers, its CA given", first, second);
        Ok(())
    }
}

/// Surroundings with a proxy, or with none whatever the show itself was started in.
fn through(proxy: &str) -> Surroundings {
    let settings = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
    let value = |name: &str| if name == "HTTPS_PROXY" { proxy.to_owned() } else { String::new() };
    let environment = settings.iter().map(|name| ((*name).to_owned(), value(name))).collect();
    Surroundings { environment, ..Surroundings::default() }
}

fn told(who: &str, first: Duration, second: Duration) {
    let value =
        format!("the main job: results after {} ms, then {} ms", first.as_millis(), second.as_millis());
    figure(who, value);
}
