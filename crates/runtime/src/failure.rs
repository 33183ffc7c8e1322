//! How the program ends when it could not do what it was asked: what happened, its stable code, what to do next.

use std::process::ExitCode;

use tidegate_core::error::Error;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::Unusable;

use crate::net::NetError;
use crate::service::ServiceError;
use crate::transport::{NOT_A_CONTROL_PLANE, TransportError, after_refusal};

/// What a person is told beside what happened.
struct Verdict {
    code: String,
    next: String,
    exit: u8,
}

/// Prints the error with its code and what to do next; answers how the program ends: 1 failed, 2 usage, 3 not
/// reachable, 4 refused.
pub(crate) fn print(error: &anyhow::Error) -> ExitCode {
    let Verdict { code, next, exit } = judge(error);
    let next = next.replace('\n', "\n        ");
    let what = chain(error);
    // A refusal's own words end with its code.
    let what = what.strip_suffix(&format!(" ({code})")).unwrap_or(&what);
    eprintln!("error: {what} ({code})\n  next: {next}");
    ExitCode::from(exit)
}

/// The error and its causes, each once: some repeat theirs.
fn chain(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn judge(error: &anyhow::Error) -> Verdict {
    let told = |obstacle: Obstacle, next: &str, exit| Verdict {
        code: obstacle.to_string(),
        next: next.to_owned(),
        exit,
    };
    if let Some(Obstructed { obstacle, next, .. }) = error.downcast_ref() {
        return told(*obstacle, next, exit_of(*obstacle));
    }
    if let Some(error) = error.downcast_ref::<ServiceError>() {
        return told(error.obstacle(), error.next(), if error.is_usage() { 2 } else { 4 });
    }
    if let Some(error) = error.downcast_ref::<NetError>() {
        return told(error.obstacle(), error.remedy(), 3);
    }
    match error.downcast_ref() {
        Some(TransportError::Unreachable(cause)) => told(cause.obstacle(), cause.remedy(), 3),
        Some(TransportError::Strange { .. }) => told(Obstacle::NotAControlPlane, NOT_A_CONTROL_PLANE, 4),
        Some(TransportError::TimeFirst) => told(Obstacle::ClockUnknown, "set this machine's clock", 4),
        Some(TransportError::Refused { code, .. }) => {
            let is_passing = matches!(code.as_str(), "rate_limited" | "unavailable");
            let next = after_refusal(code).to_owned();
            Verdict { code: code.clone(), next, exit: if is_passing { 3 } else { 4 } }
        }
        None => other(error),
    }
}

fn other(error: &anyhow::Error) -> Verdict {
    if Unusable::of(error.as_ref()) == Some(Unusable::Full) {
        let next = "free some room on the disk of the state directory, then repeat".to_owned();
        return Verdict { code: Obstacle::DiskFull.to_string(), next, exit: 1 };
    }
    let code = match error.downcast_ref() {
        Some(Error::Problem(problem)) => problem.code.as_str(),
        Some(Error::Sql(_)) | None => Obstacle::SystemFailed.as_str(),
    };
    let next =
        "see `dmesg`, `journalctl` and the limits of a process (`ulimit -a`), then repeat; if it stays, report it"
            .into();
    Verdict { code: code.to_owned(), next, exit: 1 }
}

/// The service is not started again after 4, so only what no repeat can mend ends with it.
fn exit_of(obstacle: Obstacle) -> u8 {
    match obstacle {
        Obstacle::InvalidUrl
        | Obstacle::UnreadableCode
        | Obstacle::FileUnreadable
        | Obstacle::HttpNotAllowed
        | Obstacle::InvalidPolicy => 2,
        Obstacle::WrongControlPlane
        | Obstacle::AlreadyEnrolled
        | Obstacle::VolatileState
        | Obstacle::Retired
        | Obstacle::ProgramNotExecutable
        | Obstacle::SystemdFailed => 4,
        _ => 1,
    }
}
