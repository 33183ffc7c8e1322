//! What keeps a runtime from becoming a service, or from being removed.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use super::book::{Book, Contents, program, text};
use crate::harness::{World, binary};

pub(super) const CODES: &[&str] = &[
    "no_systemd",
    "invalid_service_name",
    "invalid_service_path",
    "invalid_service_user",
    "foreign_unit",
    "not_confirmed",
    "not_a_state_directory",
    "state_directory_in_use",
];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    let image = world.directory.path().join("image");
    fs::create_dir(&image)?;
    let root = text(&image);
    let runtime = binary("tidegate-runtime")?;
    let mut refused = |code, how, exit, words: &[&str], parts: &[&str]| {
        let before = Contents::of(&image)?;
        book.command(code, how, program(&runtime).args(words), exit, parts)?;
        before.still_in(&image)
    };
    let name = ["install", "--root", &root, "--unit-name", "a/b"];
    refused("invalid_service_name", "a name that leads elsewhere", 2, &name, &["`a/b`", "letters"])?;
    let relative = ["install", "--root", &root, "--state", "state"];
    refused("invalid_service_path", "a path that could be anywhere", 2, &relative, &["`state`", "absolute"])?;
    let nobody = ["install", "--root", &root, "--user", "nobody-here"];
    refused("invalid_service_user", "a user that is not there", 2, &nobody, &["`nobody-here`", "useradd"])?;
    if !Path::new("/run/systemd/system").exists() {
        refused("no_systemd", "a machine without systemd", 4, &["install"], &["systemd", "--root"])?;
    }
    let units = image.join("etc/systemd/system");
    fs::create_dir_all(&units)?;
    fs::write(units.join("ssh.service"), "[Unit]\nDescription=somebody else's\n")?;
    let foreign = ["install", "--root", &root, "--unit-name", "ssh"];
    refused(
        "foreign_unit",
        "the name of somebody else's service",
        4,
        &foreign,
        &["ssh.service", "--unit-name"],
    )?;

    // In an image the state lies below the root.
    let state = image.join("state");
    let copied = std::process::Command::new("cp").arg("-a").arg(&machine.state).arg(&state).status()?;
    ensure!(copied.success(), "the state is copied");
    let purge = ["uninstall", "--root", &root, "--state", "/state", "--purge-state"];
    refused("not_confirmed", "a purge, and nobody to ask", 2, &purge, &[&text(&state), "--yes"])?;
    let other = ["uninstall", "--root", &root, "--state", "/etc", "--purge-state", "--yes"];
    refused("not_a_state_directory", "a purge of another folder", 4, &other, &["/etc", "--state"])?;
    let _held = tidegate_sqlite::DirectoryLock::acquire(&state)?;
    let busy = ["uninstall", "--root", &root, "--state", "/state", "--purge-state", "--yes"];
    refused(
        "state_directory_in_use",
        "a purge under a runtime that works",
        4,
        &busy,
        &[&text(&state), "stop it"],
    )?;
    machine.start()?;
    machine.says(" running ", 20)
}
