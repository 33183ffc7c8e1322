//! What is broken on the machine itself: its state, its disk, its standing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use serde_json::json;

use super::super::{Clinic, closed_port};
use super::{Case, case};
use crate::harness::wait_for;

pub(super) fn states(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let server = clinic.world.plane.url();
    let missing = clinic.world.directory.path().join("missing");
    let begun = clinic.world.directory.path().join("begun");
    let refused = Command::new(&clinic.program)
        .args([
            "enrol",
            "--allow-volatile-state",
            "--server",
            &format!("http://127.0.0.1:{}", closed_port()?),
        ])
        .args(["--code", &clinic.world.code()?, "--state"])
        .arg(&begun)
        .output()?;
    ensure!(refused.status.code() == Some(3), "nobody listens there: {refused:?}");
    let newer = clinic.broken_copy()?;
    change(&newer, "UPDATE schema_version SET version = 99 WHERE name = 'runtime'")?;
    let damaged = clinic.broken_copy()?;
    fs::write(damaged.join("state.db"), vec![0x5a; 64 * 1024])?;
    let open = clinic.broken_copy()?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755))?;
    let of = |state: &Path| clinic.doctor_of(state, &["--server", &server]);
    Ok(vec![
        case(
            "no state directory",
            of(&missing),
            "enrolment",
            "there is no state in",
            "run `tidegate-runtime enrol",
        ),
        case(
            "an enrolment that never got an answer",
            of(&begun),
            "enrolment",
            "begun and never answered",
            "run `tidegate-runtime enrol",
        ),
        case(
            "a state that a newer program wrote",
            of(&newer),
            "storage",
            "has version 99",
            "a newer tidegate-runtime wrote it",
        ),
        case(
            "a state that is damaged",
            of(&damaged),
            "storage",
            "does not open",
            "keep a copy of the directory",
        ),
        case("a state directory that others may read", of(&open), "permissions", "has mode 755", "chmod 700"),
    ])
}

/// Disks that are full, read-only or forgetful, each in a mount namespace of its own that ends with the doctor.
pub(super) fn disks(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let mut unshare = vec!["--mount", "--propagation", "private"];
    let can = |options: &[&str]| {
        let tried =
            Command::new("unshare").args(options).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    if !can(&unshare) {
        unshare.extend(["--user", "--map-root-user"]);
        if !can(&unshare) {
            return Ok(Vec::new());
        }
    }
    let mut within = |prepare: &str| {
        let (copy, place) = (clinic.broken_copy()?, clinic.broken_copy()?);
        let script = format!(
            "set -e; copy=$1; place=$2; {prepare}; exec \"$3\" doctor --state \"$place\" --server \"$4\" $FORM"
        );
        let mut command = Command::new("unshare");
        command.args(&unshare).args(["sh", "-c", &script, "sh"]).arg(copy).arg(place);
        command.arg(&clinic.program).arg(clinic.world.plane.url());
        Ok::<_, anyhow::Error>(command)
    };
    let full = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$place\"; cp -a \"$copy/.\" \"$place\"; \
                dd if=/dev/zero of=\"$place/filler\" bs=4k 2>/dev/null || true";
    let read_only = "mount --bind \"$place\" \"$place\"; mount -o remount,bind,ro \"$place\"";
    let forgetful = "mount -t tmpfs -o size=64m,mode=700 tmpfs \"$place\"; cp -a \"$copy/.\" \"$place\"";
    Ok(vec![
        case("a disk that is full", within(full)?, "storage", "is full", "make room on its file system"),
        case(
            "a disk that is read-only",
            within(read_only)?,
            "storage",
            "read-only file system",
            "`mount -o remount,rw",
        ),
        case(
            "a state directory on a RAM disk",
            within(forgetful)?,
            "storage",
            "is on tmpfs, which may forget",
            "on a disk that no write filter covers",
        ),
    ])
}

pub(super) fn standings(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let revoked = clinic.world.machine()?;
    clinic.world.api.post(&format!("/api/v1/endpoints/{}/revoke", revoked.endpoint), &json!({}))?;
    let mut retired = clinic.world.machine()?;
    retired.start()?;
    clinic.world.api.post(&format!("/api/v1/endpoints/{}/retire", retired.endpoint), &json!({}))?;
    wait_for("the retired runtime to end", 60, || Ok(!retired.is_running()?))?;
    Ok(vec![
        case(
            "a machine whose enrolment was revoked",
            clinic.doctor_of(&revoked.state, &[]),
            "enrolment",
            "revoked this machine's enrolment",
            "enrol it with a fresh code",
        ),
        case(
            "a machine that was retired",
            clinic.doctor_of(&retired.state, &[]),
            "enrolment",
            "was retired",
            "another --state",
        ),
    ])
}

fn change(state: &Path, statement: &str) -> anyhow::Result<()> {
    let db = rusqlite::Connection::open(state.join("state.db"))?;
    ensure!(db.execute(statement, [])? == 1, "the state has that row");
    Ok(())
}
