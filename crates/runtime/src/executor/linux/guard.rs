//! The guard: one small process per command that outlives everything the command starts.
//!
//! It is single-threaded and polls, so that no process number is used after another thread has reaped it.
//! The main process stays unreaped until the tree is gone: its number names its process group, which one
//! call kills whole.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions};

use super::group::Group;
use super::tree::{self, Killed};
use super::wire::{self, Order, Outcome};
use super::{program, raw};

/// The name this program gives itself as a guard; the sweep looks for it.
pub(super) const NAME: &str = "tidegate-runtime";
/// The hidden subcommand and its two parts.
pub(super) const SUBCOMMAND: &str = "guard";
pub(super) const WATCH: &str = "watch";
const BECOME: &str = "become";

/// How often abandoned children are reaped while the command runs.
const REAP_INTERVAL: Duration = Duration::from_secs(1);
/// How often the main process is asked for where the kernel has no pidfd (before Linux 5.3).
const ASK_INTERVAL: Duration = Duration::from_millis(10);
/// After this long the outcome is told although processes are left: they are uninterruptible or another
/// user's. The guard stays and goes on trying.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Rounds of killing without a pause: a storm that forks faster than it can be read must meet many.
const EAGER_ROUNDS: u32 = 200;

/// Runs as a guard if the program's arguments say so. To be called first in `main`, before anything starts a
/// thread; `None`: these are not a guard's arguments.
pub fn guard_main(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().take(4096).collect();
    if arguments.get(1)? != SUBCOMMAND {
        return None;
    }
    Some(match arguments.get(2).and_then(|role| role.to_str()) {
        Some(WATCH) => watch().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Some(BECOME) => program::become_program(&arguments[3..]),
        _ => ExitCode::from(2),
    })
}

/// Reads the order from standard input (the control socket), runs it, ends its tree, tells the outcome.
fn watch() -> io::Result<()> {
    raw::block_signals();
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    std::env::set_current_dir("/")?;
    let control = File::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let order: Order = wire::read(&control)?;
    let group = order.groups.as_deref().map(|groups| Group::of_step(groups, rustix::process::getpid()));
    let group = group.filter(|group| group.create().is_ok());
    let started = start(&order, group.as_ref());
    let _ = close_streams();
    let main = match started {
        Ok(main) => main,
        Err(error) => {
            end_group(group.as_ref());
            let outcome = Outcome { error: Some(error.to_string()), ..Outcome::default() };
            return wire::write(&control, &outcome);
        }
    };
    wait(main, &control);
    end_tree(main, group.as_ref(), |outcome| {
        // Nobody may be listening any more; the tree is ended all the same.
        let _ = wire::write(&control, &outcome);
    });
    Ok(())
}

fn start(order: &Order, group: Option<&Group>) -> io::Result<Pid> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).args([SUBCOMMAND, BECOME]).arg(std::process::id().to_string());
    command.arg(group.map_or_else(|| "-".into(), Group::entrance));
    command.arg(&order.program).args(&order.arguments).stdin(Stdio::null());
    let child = command.spawn()?;
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no process id"))
}

/// Lets go of the command's output, so that its reader sees the end of it.
fn close_streams() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// Returns when the main process has ended, or something came over the control socket or it closed.
fn wait(main: Pid, control: &File) {
    let watched = rustix::process::pidfd_open(main, PidfdFlags::empty()).ok();
    let interval = if watched.is_some() { REAP_INTERVAL } else { ASK_INTERVAL };
    while !has_ended(main) && !poll(control, watched.as_ref(), interval) {
        reap_others(main);
    }
}

/// Waits for either; true when it was the control socket, or when waiting is impossible.
fn poll(control: &File, main: Option<&OwnedFd>, interval: Duration) -> bool {
    let mut sources = vec![PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN)];
    sources.extend(main.map(|main| PollFd::from_borrowed_fd(main.as_fd(), PollFlags::IN)));
    let interval =
        Timespec { tv_sec: interval.as_secs() as i64, tv_nsec: i64::from(interval.subsec_nanos()) };
    match rustix::event::poll(&mut sources, Some(&interval)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => !sources[0].revents().is_empty(),
        Err(_) => true,
    }
}

/// Kills until no descendant is left and tells the outcome, once.
fn end_tree(main: Pid, group: Option<&Group>, tell: impl Fn(Outcome)) {
    let myself = rustix::process::getpid();
    let begin = Instant::now();
    let mut killed = Killed::default();
    let mut told = false;
    // Counted before the first kill: a control group ends all at once.
    killed.seen.extend(tree::living_below(myself).into_iter().map(Pid::as_raw_pid));
    for round in 0_u32.. {
        if let Some(group) = group {
            group.kill();
        }
        let _ = rustix::process::kill_process_group(main, Signal::KILL);
        tree::kill_below(myself, &[], &mut killed);
        reap_others(main);
        if has_ended(main) && tree::children(myself) == [main] {
            break;
        }
        if !told && begin.elapsed() > KILL_PATIENCE {
            told = true;
            tell(outcome(main, &killed, killed.alive));
        }
        pause(round, told);
    }
    let ended = outcome(main, &killed, 0);
    end_stragglers(myself, &mut killed);
    end_group(group);
    if !told {
        tell(ended);
    }
}

/// Reaps the main process and goes on until the kernel itself says that there is no child: a list read
/// from `/proc` while processes end may miss one.
fn end_stragglers(myself: Pid, killed: &mut Killed) {
    for round in 0_u32.. {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => {
                tree::kill_below(myself, &[], killed);
                pause(round, false);
            }
            Err(_) => return,
        }
    }
}

fn pause(round: u32, told: bool) {
    if told {
        thread::sleep(Duration::from_secs(1));
    } else if round > EAGER_ROUNDS {
        thread::sleep(Duration::from_millis(5));
    } else {
        thread::yield_now();
    }
}

fn end_group(group: Option<&Group>) {
    if let Some(group) = group {
        group.end(KILL_PATIENCE);
    }
}

fn outcome(main: Pid, killed: &Killed, survivors: usize) -> Outcome {
    let status = main_status(main);
    let others = killed.seen.iter().filter(|process| **process != main.as_raw_pid()).count();
    Outcome {
        exit_code: status.as_ref().and_then(WaitIdStatus::exit_status),
        signal: status.as_ref().and_then(WaitIdStatus::terminating_signal),
        left_behind: u32::try_from(others).unwrap_or(u32::MAX),
        survivors: u32::try_from(survivors).unwrap_or(u32::MAX),
        error: None,
    }
}

fn has_ended(main: Pid) -> bool {
    main_status(main).is_some()
}

/// How the main process ended, without reaping it.
fn main_status(main: Pid) -> Option<WaitIdStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    rustix::process::waitid(WaitId::Pid(main), options).ok().flatten()
}

/// Reaps every ended child but the main process.
fn reap_others(main: Pid) {
    for child in tree::children(rustix::process::getpid()) {
        if child != main {
            let _ = rustix::process::waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
}
