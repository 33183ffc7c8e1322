//! The runtime's side of a command: starts its guard, reads its output, stops it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as PlainStream;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions};
use tidegate_core::sequence::Output;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::environment;
use super::group::{self, Group};
use super::guard::{NAME, SUBCOMMAND, WATCH};
use super::sweep;
use super::tree::{self, Killed};
use super::wire::{self, Order, Outcome};
use crate::executor::command::{CommandEnd, CommandError, CommandLine};
use crate::executor::context::turned_true;
use crate::executor::output::{Capture, Intake, read_all};
use crate::executor::{ExecutorOptions, Swept};

/// Pipe size in bytes: large reads are what makes large outputs cheap. 1 MiB is the default limit for
/// users; where it is refused the pipe stays at 64 KiB.
const PIPE_BYTES: usize = 1024 * 1024;
/// How long a guard may take to answer once it was asked to stop: twice its own patience with processes
/// that do not die.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of the output is read once the tree is gone. Only something outside the tree that was
/// handed the pipe can hold it open for longer.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// Starts commands, each under its guard.
#[derive(Debug)]
pub(in crate::executor) struct Launcher {
    options: ExecutorOptions,
    /// Where groups of steps are made; `None`: the guards alone.
    groups: Option<PathBuf>,
}

impl Launcher {
    /// Looks for a writable control group hierarchy; where the options say so this process adopts orphans
    /// from here on.
    pub(in crate::executor) fn new(options: ExecutorOptions) -> io::Result<Self> {
        if options.adopt_orphans {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        }
        let groups = options.control_groups.then(|| group::home(&options.state_id)).flatten();
        Ok(Self { options, groups })
    }

    pub(in crate::executor) fn has_control_groups(&self) -> bool {
        self.groups.is_some()
    }

    pub(in crate::executor) fn sweep_leftovers(&self) -> Swept {
        sweep::sweep(&self.options.state_id, self.options.control_groups)
    }

    /// Runs a command to its end, or to the end of its tree once `stop` turns true.
    pub(in crate::executor) async fn run(
        &self,
        line: &CommandLine,
        output_end_bytes: usize,
        stop: watch::Receiver<bool>,
    ) -> Result<CommandEnd, CommandError> {
        let mut output = Capture::new(output_end_bytes);
        let end = self.run_into(line, &mut output, output_end_bytes, stop).await?;
        Ok(CommandEnd { output: output.finish(self.options.undecodable), ..end })
    }

    /// Like [`run`](Self::run), with standard output handed to `output` as it comes, and none in the end.
    pub(in crate::executor) async fn run_into(
        &self,
        line: &CommandLine,
        output: &mut dyn Intake,
        error_output_end_bytes: usize,
        mut stop: watch::Receiver<bool>,
    ) -> Result<CommandEnd, CommandError> {
        if *stop.borrow() {
            return Err(CommandError::Stopped);
        }
        let (mut guard, mut control) = self.start_guard().map_err(CommandError::Guard)?;
        self.send_order(line, &mut control).await.map_err(CommandError::Guard)?;
        let mut errors = Capture::new(error_output_end_bytes);
        let ended = {
            let mut reading = pin!(read_both(&mut guard, output, &mut errors));
            let mut all_read = false;
            let ended = until_ended(&mut control, &mut stop, reading.as_mut(), &mut all_read).await;
            if ended.is_ok() && !all_read {
                let _ = timeout(DRAIN_PATIENCE, reading).await;
            }
            ended
        };
        let outcome = match ended {
            Ok(outcome) => {
                let _ = timeout(DRAIN_PATIENCE, guard.wait()).await;
                outcome
            }
            Err(error) => {
                self.end_abandoned(&mut guard).await;
                return Err(CommandError::Guard(error));
            }
        };
        if let Some(error) = outcome.error {
            return Err(CommandError::Start(error));
        }
        Ok(CommandEnd {
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            output: Output::default(),
            error_output: errors.finish(self.options.undecodable),
            left_behind: outcome.left_behind,
            survivors: outcome.survivors,
        })
    }

    /// The guard has the control socket as its standard input and the command's output as its own.
    fn start_guard(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = PlainStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&self.options.guard_program);
        command.arg0(NAME).args([SUBCOMMAND, WATCH, &self.options.state_id]);
        command.env_clear().envs(environment::of_commands());
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        if let (Some(output), Some(errors)) = (&child.stdout, &child.stderr) {
            let _ = rustix::pipe::fcntl_setpipe_size(output, PIPE_BYTES);
            let _ = rustix::pipe::fcntl_setpipe_size(errors, PIPE_BYTES);
        }
        Ok((child, UnixStream::from_std(ours)?))
    }

    async fn send_order(&self, line: &CommandLine, control: &mut UnixStream) -> io::Result<()> {
        let order = Order {
            program: line.program.clone(),
            arguments: line.arguments.clone(),
            groups: self.groups.clone(),
        };
        control.write_all(&wire::encode(&order)?).await
    }

    /// Ends what a guard that died or hangs has left: its group, its tree, and the orphans this process got.
    async fn end_abandoned(&self, guard: &mut Child) {
        let id = guard.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let Some(id) = id else { return };
        let group = self.groups.as_deref().map(|groups| Group::of_step(groups, id));
        let state_id = self.options.state_id.clone();
        let adopts = self.options.adopt_orphans;
        let ended = tokio::task::spawn_blocking(move || {
            sweep::end_guard(id, &state_id);
            if adopts {
                end_orphans(id);
            }
            if let Some(group) = group {
                group.end(STOP_PATIENCE);
            }
        });
        let _ = ended.await;
        let _ = guard.start_kill();
        let _ = timeout(DRAIN_PATIENCE, guard.wait()).await;
    }
}

async fn read_both(guard: &mut Child, output: &mut dyn Intake, errors: &mut Capture) {
    let (from_output, from_errors) = (guard.stdout.take(), guard.stderr.take());
    tokio::join!(
        async {
            if let Some(stream) = from_output {
                read_all(stream, output).await;
            }
        },
        async {
            if let Some(stream) = from_errors {
                read_all(stream, errors).await;
            }
        },
    );
}

/// Waits for the guard's answer while the output is read; asks it to stop when `stop` turns true.
async fn until_ended(
    control: &mut UnixStream,
    stop: &mut watch::Receiver<bool>,
    mut reading: Pin<&mut impl Future<Output = ()>>,
    all_read: &mut bool,
) -> io::Result<Outcome> {
    let (mut answers, mut requests) = control.split();
    let mut answer = pin!(async move {
        let mut prefix = [0; 4];
        answers.read_exact(&mut prefix).await?;
        let mut body = vec![0; wire::body_bytes(prefix)?];
        answers.read_exact(&mut body).await?;
        Ok::<Outcome, io::Error>(serde_json::from_slice(&body)?)
    });
    let mut deadline = None;
    loop {
        tokio::select! {
            outcome = &mut answer => return outcome,
            () = &mut reading, if !*all_read => *all_read = true,
            () = turned_true(stop), if deadline.is_none() => {
                // A guard that is gone answers by closing the socket.
                let _ = requests.write_all(b"k").await;
                deadline = Some(Instant::now() + STOP_PATIENCE);
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the guard does not answer"));
            }
        }
    }
}

/// Ends every tree that fell to this process when its guard died. A guard is the only child this process
/// starts, one at a time, so every other child is an orphan.
fn end_orphans(guard: Pid) {
    let myself = rustix::process::getpid();
    let mut killed = Killed::default();
    let begin = std::time::Instant::now();
    while begin.elapsed() < STOP_PATIENCE {
        tree::kill_below(myself, &[guard], &mut killed);
        for orphan in tree::children(myself).into_iter().filter(|child| *child != guard) {
            let _ = rustix::process::waitpid(Some(orphan), WaitOptions::NOHANG);
        }
        if tree::children(myself).iter().all(|child| *child == guard) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
