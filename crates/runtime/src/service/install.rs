//! `install`: the program to its place, the unit beside the others, started.
//!
//! Everything is checked before anything is written, and each file is replaced at once: a repeat, and one after a
//! power cut, is an upgrade in place.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::{DirectoryLock, LockError};

use super::file::{self, NewFile};
use super::places::Places;
use super::unit::{Unit, user_of};
use super::user::{self, User};
use super::{InstallArguments, ServiceError, check_machine, check_path, environment, report, systemctl};
use crate::status;

/// This very program, also when its file was replaced or removed meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Installs or upgrades the service, and answers what was done, for people.
///
/// # Errors
///
/// [`ServiceError`] where nothing was changed; otherwise what could not be written, or why it did not start.
pub(crate) fn install(arguments: &InstallArguments) -> anyhow::Result<String> {
    let places = Places::new(&arguments.root, &arguments.unit_name)?;
    check_path(&arguments.state)?;
    check_machine(&places)?;
    places.check_name_is_free()?;
    let machine = check_state(&places, &arguments.state)?;
    let user = check_user(&places, arguments)?;

    let carried = environment::carry(&places, |name| std::env::var(name).ok())?;
    let is_new_program = put_program(&places)?;
    let is_new_owner = give_state(&places, &arguments.state, &user)?;
    let is_new_unit = put_unit(&places, &arguments.state, &user)?;
    let started = start(&places, arguments.no_start, is_new_program || is_new_unit)?;

    let replaced = |place: &Path, is_new: bool| {
        format!("{} ({})", places.below_root(place).display(), if is_new { "written" } else { "unchanged" })
    };
    let lines = [
        ("machine", machine),
        ("state", arguments.state.display().to_string()),
        ("user", user_words(&user, is_new_owner)),
        ("program", replaced(places.program(), is_new_program)),
        ("unit", replaced(&places.unit(), is_new_unit)),
        ("environment", carried.text(&places.environment().display().to_string())),
        ("service", started),
    ];
    let next = if places.is_this_machine() {
        format!("What it says: journalctl -u {}", places.name())
    } else {
        "Enrol each machine made from the image after its first start: until then the service keeps trying."
            .to_owned()
    };
    let (version, unit) = (env!("CARGO_PKG_VERSION"), places.unit_name());
    Ok(format!("tidegate-runtime {version} is installed as {unit}\n{}{next}", report(&lines)))
}

/// Refuses a state directory that a service could not work with; answers whose it is.
fn check_state(places: &Places, state: &Path) -> anyhow::Result<String> {
    let inside = places.below_root(state);
    let has_state = inside.join("state.db").exists();
    if !places.is_this_machine() {
        return Ok(if has_state {
            "WARNING: the image holds an enrolled state; machines made from it would be copies of one another"
                .into()
        } else {
            "not enrolled yet".into()
        });
    }
    if !has_state {
        return Err(ServiceError::NotEnrolled(inside).into());
    }
    let found = status::read(&inside)?;
    let (Some(endpoint), Some(standing)) = (found.endpoint_id, &found.status) else {
        return Err(ServiceError::NotEnrolled(inside).into());
    };
    if standing.is_retired {
        return Err(ServiceError::Retired(inside).into());
    }
    if !systemctl::is_active(&places.unit_name()) {
        match DirectoryLock::acquire(&inside) {
            Err(LockError::Held(_)) => return Err(ServiceError::InUse(inside).into()),
            other => drop(other?),
        }
    }
    Ok(format!("{endpoint} at {}", found.server.unwrap_or_default()))
}

/// Whom the service is to run as: who is asked for, else who the unit that is there names. A repeat that upgrades must
/// not give the service root's rights back.
fn check_user(places: &Places, arguments: &InstallArguments) -> anyhow::Result<User> {
    let present = places.unit_text()?.as_deref().and_then(user_of);
    let name = arguments.user.clone().or(present).unwrap_or_else(|| user::ROOT.to_owned());
    let user = User::find(places, &name)?;
    // In an image it is not known which folders there will be.
    if places.is_this_machine() {
        user.check_reaches(&arguments.state)?;
    }
    Ok(user)
}

/// Makes the state directory the user's; true when it belonged to another user. An image may have none yet.
fn give_state(places: &Places, state: &Path, user: &User) -> anyhow::Result<bool> {
    let inside = places.below_root(state);
    let is_wanted = places.is_this_machine() || !user.is_root();
    if is_wanted && inside.is_dir() { user.take_over(&inside) } else { Ok(false) }
}

fn user_words(user: &User, is_new_owner: bool) -> String {
    let owner = if is_new_owner { "; the state directory was made its own" } else { "" };
    if user.is_root() {
        return format!("root{owner}");
    }
    format!("{}{owner}; `tidegate-runtime doctor` says what then does not work", user.name)
}

/// Copies this program to its place; false when it is there already, byte for byte.
fn put_program(places: &Places) -> anyhow::Result<bool> {
    let target = places.below_root(places.program());
    if file::is_same(Path::new(OWN_PROGRAM), &target) {
        return Ok(false);
    }
    let mut own = File::open(OWN_PROGRAM).context("failed to read this program's own file")?;
    let copy = NewFile::write(&target, 0o755, &mut own)?;
    // In an image it may be another processor's.
    if places.is_this_machine() {
        check_runs(copy.path())?;
    }
    copy.put_in_place()?;
    Ok(true)
}

/// Finds out before the old program is replaced that the new one can be executed where it lies.
fn check_runs(program: &Path) -> anyhow::Result<()> {
    let status = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| {
            let folder = program.parent().unwrap_or(program);
            not_executable(format!("failed to execute the copy in `{}`", folder.display()))
        })?;
    if !status.success() {
        bail!(not_executable(format!("the copy of this program ended with {status}")));
    }
    Ok(())
}

fn not_executable(what: String) -> Obstructed {
    let next =
        "see whether that folder is mounted noexec (`findmnt --target /usr/local/bin`); nothing was replaced";
    Obstructed::new(Obstacle::ProgramNotExecutable, what, next)
}

/// Writes the unit; false when it is there already, letter for letter.
fn put_unit(places: &Places, state: &Path, user: &User) -> anyhow::Result<bool> {
    let text = Unit {
        name: places.name(),
        program: places.program(),
        state,
        environment: places.environment(),
        systemd: if places.is_this_machine() { systemctl::version() } else { None },
        user: Some(user.name.as_str()).filter(|_| !user.is_root()),
    }
    .text();
    if places.unit_text()?.is_some_and(|present| present == text) {
        return Ok(false);
    }
    NewFile::write(&places.below_root(&places.unit()), 0o644, &mut text.as_bytes())?.put_in_place()?;
    Ok(true)
}

/// Makes the service start with the machine, and now; answers how it stands.
fn start(places: &Places, no_start: bool, has_changed: bool) -> anyhow::Result<String> {
    if !places.is_this_machine() {
        link(places)?;
        return Ok("starts with the machine".into());
    }
    let unit = places.unit_name();
    systemctl::run(&["daemon-reload"])?;
    systemctl::run(&["enable", "--quiet", &unit])?;
    let was_active = systemctl::is_active(&unit);
    let verb = match (no_start, was_active, has_changed) {
        (true, true, true) => return Ok("running as before; the new one from its next start on".into()),
        (_, true, false) => return Ok("running as before, and starts with the machine".into()),
        (true, _, _) => {
            return Ok(format!("starts with the machine; now: systemctl start {}", places.name()));
        }
        (false, true, true) => "restart",
        (false, false, _) => "start",
    };
    systemctl::run(&[verb, &unit]).with_context(|| {
        let said = systemctl::last_words(&unit);
        let what = format!("the service is installed and does not start. It said:\n{said}\n");
        let next = format!("mend what it says; it goes on trying by itself:\nsystemctl status {unit}");
        Obstructed::new(Obstacle::SystemdFailed, what, next)
    })?;
    let how = if was_active { "restarted with the new version" } else { "running" };
    Ok(format!("{how}, and starts with the machine"))
}

/// What `systemctl enable` does, for a machine that does not run.
fn link(places: &Places) -> anyhow::Result<()> {
    let link = places.below_root(&places.wanted());
    let failed = || format!("failed to make the link `{}`", link.display());
    std::fs::create_dir_all(link.parent().unwrap_or(&link)).with_context(failed)?;
    file::remove(&link)?;
    std::os::unix::fs::symlink(places.unit(), &link).with_context(failed)
}
