//! The processes of the demonstration: started with a log file each, ended by their ids.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::failure::Failure;

/// How long a process may take to end by itself; both answer or store what they have begun within a second.
const END_TIMEOUT: Duration = Duration::from_secs(8);

/// A process of the demonstration.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, which writes what it says to `log`.
    pub(super) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        log: PathBuf,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::refused(format!("failed to start {name} (`{}`)", program.display())).caused_by(&error)
        };
        let output = File::create(&log).map_err(failed)?;
        let child = command(program, arguments)
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(failed)?;
        Ok(Self { name, child, log })
    }

    /// The process's id, for people; 0 once it has ended.
    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Where it writes what it says.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Returns when the process has ended, with why that ends the demonstration.
    pub(super) async fn ended(&mut self) -> Failure {
        let status = self.child.wait().await.map(|status: ExitStatus| status.to_string());
        let failure = Failure::refused(format!("{} ended by itself", self.name))
            .because(status.unwrap_or_else(|error| error.to_string()));
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<_> = said.lines().rev().take(3).collect();
        last.into_iter().rev().fold(failure, Failure::because)
    }

    /// Asks the process to end, and makes it end where it does not.
    pub(super) async fn end(mut self) {
        ask_to_end(&self.child);
        if tokio::time::timeout(END_TIMEOUT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Runs `program` to its end and returns what it printed.
pub(super) async fn output(name: &str, program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let failed = || Failure::refused(format!("failed to run {name} (`{}`)", program.display()));
    let output = command(program, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .map_err(|error| failed().caused_by(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().take(5).fold(failed().because(output.status), Failure::because))
}

/// The program called `tidegate-runtime`: named by TIDEGATE_RUNTIME, or beside this program.
pub(super) fn runtime_program() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("TIDEGATE_RUNTIME").filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let beside = this_program()?.with_file_name(format!("tidegate-runtime{}", std::env::consts::EXE_SUFFIX));
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Failure::usage("the runtime is not beside this program")
        .because(format!("there is no `{}`", beside.display()))
        .next("build it (`cargo build -p tidegate-runtime`), or name it in TIDEGATE_RUNTIME"))
}

/// This program.
pub(super) fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::refused("failed to find this program").caused_by(&error))
}

/// A command that inherits nothing it could mistake for its own settings, and ends with its handle.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // Ctrl-C in the terminal reaches the demonstration alone, which then ends its processes in order.
    #[cfg(unix)]
    command.process_group(0);
    for name in ["TIDEGATE_URL", "TIDEGATE_TOKEN", "TIDEGATE_CA", "TIDEGATE_ENROLMENT_CODE"] {
        command.env_remove(name);
    }
    // The demonstration is on loopback; a proxy would only be asked to reach itself.
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        let _ = kill_process(id, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_child: &Child) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_asked_ends_and_leaves_what_it_said() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut process =
            Process::start("a test", Path::new("/bin/sh"), &["-c", "echo begun; exit 3"], log.clone())
                .unwrap();
        let failure = process.ended().await;
        assert_eq!(failure.what, "a test ended by itself");
        assert_eq!(failure.why, ["exit status: 3", "begun"]);

        let process = Process::start("a test", Path::new("/bin/sleep"), &["600"], log).unwrap();
        assert_ne!(process.id(), 0);
        process.end().await;
    }

    #[tokio::test]
    async fn what_a_program_says_of_its_failure_is_told() {
        let shell = Path::new("/bin/sh");
        assert_eq!(output("a test", shell, &["-c", "echo out"]).await.unwrap(), "out\n");
        let failure = output("a test", shell, &["-c", "echo no >&2; exit 4"]).await.unwrap_err();
        assert_eq!(failure.why, ["exit status: 4", "no"]);
    }
}
