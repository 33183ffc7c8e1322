//! Steps at work: starts what the core decided and tells how each ended.

use std::time::Duration;

use tidegate_core::id::SequenceId;
use tidegate_core::runtime::{Effect, Input};
use tidegate_core::sequence::OUTPUT_END_BYTES_MAX;
use tokio::sync::{mpsc, oneshot};

use crate::executor::{Executor, StepTask, Swept};

/// Which attempt of which step.
type Attempt = (SequenceId, u32, u32);

/// The steps of this program.
pub(crate) struct Steps {
    executor: Executor,
    running: Vec<(Attempt, oneshot::Sender<()>)>,
    ended: mpsc::UnboundedSender<(Attempt, Input)>,
    ends: mpsc::UnboundedReceiver<(Attempt, Input)>,
}

impl Steps {
    /// Runs steps with `executor`.
    pub(crate) fn new(executor: Executor) -> Self {
        // Unbounded in form: the core starts one step at a time.
        let (ended, ends) = mpsc::unbounded_channel();
        Self { executor, running: Vec::new(), ended, ends }
    }

    /// Ends what earlier steps of this state directory left.
    pub(crate) fn sweep(&self) -> Swept {
        self.executor.sweep_leftovers()
    }

    /// Whether a step is at work.
    pub(crate) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Performs what the core decided.
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::StartStep { sequence, step, attempt, probe, with, timeout, policy } => {
                let task = StepTask {
                    probe,
                    with,
                    timeout: Duration::from_millis(timeout.0),
                    output_limit_bytes: 2 * OUTPUT_END_BYTES_MAX,
                    policy: *policy,
                };
                self.start((sequence, step, attempt), task);
            }
            // The session keeps it: it has nothing to do with steps.
            Effect::KeepTicket(_) => {}
            Effect::Kill { sequence, step, attempt } => {
                let killed = (sequence, step, attempt);
                if let Some(index) = self.running.iter().position(|(running, _)| *running == killed) {
                    let (_, kill) = self.running.swap_remove(index);
                    // The receiver is gone where the step ended meanwhile.
                    let _ = kill.send(());
                }
            }
        }
    }

    fn start(&mut self, attempt: Attempt, task: StepTask) {
        tracing::debug!(sequence = %attempt.0, step = attempt.1, attempt = attempt.2, probe = task.probe, "starting step");
        let (kill, killed) = oneshot::channel();
        let (mut running, ended) = (self.executor.start(task), self.ended.clone());
        self.running.push((attempt, kill));
        tokio::spawn(async move {
            let mut end = None;
            tokio::select! {
                ended = running.wait() => end = Some(ended),
                Ok(()) = killed => running.kill(),
            }
            let end = match end {
                Some(end) => end,
                None => running.wait().await,
            };
            let (sequence, step, number) = attempt;
            let (state, result) = (end.state, Box::new(end.result));
            // The program is going down where nobody listens: the step then counts as interrupted.
            let _ =
                ended.send((attempt, Input::StepExited { sequence, step, attempt: number, state, result }));
        });
    }

    /// Waits for the next end.
    pub(crate) async fn next_end(&mut self) -> Option<Input> {
        let (attempt, input) = self.ends.recv().await?;
        self.running.retain(|(running, _)| *running != attempt);
        Some(input)
    }
}
