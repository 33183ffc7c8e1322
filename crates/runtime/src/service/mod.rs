//! The runtime as a systemd service: put there, taken away, and taken away by itself when it is retired.
//!
//! The service runs as root, since steps diagnose and mend the whole machine; `unit.service` says what that means for
//! each kind of hardening. With `--user` it runs as a user, and sees and does only what that user may.

mod environment;
mod file;
mod install;
mod notify;
mod places;
mod systemctl;
mod uninstall;
mod unit;
mod user;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_core::obstacle::Obstacle;

use crate::state_directory;

pub(crate) use environment::{PROXY_VARIABLES, variables};
pub(crate) use install::install;
pub(crate) use notify::ready;
pub(crate) use uninstall::{remove_retired, uninstall};

/// Makes the runtime a service that starts with the machine. Repeating it upgrades in place.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallArguments {
    /// The enrolled state directory
    #[arg(long, default_value = state_directory::DEFAULT)]
    state: PathBuf,
    /// Leaves it to you, or to the next start of the machine, to start it
    #[arg(long)]
    no_start: bool,
    /// What the service is called; another name for each state directory
    #[arg(long, value_name = "NAME", default_value = "tidegate-runtime")]
    unit_name: String,
    /// Runs the service as this user: steps then see and do only what that user may, and `doctor` says what does not
    /// work [default: root, or the user of the service that is there]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Installs into an image mounted there, without asking its systemd
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
}

/// Takes away what `install` put there. The state directory stays, unless it is asked for too.
#[derive(Clone, Debug, Args)]
pub(crate) struct UninstallArguments {
    /// Removes this machine's keys, its history and results that were not returned yet, for good
    #[arg(long)]
    purge_state: bool,
    /// Removes them without asking; needed where nobody can be asked
    #[arg(long, short = 'y')]
    yes: bool,
    /// The state directory, where no installed service names it
    #[arg(long, default_value = state_directory::DEFAULT)]
    state: PathBuf,
    /// What the service is called
    #[arg(long, value_name = "NAME", default_value = "tidegate-runtime")]
    unit_name: String,
    /// Uninstalls from an image mounted there
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
}

/// Why a service is not installed or uninstalled. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// Units and programs are root's.
    #[error("this changes the machine's services, which only root may do")]
    NotRoot,
    /// There is nothing to install into.
    #[error("systemd does not run this machine")]
    NoSystemd,
    /// The name cannot be a unit's.
    #[error("`{0}` cannot be a service's name")]
    Name(String),
    /// A path that a unit cannot name.
    #[error("`{0}` cannot be named in a unit")]
    Path(PathBuf),
    /// Nobody of that name.
    #[error("there is no user `{0}`")]
    User(String),
    /// A user that cannot come to the state directory.
    #[error("the user `{user}` may not enter `{folder}`, which the state directory lies in")]
    UserOutside {
        /// The user.
        user: String,
        /// The folder that keeps it out.
        folder: PathBuf,
    },
    /// Somebody else's unit has the name.
    #[error("`{0}` is a unit that this program did not write, and is left alone")]
    Foreign(PathBuf),
    /// A unit that may not be read.
    #[error("failed to read `{file}`")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The file system's reason.
        source: io::Error,
    },
    /// A service without an enrolment would do nothing.
    #[error("the state directory `{0}` is not enrolled")]
    NotEnrolled(PathBuf),
    /// A retired machine takes no work.
    #[error("the machine in `{0}` was retired, and takes no work any more")]
    Retired(PathBuf),
    /// Two runtimes on one state directory: the second would never start.
    #[error("another runtime works on `{0}`, started by hand or as another service")]
    InUse(PathBuf),
    /// A purge that nobody confirmed.
    #[error(
        "`{0}` would be removed for good, with results that were not returned yet, and nobody here can be asked"
    )]
    Unconfirmed(PathBuf),
    /// A purge that somebody declined.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// A folder that is no state directory.
    #[error("`{0}` is not a state directory (it has no `state.db`), and is left alone")]
    NotAState(PathBuf),
}

impl ServiceError {
    /// What it is, by its stable code.
    pub(crate) fn obstacle(&self) -> Obstacle {
        match self {
            Self::NotRoot => Obstacle::NotRoot,
            Self::NoSystemd => Obstacle::NoSystemd,
            Self::Name(_) => Obstacle::InvalidServiceName,
            Self::Path(_) => Obstacle::InvalidServicePath,
            Self::User(_) | Self::UserOutside { .. } => Obstacle::InvalidServiceUser,
            Self::Foreign(_) => Obstacle::ForeignUnit,
            Self::Unreadable { .. } => Obstacle::FileUnreadable,
            Self::NotEnrolled(_) => Obstacle::NotEnrolled,
            Self::Retired(_) => Obstacle::Retired,
            Self::InUse(_) => Obstacle::StateDirectoryInUse,
            Self::Unconfirmed(_) | Self::Declined => Obstacle::NotConfirmed,
            Self::NotAState(_) => Obstacle::NotAStateDirectory,
        }
    }

    /// What to do next.
    pub(crate) fn next(&self) -> &'static str {
        match self {
            Self::NotRoot => "run it again with `sudo`; nothing was changed",
            Self::NoSystemd => {
                "let the machine's own service manager start `tidegate-runtime run`, or pass --root for the image of a \
                 machine that systemd will run; nothing was changed"
            }
            Self::Name(_) => "use letters, digits, `-`, `_` and `.`, 100 at most",
            Self::Path(_) => "give an absolute path in UTF-8 without control characters",
            Self::User(_) => {
                "name one that is there, or make it: `useradd --system --shell /usr/sbin/nologin tidegate`; nothing was \
                 changed"
            }
            Self::UserOutside { .. } => {
                "let that user through (`chmod o+x` on the folder), or enrol with a --state that it can reach, such as \
                 below /var/lib; nothing was changed"
            }
            Self::Foreign(_) => "choose another --unit-name; nothing was changed",
            Self::Unreadable { .. } => "look at its owner and mode; nothing was changed",
            Self::NotEnrolled(_) => {
                "run `tidegate-runtime enrol --server … --code …` with the same --state first; nothing was changed"
            }
            Self::Retired(_) => "enrol it anew with another --state, then install that; nothing was changed",
            Self::InUse(_) => "stop it, then repeat; nothing was changed",
            Self::Unconfirmed(_) | Self::Declined => {
                "repeat with --yes if that is meant; nothing was changed"
            }
            Self::NotAState(_) => "name the state directory with --state; nothing was changed",
        }
    }

    /// Whether the command line is at fault, and not the machine.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Name(_) | Self::Path(_) | Self::User(_) | Self::Unconfirmed(_) | Self::Declined => true,
            Self::NotRoot
            | Self::NoSystemd
            | Self::UserOutside { .. }
            | Self::Foreign(_)
            | Self::Unreadable { .. }
            | Self::NotEnrolled(_)
            | Self::Retired(_)
            | Self::InUse(_)
            | Self::NotAState(_) => false,
        }
    }
}

/// Refuses where services cannot be changed. An image needs no systemd that runs, and its owner need not be root.
fn check_machine(places: &places::Places) -> Result<(), ServiceError> {
    if !places.is_this_machine() {
        return Ok(());
    }
    if !systemctl::is_booted() {
        return Err(ServiceError::NoSystemd);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(ServiceError::NotRoot);
    }
    Ok(())
}

/// Refuses a path that cannot stand in a unit.
fn check_path(path: &Path) -> Result<(), ServiceError> {
    let is_fit = |text: &str| !text.chars().any(char::is_control);
    if path.is_absolute() && path.to_str().is_some_and(is_fit) {
        Ok(())
    } else {
        Err(ServiceError::Path(path.to_owned()))
    }
}

/// Lines of a report: what, and how it stands.
fn report(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(what, how)| format!("  {what:<14} {how}\n")).collect()
}
