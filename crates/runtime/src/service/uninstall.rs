//! `uninstall`: stopped, off the list of services, gone. The state is another matter: it is asked for by name.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidegate_sqlite::{DirectoryLock, LockError};

use super::places::Places;
use super::{ServiceError, UninstallArguments, check_machine, check_path, file, report, systemctl, unit};

/// What a state directory consists of. Anything else in there is not this program's to remove.
const STATE_FILES: [&str; 5] = ["state.db", "state.db-wal", "state.db-shm", "state.db-room", "lock"];

/// Removes the service, and the state where that was asked for; answers what was done, for people.
///
/// # Errors
///
/// [`ServiceError`] where nothing was changed; otherwise what could not be stopped or removed.
pub(crate) fn uninstall(arguments: &UninstallArguments) -> anyhow::Result<String> {
    let places = Places::new(&arguments.root, &arguments.unit_name)?;
    check_path(&arguments.state)?;
    check_machine(&places)?;
    let present = places.unit_text()?;
    let state = present.as_deref().and_then(unit::state_of).unwrap_or_else(|| arguments.state.clone());
    let state = places.below_root(&state);
    let has_state = state.join("state.db").exists();
    if arguments.purge_state {
        check_purge(&state, has_state, arguments.yes)?;
    }

    let mut lines = Vec::new();
    let has_service = present.is_some();
    if has_service {
        if places.is_this_machine() {
            systemctl::run(&["disable", "--now", "--quiet", &places.unit_name()])?;
        }
        lines.extend(remove(&places)?);
    }
    if arguments.purge_state {
        lines.extend(purge(&places, &state, has_state)?);
    } else if has_state {
        lines.push(("state", format!("{} stays, with this machine's keys and history", state.display())));
    }
    let unit = places.unit_name();
    let first = match has_service {
        true => format!("{unit} is stopped and removed"),
        false => format!("{unit} is not installed: nothing to remove"),
    };
    Ok(format!("{first}\n{}", report(&lines)).trim_end().to_owned())
}

/// Removes the service from inside: it runs on until this program ends, and is not started again. The state stays.
///
/// # Errors
///
/// What could not be removed. The unit's `RestartPreventExitStatus=` keeps it from being restarted all the same.
pub(crate) fn remove_retired(unit_name: &str) -> anyhow::Result<()> {
    let places = Places::new(Path::new("/"), unit_name)?;
    check_machine(&places)?;
    if places.unit_text()?.is_some() {
        systemctl::run(&["disable", "--quiet", &places.unit_name()])?;
        remove(&places)?;
    }
    Ok(())
}

/// Removes unit and program, and tells what stays because another service needs it.
fn remove(places: &Places) -> anyhow::Result<Vec<(&'static str, String)>> {
    let has_siblings = places.has_siblings();
    let (unit, program) = (places.below_root(&places.unit()), places.below_root(places.program()));
    file::remove(&places.below_root(&places.wanted()))?;
    file::remove(&unit)?;
    let mut lines = vec![("unit", format!("{} removed", unit.display()))];
    if has_siblings {
        lines.push(("program", format!("{} stays: another service runs it", program.display())));
    } else if file::remove(&program)? {
        lines.push(("program", format!("{} removed", program.display())));
    }
    if places.is_this_machine() {
        systemctl::run(&["daemon-reload"])?;
        // Forgets an earlier failure; that there was none is no failure.
        let _ = systemctl::run(&["reset-failed", &places.unit_name()]);
    }
    Ok(lines)
}

/// Refuses to purge what is no state directory, or what nobody confirmed.
fn check_purge(state: &Path, has_state: bool, is_confirmed: bool) -> Result<(), ServiceError> {
    if !has_state {
        return if state.exists() { Err(ServiceError::NotAState(state.to_owned())) } else { Ok(()) };
    }
    if is_confirmed {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(ServiceError::Unconfirmed(state.to_owned()));
    }
    eprint!(
        "`{}` is removed for good: this machine's keys, its history, and results that were not returned yet.\n\
         Go on? Type `yes`: ",
        state.display()
    );
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" { Ok(()) } else { Err(ServiceError::Declined) }
}

/// Removes the files of a state directory, the directory where nothing else is in it, and the file of variables where
/// no other service reads it.
fn purge(places: &Places, state: &Path, has_state: bool) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut lines = Vec::new();
    if has_state {
        lines.push(("state", purge_state(state)?));
    } else {
        lines.push(("state", format!("there is none in {}", state.display())));
    }
    let environment = places.below_root(places.environment());
    if !places.has_siblings() && file::remove(&environment)? {
        lines.push(("environment", format!("{} removed", environment.display())));
        // Only where nothing else is in it.
        let _ = fs::remove_dir(environment.parent().unwrap_or(&environment));
    }
    Ok(lines)
}

fn purge_state(state: &Path) -> anyhow::Result<String> {
    // Until the last file is gone no runtime can take the directory up.
    let lock = match DirectoryLock::acquire(state) {
        Err(LockError::Held(path)) => return Err(ServiceError::InUse(path).into()),
        other => other?,
    };
    for name in STATE_FILES {
        file::remove(&state.join(name))?;
    }
    drop(lock);
    let left: Vec<PathBuf> = fs::read_dir(state)
        .with_context(|| format!("failed to look into `{}`", state.display()))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    if !left.is_empty() {
        return Ok(format!("removed; {} stays, for other files are in it", state.display()));
    }
    fs::remove_dir(state).with_context(|| format!("failed to remove `{}`", state.display()))?;
    Ok(format!("{} removed", state.display()))
}
