//! `tidegate-runtime doctor` against set-ups that are really broken, each in one way: it names that one and no other.

mod cases;
mod front;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Scale, figure};
use crate::harness::{ControlPlane, Machine, World, binary, free_port, sequence_of, wait_for};
use cases::Case;
use front::{Authority, Front, Kind};

pub(super) fn run(_: Scale) -> anyhow::Result<()> {
    let mut clinic = Clinic::new()?;
    let (well, report) = clinic.examine(&clinic.doctor(&[]))?;
    println!("\n{}", indented(&report));
    ensure!(well == Vec::<String>::new(), "a machine at work is well, and not broken in {well:?}");
    clinic.disturbs_nothing()?;
    let cases = cases::all(&mut clinic)?;
    let mut named = 0;
    for case in &cases {
        clinic.check(case).with_context(|| format!("with {}", case.name))?;
        named += 1;
    }
    println!();
    figure("broken set-ups, each named alone and with its remedy", named);
    figure("not made here", cases::ALL - named);
    Ok(())
}

/// What the private CA of these machines is called.
const PRIVATE_CA: &str = "Nordwerk private CA";

/// A machine at work, and copies of it to break.
struct Clinic {
    program: PathBuf,
    world: World,
    machine: Machine,
    /// A copy of the machine's state, made while nothing worked on it.
    copy: PathBuf,
    authority: Authority,
    fronts: Vec<Front>,
    tokio: tokio::runtime::Runtime,
    planes: Vec<ControlPlane>,
    copies: usize,
}

impl Clinic {
    fn new() -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut world = World::new()?;
        let mut machine = world.machine()?;
        machine.start()?;
        // Only after its first work it is adopted, and known to the control plane as it knows itself.
        let id = world.queue(&machine, &sequence_of("first", &["true".to_owned()]))?;
        world.ended(&id, 60)?;
        machine.stop()?;
        let copy = world.directory.path().join("copy");
        copy_directory(&machine.state, &copy)?;
        machine.start()?;
        wait_for("the runtime", 30, || Ok(machine.said()?.matches(" running ").count() >= 2))?;
        let authority = Authority::new(PRIVATE_CA)?;
        fs::write(world.directory.path().join("ca.pem"), authority.pem())?;
        Ok(Self {
            program: binary("tidegate-runtime")?,
            world,
            machine,
            copy,
            authority,
            fronts: Vec::new(),
            tokio,
            planes: Vec::new(),
            copies: 0,
        })
    }

    /// The doctor for the machine at work.
    fn doctor(&self, arguments: &[&str]) -> Command {
        self.doctor_of(&self.machine.state, arguments)
    }

    fn doctor_of(&self, state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("doctor").arg("--state").arg(state).args(arguments);
        command
    }

    /// The doctor behind `https://`, with the private CA.
    fn doctor_over_tls(&mut self, kind: Kind) -> anyhow::Result<Command> {
        let (url, ca) = (self.front(kind)?, self.ca());
        Ok(self.doctor(&["--server", &url, "--ca", &ca]))
    }

    fn ca(&self) -> String {
        self.world.directory.path().join("ca.pem").to_string_lossy().into_owned()
    }

    fn front(&mut self, kind: Kind) -> anyhow::Result<String> {
        let front = Front::start(&self.tokio, &self.authority, kind, self.world.plane.port())?;
        let url = front.url();
        self.fronts.push(front);
        Ok(url)
    }

    /// A copy of the state to break.
    fn broken_copy(&mut self) -> anyhow::Result<PathBuf> {
        self.copies += 1;
        let copy = self.world.directory.path().join(format!("copy-{}", self.copies));
        copy_directory(&self.copy, &copy)?;
        Ok(copy)
    }

    /// Runs the doctor for programs and for people; answers what is broken, and the report. They must agree.
    fn examine(&self, command: &Command) -> anyhow::Result<(Vec<String>, String)> {
        let (code, said) = output_of(command, true)?;
        let report: Value =
            serde_json::from_str(&said).with_context(|| format!("the report reads: {said}"))?;
        let checks = report["checks"].as_array().context("a report has checks")?;
        ensure!(checks.len() == 9, "every check is told: {report:#}");
        let is_broken = |check: &&Value| check["state"] == "broken";
        let broken: Vec<String> = checks
            .iter()
            .filter(is_broken)
            .filter_map(|check| check["check"].as_str())
            .map(str::to_owned)
            .collect();
        let (code_of_text, text) = output_of(command, false)?;
        ensure!(text.matches("✗ BROKEN").count() == broken.len(), "people are told the same: {text}");
        ensure!(report["well"] == broken.is_empty(), "{report:#}");
        let expected = i32::from(!broken.is_empty());
        ensure!(code == expected && code_of_text == expected, "exit codes {code} and {code_of_text}: {text}");
        Ok((broken, text))
    }

    fn check(&self, case: &Case) -> anyhow::Result<()> {
        let (broken, report) = self.examine(&case.command)?;
        let flat = report.split_whitespace().collect::<Vec<_>>().join(" ");
        println!("\n  {}", case.name);
        println!("{}", indented(&broken_lines(&report)));
        ensure!(broken == [case.broken], "{} is broken, and not {broken:?}:\n{report}", case.broken);
        for words in [case.says, case.remedy] {
            ensure!(flat.contains(words), "it says `{words}`:\n{report}");
        }
        Ok(())
    }

    /// Work runs while one examination follows the other, and the record knows nothing of them.
    fn disturbs_nothing(&self) -> anyhow::Result<()> {
        let pid = self.machine.pid()?;
        let id = self.world.queue(&self.machine, &sequence_of("meanwhile", &["sleep 1".to_owned()]))?;
        let mut examinations = 0;
        let mut state = String::new();
        while state != "succeeded" {
            let (broken, report) = self.examine(&self.doctor(&[]))?;
            ensure!(broken.is_empty(), "well while it works: {report}");
            examinations += 1;
            state = self.world.sequence(&id)?["state"].as_str().unwrap_or_default().to_owned();
            ensure!(
                !["failed", "lost", "stopped"].contains(&state.as_str()),
                "the work was disturbed: {state}"
            );
        }
        ensure!(self.machine.pid()? == pid, "it is the same runtime");
        let transcript =
            self.world.api.get(&format!("/api/v1/endpoints/{}/transcript", self.machine.endpoint))?;
        let kinds: Vec<_> = transcript["items"]
            .as_array()
            .context("entries")?
            .iter()
            .filter_map(|entry| entry["kind"].as_str())
            .collect();
        let boots = kinds.iter().filter(|kind| kind.contains("booted")).count();
        ensure!(boots == 2, "the record shows no start but the runtime's own two: {kinds:?}");
        figure("examinations beside work that ran undisturbed", examinations);
        Ok(())
    }
}

fn output_of(command: &Command, is_json: bool) -> anyhow::Result<(i32, String)> {
    let mut again = Command::new(command.get_program());
    // Where a shell prepares a disk first, the doctor's arguments are inside of its script, and a variable tells.
    again.args(command.get_args()).stdin(Stdio::null());
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "NO_COLOR"] {
        again.env_remove(name);
    }
    again.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if command.get_program() == "unshare" {
        again.env("FORM", if is_json { "--json" } else { "" });
    } else if is_json {
        again.arg("--json");
    }
    let output = again.output().with_context(|| format!("failed to run {command:?}"))?;
    let code = output.status.code().context("the doctor was ended by a signal")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!said.is_empty(), "it said nothing but {}", String::from_utf8_lossy(&output.stderr));
    Ok((code, said))
}

/// The part of a report that tells what is broken and what to do.
fn broken_lines(report: &str) -> String {
    let mut is_broken = false;
    let mut lines = Vec::new();
    for line in report.lines() {
        if line.is_empty() || line.starts_with("  ") && !line.starts_with("   ") {
            is_broken = line.contains("✗");
        }
        if is_broken {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    |{line}")).collect::<Vec<_>>().join("\n")
}

fn copy_directory(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "failed to copy `{}`", from.display());
    Ok(())
}

/// A port of loopback where nobody listens.
fn closed_port() -> anyhow::Result<u16> {
    free_port()
}
