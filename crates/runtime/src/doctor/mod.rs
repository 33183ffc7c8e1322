//! `doctor`: why this machine does no work, found by trying each thing it needs, with what to do about it.
//!
//! It looks and changes nothing, so it may run beside the runtime. One thing that is broken is named once: what
//! builds on it is `not checked`, not broken as well.

mod check;
mod conversation;
mod disk;
mod environment;
mod machine;
mod path;
mod report;
mod state;
mod user;

use std::path::PathBuf;

use clap::Args;

use crate::clock;
use crate::state_directory;
use check::{Check, Finding, Subject};
use report::Report;
use state::Found;

/// Finds out what keeps this machine from its work, and says what to do about it.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Where the state is kept
    #[arg(long, default_value = state_directory::DEFAULT)]
    state: PathBuf,
    /// Tries this address in the place of the one enrolled with, such as https://tidegate.example
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A private CA to verify the control plane's TLS with, PEM [default: the one enrolled with]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Checks everything in order and prints it; true when nothing is broken.
///
/// # Errors
///
/// When the arguments name no address or file that can be read. What is broken is no error: it is the answer.
pub(crate) async fn doctor(arguments: &DoctorArguments) -> anyhow::Result<bool> {
    environment::take_over(arguments.json)?;
    let place = std::path::absolute(&arguments.state)?;
    let mut report = Report::begin(arguments.json, clock::wall());
    // The state is read first, since it says where the control plane is; what there is to say of it comes last.
    let local = machine::look(&place, report.on_disk_failure());
    let target =
        path::Target::of(arguments.server.as_deref(), arguments.ca.as_deref(), local.found.as_ref())?;
    report.about(local.found.as_ref().and_then(Found::endpoint), target.as_ref().map(path::Target::address));

    let mut standing = None;
    match &target {
        Some(target) => {
            let walk = path::walk(target, local.found.as_ref(), &mut |check| report.tell(check)).await;
            standing = walk.standing;
        }
        None => {
            for subject in Subject::OF_THE_PATH {
                let because = "no address is known (--server gives one)".to_owned();
                report.tell(Check { subject, finding: Finding::NotChecked(because) });
            }
        }
    }
    report.tell(local.permissions);
    report.tell(local.storage);
    report.tell(machine::enrolment(&place, local.found.as_ref(), local.is_there, standing));
    Ok(report.end())
}
