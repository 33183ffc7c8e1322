//! The last moment before a command: this process becomes it.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal};

use super::raw;

/// Becomes the program named by `arguments`: guard's process id, the entrance of the control group or `-`,
/// program, its arguments. Returns only when that fails, with a shell's exit code for it (126, 127).
pub(super) fn become_program(arguments: &[OsString]) -> ExitCode {
    let [guard, entrance, program, arguments @ ..] = arguments else { return ExitCode::from(2) };
    let _ = rustix::process::setsid();
    // The main process ends with its guard, as long as it does not change its user.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let parent = rustix::process::getppid().map_or(0, Pid::as_raw_pid);
    if guard.to_str() != Some(parent.to_string().as_str()) {
        return ExitCode::FAILURE;
    }
    if entrance != "-" {
        // Without the group the guard alone suffices.
        let _ = fs::write(entrance, "0");
    }
    let _ = std::env::set_current_dir("/");
    raw::close_descriptors_at_exec();
    let error = Command::new(program).args(arguments).exec();
    eprintln!("cannot run `{}`: {error}", program.to_string_lossy());
    ExitCode::from(if error.kind() == ErrorKind::NotFound { 127 } else { 126 })
}
