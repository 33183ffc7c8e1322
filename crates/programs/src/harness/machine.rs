//! One machine: a state directory and the runtime's process on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::{binary, wait_for};

/// Where and how a machine's program runs.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What stands before the program on its command line: `nsenter …`, `unshare …`.
    pub wrapper: Vec<String>,
    /// What the program finds in its environment beside what is there.
    pub environment: Vec<(String, String)>,
    /// The file of a private CA that enrolment is told.
    pub ca: Option<PathBuf>,
}

/// An enrolled machine; its process is ended at the latest with this value.
#[derive(Debug)]
pub struct Machine {
    /// The state directory.
    pub state: PathBuf,
    /// The endpoint's id.
    pub endpoint: String,
    /// What the program is told beside its usual arguments.
    pub environment: Vec<(String, String)>,
    /// How it paces itself: what `run` is told beside where the state is.
    pub pace: Vec<String>,
    /// What stands before the program on its command line.
    pub wrapper: Vec<String>,
    program: PathBuf,
    child: Option<Child>,
}

impl Machine {
    /// Enrols a fresh state directory. The process is not started.
    ///
    /// # Errors
    ///
    /// Whatever the program said.
    pub fn enrol(state: &Path, server: &str, code: &str) -> anyhow::Result<Self> {
        Self::enrol_with(&binary("tidegate-runtime")?, state, server, code)
    }

    /// The same with another program in the place of `tidegate-runtime`.
    ///
    /// # Errors
    ///
    /// Whatever the program said.
    pub fn enrol_with(program: &Path, state: &Path, server: &str, code: &str) -> anyhow::Result<Self> {
        Self::enrol_in(&Surroundings::default(), program, state, server, code)
    }

    /// The same in other surroundings, in which it also runs.
    ///
    /// # Errors
    ///
    /// Whatever the program said.
    pub fn enrol_in(
        surroundings: &Surroundings,
        program: &Path,
        state: &Path,
        server: &str,
        code: &str,
    ) -> anyhow::Result<Self> {
        let Surroundings { wrapper, environment, ca } = surroundings;
        let output = command(wrapper, program)
            .args(["enrol", "--json", "--allow-volatile-state", "--server", server, "--code", code])
            .args(ca.iter().flat_map(|file| [OsStr::new("--ca"), file.as_os_str()]))
            .arg("--state")
            .arg(state)
            .envs(environment.iter().cloned())
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "enrol failed: {error}");
        let said: Value = serde_json::from_slice(&output.stdout)?;
        let endpoint = said["endpoint_id"].as_str().context("enrol tells the endpoint's id")?.to_owned();
        let (state, program) = (state.to_owned(), program.to_owned());
        let pace = ["--retry-max", "1s"].map(str::to_owned).to_vec();
        let (environment, wrapper) = (environment.clone(), wrapper.clone());
        Ok(Self { state, endpoint, environment, pace, wrapper, program, child: None })
    }

    /// The same machine on another copy of its state directory; not started.
    pub fn on_copy(&self, state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            endpoint: self.endpoint.clone(),
            environment: self.environment.clone(),
            pace: self.pace.clone(),
            wrapper: self.wrapper.clone(),
            program: self.program.clone(),
            child: None,
        }
    }

    /// Points the machine at another address of the control plane: a path that moved. The state keeps the
    /// address it enrolled with, so this is what a changed name or proxy would do.
    ///
    /// # Errors
    ///
    /// When the state cannot be changed.
    pub fn move_path(&self, server: &str) -> anyhow::Result<()> {
        let db = rusqlite::Connection::open(self.state.join("state.db"))?;
        let changed = db.execute(
            "UPDATE document SET value = json_set(value, '$.server', ?1) WHERE name = 'identity'",
            [server],
        )?;
        anyhow::ensure!(changed == 1, "the state directory has an identity");
        Ok(())
    }

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = command(&self.wrapper, &self.program)
            .arg("run")
            .args(&self.pace)
            .arg("--state")
            .arg(&self.state)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// The process's id.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the runtime is not running")?.id())
    }

    /// Ends it as a power cut would: SIGKILL.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the runtime is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends it as an operator would: SIGTERM.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the runtime is not running")?;
        super::process::terminate(child.id())?;
        child.wait()?;
        Ok(())
    }

    /// Halts the process where it is, as if its path were closed; it goes on with [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn pause(&self) -> anyhow::Result<()> {
        super::process::signal(self.pid()?, "-STOP")
    }

    /// Lets a halted process go on.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn resume(&self) -> anyhow::Result<()> {
        super::process::signal(self.pid()?, "-CONT")
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        match &mut self.child {
            None => Ok(false),
            Some(child) => Ok(child.try_wait()?.is_none()),
        }
    }

    /// Waits until the runtime says `text`.
    ///
    /// # Errors
    ///
    /// When it does not within `seconds`.
    pub fn says(&self, text: &str, seconds: u64) -> anyhow::Result<()> {
        wait_for(&format!("the runtime to say `{text}`"), seconds, || Ok(self.said()?.contains(text)))
    }

    /// What the process said so far.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn said(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.log())?)
    }

    fn log(&self) -> PathBuf {
        self.state.with_extension("log")
    }
}

fn command(wrapper: &[String], program: &Path) -> Command {
    let Some((first, rest)) = wrapper.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.child.is_some() {
            let _ = self.kill();
        }
    }
}
