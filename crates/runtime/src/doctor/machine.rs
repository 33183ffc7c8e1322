//! What is checked on the machine itself: permissions, storage, enrolment.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tidegate_core::runtime::{Limits, Status};
use tidegate_sqlite::Fatal;

use super::check::{Check, Finding, Subject};
use super::disk;
use super::path::Standing;
use super::state::{Found, Unread};
use super::user;
use crate::executor::{Executor, ExecutorOptions};

/// Capabilities that steps use, with their numbers (capabilities(7)).
const CAPABILITIES: [(u32, &str); 4] =
    [(1, "CAP_DAC_OVERRIDE"), (5, "CAP_KILL"), (13, "CAP_NET_RAW"), (19, "CAP_SYS_PTRACE")];

/// What to do where no runtime works.
const START: &str =
    "start it: `systemctl start tidegate-runtime`, or `tidegate-runtime install`, or `tidegate-runtime run`";

/// What the machine itself says.
pub(super) struct Local {
    /// What the state says, where it can be read.
    pub(super) found: Option<Found>,
    /// Whether there is a state at all.
    pub(super) is_there: bool,
    pub(super) permissions: Check,
    pub(super) storage: Check,
}

/// Looks at the state directory in `place` and tries to write in it.
pub(super) fn look(place: &Path, on_disk_failure: Fatal) -> Local {
    let permissions = |finding: Finding| finding.of(Subject::Permissions);
    let storage = |finding: Finding| finding.of(Subject::Storage);
    let is_there = match fs::metadata(place.join("state.db")) {
        Ok(_) => true,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
        Err(error) => {
            let said = format!("{} cannot be looked into: {error}", place.display());
            return Local {
                found: None,
                is_there: true,
                permissions: permissions(Finding::broken(said, "run this as root, with `sudo`")),
                storage: storage(Finding::NotChecked("the state directory cannot be looked into".into())),
            };
        }
    };
    if !is_there {
        let nothing = format!("there is no state in {}", place.display());
        return Local {
            found: None,
            is_there,
            permissions: permissions(rights(None)),
            storage: storage(Finding::NotChecked(nothing)),
        };
    }
    let written = disk::try_writing(place);
    let trouble = disk::trouble(place, &written);
    let (found, unread) = match Found::read(place, on_disk_failure) {
        Ok(found) => (Some(found), None),
        Err(unread) => (None, Some(unread)),
    };
    // What cannot be written for want of room or of a writable disk says more than what cannot be read because of it.
    let finding = trouble.or(unread.map(unread_words)).or(found.as_ref().and_then(journal_full));
    let well = || {
        Finding::Well(format!("{} can be written, opens and lasts; {}", place.display(), disk::free(place)))
    };
    Local {
        permissions: permissions(directory_rights(place, &written).unwrap_or_else(|| rights(Some(place)))),
        storage: storage(finding.unwrap_or_else(well)),
        found,
        is_there,
    }
}

fn unread_words(unread: Unread) -> Finding {
    match unread {
        Unread::Newer { found, known } => Finding::broken(
            format!("the state has version {found}, and this program knows versions up to {known}"),
            "a newer tidegate-runtime wrote it: use that one. Nothing was changed",
        ),
        Unread::Damaged(problem) => Finding::broken(
            format!("the state does not open: {problem}"),
            "keep a copy of the directory for whoever supports you, check the disk (`dmesg`), then enrol this machine anew \
             with another --state",
        ),
    }
}

fn journal_full(found: &Found) -> Option<Finding> {
    let kept = found.status.as_ref()?.kept_bytes;
    let most = Limits::default().journal_bytes_max;
    (kept >= most).then(|| {
        Finding::broken(
            format!("the journal is full: {kept} of {most} bytes wait to be returned, and no step starts"),
            "it empties by itself as soon as there is a path to the control plane",
        )
    })
}

/// What speaks against the directory's owner and mode, if anything does.
fn directory_rights(place: &Path, written: &io::Result<()>) -> Option<Finding> {
    let facts = fs::metadata(place).ok()?;
    let own = rustix::process::geteuid();
    let shown = place.display();
    if !own.is_root() && facts.uid() != own.as_raw() {
        let said = format!("{shown} belongs to user {}, and this is user {}", facts.uid(), own.as_raw());
        return Some(Finding::broken(said, "run this as that user, or as root with `sudo`"));
    }
    if facts.mode() & 0o077 != 0 {
        let said = format!(
            "{shown} has mode {:03o}: others on this machine may get at its keys",
            facts.mode() & 0o777
        );
        return Some(Finding::broken(said, format!("chmod 700 {shown}")));
    }
    if matches!(written, Err(error) if error.kind() == ErrorKind::PermissionDenied) {
        let said = format!("nothing may be written in {shown}");
        return Some(Finding::broken(
            said,
            format!("see who may: `ls -ld {shown}`, and `lsattr -d {shown}`"),
        ));
    }
    None
}

/// What this program may do, as far as steps need it.
fn rights(place: Option<&Path>) -> Finding {
    let own = rustix::process::geteuid();
    // The runtime runs as whom its state belongs to, also where root asks.
    let owner =
        place.and_then(|place| fs::metadata(place).ok()).map(|facts| facts.uid()).filter(|uid| *uid != 0);
    if let Some(user) = owner.or((!own.is_root()).then_some(own.as_raw())) {
        return user::limits(user);
    }
    let missing = missing_capabilities();
    if !missing.is_empty() {
        return Finding::noted(
            format!("root, without {}: some checks and actions will fail", missing.join(", ")),
            "a container or a service manager took them away: give them back to the runtime",
        );
    }
    let directory = if place.is_some() { "; the state directory is its owner's alone" } else { "" };
    let groups = if has_control_groups() {
        "control groups can be made"
    } else {
        "no control group can be made from this shell (a service has its own)"
    };
    Finding::Well(format!("root with its capabilities{directory}; {groups}"))
}

fn missing_capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    // Where they cannot be read nothing is claimed.
    let Some(bits) = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else {
        return Vec::new();
    };
    CAPABILITIES.iter().filter(|(number, _)| bits & (1 << number) == 0).map(|(_, name)| *name).collect()
}

/// Tries it under a name of its own, so that groups of a runtime at work are left alone.
fn has_control_groups() -> bool {
    let options = ExecutorOptions {
        adopt_orphans: false,
        ..ExecutorOptions::new(&format!("doctor-{}", std::process::id()))
    };
    Executor::new(options).is_ok_and(|executor| executor.has_control_groups())
}

/// How this machine stands with its control plane: what the state says, and what the control plane said just now.
pub(super) fn enrolment(
    place: &Path,
    found: Option<&Found>,
    is_there: bool,
    standing: Option<Standing>,
) -> Check {
    let finding = match found {
        None if is_there => Finding::NotChecked("the state cannot be read".into()),
        None => not_enrolled(format!("there is no state in {}", place.display())),
        Some(Found { status: None, identity: None, .. }) => {
            not_enrolled("this machine never asked to enrol".into())
        }
        Some(Found { status: None, .. }) => not_enrolled("an enrolment was begun and never answered".into()),
        Some(Found { status: Some(status), is_running, .. }) => {
            enrolled(found, status, *is_running, standing)
        }
    };
    finding.of(Subject::Enrolment)
}

fn not_enrolled(said: String) -> Finding {
    let remedy = "run `tidegate-runtime enrol --server … --code …` with a code from `tidegate enrolment-codes create`; an \
                  enrolled state elsewhere is named with --state";
    Finding::broken(said, remedy)
}

fn enrolled(found: Option<&Found>, status: &Status, is_running: bool, standing: Option<Standing>) -> Finding {
    let endpoint = found.and_then(Found::endpoint).map(|endpoint| endpoint.to_string()).unwrap_or_default();
    if status.is_retired {
        return Finding::broken(
            "this machine was retired: it takes no work any more",
            "if it is needed again, enrol it with a fresh code and another --state; else `tidegate-runtime uninstall`",
        );
    }
    match standing {
        Some(Standing::Revoked) => Finding::broken(
            "the control plane revoked this machine's enrolment and hears nothing from it",
            "if that was not meant, enrol it with a fresh code and another --state",
        ),
        Some(Standing::Unknown) => Finding::broken(
            "the control plane does not know this machine: it was restored from before its enrolment, or the address is \
             another one's",
            "check the address; else leave the runtime running: it presents its certificate, and an owner confirms it",
        ),
        // Before the first answer nothing can be adopted, and nothing is wrong.
        Some(Standing::Admitted) | None if !status.is_adopted && status.acknowledged == 0 => Finding::noted(
            format!("{endpoint} is enrolled, and its runtime has not checked in yet"),
            if is_running { "it does so as soon as there is a path" } else { START },
        ),
        Some(Standing::Admitted) | None if !status.is_adopted => Finding::broken(
            format!(
                "{endpoint} is enrolled, and its history is not adopted: nothing runs until a person decides"
            ),
            format!(
                "`tidegate endpoints show {endpoint}` says why, `tidegate endpoints adopt {endpoint}` decides"
            ),
        ),
        Some(Standing::Admitted) | None if !is_running => Finding::noted(
            format!("{endpoint} is enrolled and adopted; no runtime works on it at this moment"),
            START,
        ),
        Some(Standing::Admitted) => {
            Finding::Well(format!("{endpoint} is enrolled and adopted; the runtime is running"))
        }
        None => Finding::Well(format!(
            "{endpoint} is enrolled and adopted as far as is known here; the runtime is running"
        )),
    }
}
