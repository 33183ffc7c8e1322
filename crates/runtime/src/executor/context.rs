//! What the executor gives a probe while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tidegate_core::sequence::OUTPUT_END_BYTES_MAX;
use tidegate_core::wire::Policy;
use tokio::sync::{Notify, watch};

use super::command::{CommandEnd, CommandError, CommandLine};
use super::output::{Capture, Intake, Undecodable};
use super::platform::Launcher;
use crate::files::Files;

/// One step's access to the machine.
#[derive(Debug)]
pub struct StepContext {
    launcher: Arc<Launcher>,
    output_end_bytes: usize,
    undecodable: Undecodable,
    files: Arc<Files>,
    policy: Arc<Policy>,
    stop: watch::Receiver<bool>,
    commands: AtomicU32,
    idle: Notify,
}

impl StepContext {
    pub(super) fn new(
        launcher: Arc<Launcher>,
        output_limit_bytes: usize,
        undecodable: Undecodable,
        files: Arc<Files>,
        policy: Arc<Policy>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let output_end_bytes = (output_limit_bytes / 2).min(OUTPUT_END_BYTES_MAX);
        let (commands, idle) = (AtomicU32::new(0), Notify::new());
        Self { launcher, output_end_bytes, undecodable, files, policy, stop, commands, idle }
    }

    /// Runs a command and returns when its whole tree has ended; a step that is stopped ends it early, and
    /// its output so far comes back.
    ///
    /// # Errors
    ///
    /// [`CommandError`], when there is no outcome to tell. A program that does not exist is an outcome:
    /// exit code 127.
    pub async fn run_command(&self, line: &CommandLine) -> Result<CommandEnd, CommandError> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        let _running = Running(self);
        self.launcher.run(line, self.output_end_bytes, self.stop.clone()).await
    }

    /// Like [`run_command`](Self::run_command), with standard output handed to `output` as it comes, for a probe that
    /// reads more than a step may keep; the end has none then.
    ///
    /// # Errors
    ///
    /// Those of [`run_command`](Self::run_command).
    pub async fn read_command(
        &self,
        line: &CommandLine,
        output: &mut dyn Intake,
    ) -> Result<CommandEnd, CommandError> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        let _running = Running(self);
        self.launcher.run_into(line, output, self.output_end_bytes, self.stop.clone()).await
    }

    /// A store for text that does not come from a command, with this step's limits.
    pub fn capture(&self) -> Capture {
        Capture::new(self.output_end_bytes)
    }

    /// How bytes of unknown encoding are shown on this machine.
    pub fn undecodable(&self) -> Undecodable {
        self.undecodable
    }

    /// Opens files for this step: the only way in which a probe reads one of the asker's choice.
    pub(crate) fn files(&self) -> Arc<Files> {
        self.files.clone()
    }

    /// What this machine allows: a probe judges by it each address that it connects to.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Resolves when no command is running.
    pub(super) async fn idle(&self) {
        while self.commands.load(Ordering::Relaxed) > 0 {
            self.idle.notified().await;
        }
    }
}

/// Resolves when the value is true, or can never become it because its sender is gone.
pub(super) async fn turned_true(value: &mut watch::Receiver<bool>) {
    let _ = value.wait_for(|value| *value).await;
}

struct Running<'a>(&'a StepContext);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.commands.fetch_sub(1, Ordering::Relaxed);
        self.0.idle.notify_one();
    }
}
