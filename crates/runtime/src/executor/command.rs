//! A command as a probe asks for it, and how it ended.

use std::io;

use tidegate_core::sequence::Output;

/// A program and its arguments; no shell is involved unless it is the program.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// A path, or a name looked up in `PATH`.
    pub program: String,
    /// What it is given; with the program at most 32 KiB.
    pub arguments: Vec<String>,
}

/// How a command ended. Nothing of its process tree is left then, except `survivors`.
#[derive(Clone, Debug)]
pub struct CommandEnd {
    /// The main process's exit code; `None` where a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What the tree wrote to standard output.
    pub output: Output,
    /// What it wrote to standard error.
    pub error_output: Output,
    /// How many other processes were running when the main one ended, and were ended with it: what
    /// outlives a step is not the step's.
    pub left_behind: u32,
    /// How many could not be ended: uninterruptible in the kernel, or of another user.
    pub survivors: u32,
}

/// Why there is nothing to tell of a command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The step was stopped before it started.
    #[error("the step was stopped before the command started")]
    Stopped,
    /// The machine could not start a process.
    #[error("failed to start the command: {0}")]
    Start(String),
    /// The guard could not start, or was killed; what it left was ended.
    #[error("the command lost its guard and was ended")]
    Guard(#[source] io::Error),
}
