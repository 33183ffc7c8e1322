//! Runs one step at a time and ends everything a step started.
//!
//! A step has ended when its probe is done *and* nothing of its processes is left: background children of a
//! finished command are ended with it. On a timeout, a cancel and a restart the whole tree goes. How that is
//! made sure of is the platform's business: see the sibling modules.

mod bounds;
mod command;
mod context;
#[cfg(target_os = "linux")]
mod linux;
pub mod output;
mod step;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tidegate_core::probe::Catalogue;
use tidegate_core::sequence::{EndState, StepResult};
use tidegate_core::wire::Policy;
use tokio::sync::{Mutex, watch};

pub use command::{CommandEnd, CommandError, CommandLine};
pub use context::StepContext;
#[cfg(target_os = "linux")]
use linux as platform;
use output::Undecodable;
use platform::Launcher;
pub use platform::guard_main;

/// Longest [`ExecutorOptions::state_id`] in bytes.
pub const STATE_ID_BYTES_MAX: usize = 64;

/// How an executor works on this machine.
#[derive(Clone, Debug)]
pub struct ExecutorOptions {
    /// Names the state directory among all of this machine: 1 to [`STATE_ID_BYTES_MAX`] of ASCII letters,
    /// digits, `-` and `_`. Guards and control groups carry it, so it must stay the same across restarts and
    /// no two state directories may share it.
    pub state_id: String,
    /// The program whose `main` calls [`guard_main`] first.
    pub guard_program: PathBuf,
    /// Whether control groups may be used where there are any.
    pub control_groups: bool,
    /// Whether this process takes in what a killed guard leaves and ends it. Only for a process all of
    /// whose children are the executor's.
    pub adopt_orphans: bool,
    /// How bytes that are neither UTF-8 nor UTF-16 are shown.
    pub undecodable: Undecodable,
    /// The state directory, of which no step reads anything; `None`: there is none.
    pub state: Option<PathBuf>,
}

impl ExecutorOptions {
    /// What the runtime uses: itself as the guard, all protection there is.
    pub fn new(state_id: &str) -> Self {
        Self {
            state_id: state_id.into(),
            // Stays right when an update replaces the file.
            guard_program: "/proc/self/exe".into(),
            control_groups: true,
            adopt_orphans: true,
            undecodable: Undecodable::Escape,
            state: None,
        }
    }
}

/// Why there is no executor.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The id cannot name guards and control groups.
    #[error("`{0}` is not an id of a state directory")]
    StateId(String),
    /// The operating system refused what the executor needs.
    #[error("failed to prepare for running steps")]
    System(#[source] io::Error),
}

/// A step to run.
#[derive(Clone, Debug)]
pub struct StepTask {
    /// The probe's name.
    pub probe: String,
    /// Its arguments; judged against the catalogue before anything runs.
    pub with: Map<String, Value>,
    /// How long it may run. Ending its processes takes milliseconds more, and up to
    /// 15 s where they or their guard do not react.
    pub timeout: Duration,
    /// Most bytes kept of each output stream, half of them from its end; at most two times
    /// [`OUTPUT_END_BYTES_MAX`](tidegate_core::sequence::OUTPUT_END_BYTES_MAX) count.
    pub output_limit_bytes: usize,
    /// What the machine allows, for what a probe finds out only as it works: which file it opened, which address it
    /// reaches.
    pub policy: Policy,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// `Succeeded`, `Failed`, `TimedOut`, `Cancelled`, or `Refused` (unknown probe, bad arguments).
    pub state: EndState,
    /// What it brought back, within the bounds of the record.
    pub result: StepResult,
}

/// What a sweep met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes of earlier steps that were running.
    pub found: usize,
    /// Those of them that run still: uninterruptible, or of another user.
    pub survivors: usize,
}

/// Runs steps, one at a time.
#[derive(Clone, Debug)]
pub struct Executor {
    launcher: Arc<Launcher>,
    undecodable: Undecodable,
    state: Option<Arc<Path>>,
    one_at_a_time: Arc<Mutex<()>>,
}

impl Executor {
    /// Prepares for running steps.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::StateId`] for an id that cannot be a name; [`ExecutorError::System`] when the
    /// process cannot adopt orphans.
    pub fn new(options: ExecutorOptions) -> Result<Self, ExecutorError> {
        let id = &options.state_id;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > STATE_ID_BYTES_MAX || !id.bytes().all(is_name) {
            return Err(ExecutorError::StateId(id.chars().take(STATE_ID_BYTES_MAX).collect()));
        }
        let undecodable = options.undecodable;
        let state = options.state.as_deref().map(Arc::from);
        let launcher = Arc::new(Launcher::new(options).map_err(ExecutorError::System)?);
        Ok(Self { launcher, undecodable, state, one_at_a_time: Arc::default() })
    }

    /// Whether steps get control groups of their own on this machine.
    pub fn has_control_groups(&self) -> bool {
        self.launcher.has_control_groups()
    }

    /// The probes this runtime has.
    pub fn catalogue(&self) -> Catalogue {
        crate::probes::catalogue()
    }

    /// Ends every process that earlier steps of this state directory left, those of a killed runtime
    /// included.
    ///
    /// To be called once, before anything is started, by the one holder of the state directory: it cannot
    /// tell the steps of another living executor with the same id from leftovers. Blocks for milliseconds;
    /// for up to 12 s a guard or group when processes do not die. Only where `survivors` is 0 is promise G2
    /// kept by starting something.
    pub fn sweep_leftovers(&self) -> Swept {
        self.launcher.sweep_leftovers()
    }

    /// Starts a step, or lets it wait for the one that is running. Needs a tokio runtime.
    pub fn start(&self, task: StepTask) -> Running {
        let (stop, stopped) = watch::channel(false);
        let executor = self.clone();
        let end = tokio::spawn(async move {
            let _turn = executor.one_at_a_time.lock().await;
            step::run(&executor.launcher, executor.undecodable, executor.state.as_deref(), task, stopped)
                .await
        });
        Running { stop, end }
    }
}

/// A step that was started. Dropping it cancels the step; its processes are ended in the background.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    end: tokio::task::JoinHandle<Ended>,
}

impl Running {
    /// Asks for the step and all its processes to be ended; [`wait`](Self::wait) tells when they are.
    /// Repeating it changes nothing, and neither does asking after the end.
    pub fn kill(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end. May be dropped and called again; after it has returned once it must not be.
    ///
    /// # Panics
    ///
    /// When called after it has returned.
    pub async fn wait(&mut self) -> Ended {
        match (&mut self.end).await {
            Ok(ended) => ended,
            Err(error) => step::broken(&error.to_string()),
        }
    }
}
