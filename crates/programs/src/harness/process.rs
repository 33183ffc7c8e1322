//! Processes: where the programs are, what they started, how much they use.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The program `name`: in `TIDEGATE_BIN_DIR`, else beside this program or one folder above it.
///
/// # Errors
///
/// When it is not there: build it first.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("TIDEGATE_BIN_DIR").map(PathBuf::from);
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(PathBuf::from);
    let mut folders = given.into_iter().chain(beside);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
        .with_context(|| format!("the program `{name}` is not built: run `cargo build --workspace` first"))
}

/// A port of loopback that was free a moment ago, for a program that is to listen on it, perhaps more than
/// once. It is below those that the system gives to connections (32768 and above by default): while the
/// program is down, or not up yet, no connection of another test can be given it.
///
/// # Errors
///
/// When none is.
pub fn free_port() -> anyhow::Result<u16> {
    const FIRST: u16 = 10_240;
    const COUNT: u16 = 22_000;
    const TRIES: u32 = 1_000;
    for _ in 0..TRIES {
        let port = FIRST + u16::try_from(getrandom::u32()? % u32::from(COUNT))?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("{TRIES} ports of loopback were tried, and all are in use")
}

/// Asks `reached` again and again until it says yes.
///
/// # Errors
///
/// What `reached` said, or that `seconds` passed.
pub fn wait_for(
    what: &str,
    seconds: u64,
    mut reached: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !reached()? {
        if Instant::now() >= until {
            bail!("{what}: not there within {seconds} s");
        }
        // Between two looks, not instead of one.
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A field of `/proc/{pid}/status` in KiB: `VmRSS` now, `VmHWM` at the most.
///
/// # Errors
///
/// When the process is gone.
pub fn memory_kib(pid: u32, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

/// Seconds of processor time that the process took so far.
///
/// # Errors
///
/// When the process is gone.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    // Clock ticks are 1/100 s on every Linux that programs see (`USER_HZ`).
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces; the fields after it are counted from the third.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).context("no user time")? + ticks(12).context("no system time")?) / TICKS_PER_SECOND)
}

/// What a process did so far, in all of its threads that still live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Nanoseconds of processor time.
    pub cpu_ns: u64,
    /// How often it went to sleep by itself, and so how often something woke it.
    pub wake_ups: u64,
}

/// What the process did so far, finer than [`cpu_seconds`].
///
/// # Errors
///
/// When the process is gone.
pub fn effort(pid: u32) -> anyhow::Result<Effort> {
    let mut effort = Effort::default();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let spent = std::fs::read_to_string(task.join("schedstat"))?;
        effort.cpu_ns += spent.split_whitespace().next().context("no time is told")?.parse::<u64>()?;
        let status = std::fs::read_to_string(task.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        effort.wake_ups += line.context("no switches are told")?.trim().parse::<u64>()?;
    }
    Ok(effort)
}

/// The ids of living processes whose command line holds `mark`.
///
/// # Errors
///
/// When `/proc` cannot be read.
pub fn descendants(mark: &str) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_dead = std::fs::read_to_string(entry.path().join("stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')));
        if pid != std::process::id() && !is_dead && String::from_utf8_lossy(&command).contains(mark) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Asks a process to end (SIGTERM).
///
/// # Errors
///
/// When `kill` cannot be run or refuses.
pub(super) fn terminate(pid: u32) -> anyhow::Result<()> {
    signal(pid, "-TERM")
}

/// Sends a process a signal, such as `-STOP`.
///
/// # Errors
///
/// When `kill` cannot be run or refuses.
pub(super) fn signal(pid: u32, signal: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill").args([signal, &pid.to_string()]).status()?;
    anyhow::ensure!(status.success(), "process {pid} cannot be sent {signal}");
    Ok(())
}
