//! The proxy as the service knows it: a technician's shell has other variables than the service.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;

use crate::service;

/// Set for the second start of this program, which has the service's variables: names their file.
const SOURCE: &str = "TIDEGATE_DOCTOR_SOURCE";

/// Starts this program anew with the installed service's variables, where there are some and the shell names no proxy
/// itself: a proxy named on the command line is one that is tried out.
///
/// # Errors
///
/// When the program cannot be started anew.
pub(super) fn take_over(is_json: bool) -> anyhow::Result<()> {
    let is_named_here = service::PROXY_VARIABLES
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if std::env::var_os(SOURCE).is_some() || is_named_here {
        return Ok(());
    }
    let (file, variables) = match service::variables() {
        Ok((_, variables)) if variables.is_empty() => return Ok(()),
        Ok(found) => found,
        Err(error) => {
            if !is_json {
                println!("Note: the service's variables are not used here: {error:#}\n");
            }
            return Ok(());
        }
    };
    let error = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .envs(variables)
        .env(SOURCE, &file)
        .exec();
    Err(error).context("failed to start anew with the service's variables")
}

/// Where a variable comes from, for people: ` (from …)`, or nothing for the shell.
pub(super) fn source() -> String {
    std::env::var(SOURCE).map(|file| format!(", from {file}")).unwrap_or_default()
}
