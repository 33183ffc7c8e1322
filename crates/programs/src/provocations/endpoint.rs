//! What keeps a runtime from its state directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::book::{Book, Contents, program, text};
use super::enrolment::enrol;
use super::front;
use crate::harness::{Machine, World, binary};

pub(super) const CODES: &[&str] = &[
    "state_directory_in_use",
    "state_directory_newer",
    "state_directory_damaged",
    "state_directory_not_writable",
    "volatile_state",
    "not_enrolled",
    "disk_full",
];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    let runtime = binary("tidegate-runtime")?;
    let folder = world.directory.path().to_owned();
    let copy = |name: &str| copy_of(&machine.state, &folder.join(name));
    let (newer, damaged, read_only) = (copy("newer")?, copy("damaged")?, copy("read-only")?);
    let full = copy("full")?;
    let run = |verb: &str, state: &Path| {
        let mut command = program(&runtime);
        command.args([verb, "--state"]).arg(state);
        command
    };

    let database = rusqlite::Connection::open(newer.join("state.db"))?;
    ensure!(database.execute("UPDATE schema_version SET version = 99", [])? == 1, "the state has a version");
    drop(database);
    let before = Contents::of(&newer)?;
    let parts = [text(&newer), "version 99".into(), "install that version".into()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let how = "a newer program's state";
    book.command("state_directory_newer", how, &mut run("run", &newer), 1, &parts)?;
    book.command(
        "state_directory_newer",
        "the same, when asked how it stands",
        &mut run("status", &newer),
        1,
        &parts,
    )?;
    before.still_in(&newer)?;

    fs::write(damaged.join("state.db"), vec![0x5a; 64 << 10])?;
    let before = Contents::of(&damaged)?;
    let parts = [text(&damaged), "not a database".into(), "keep a copy".into()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    book.command("state_directory_damaged", "a state that is damaged", &mut run("run", &damaged), 1, &parts)?;
    before.still_in(&damaged)?;

    let missing = folder.join("missing");
    for verb in ["run", "status"] {
        let how = "a machine that never enrolled";
        let parts = [text(&missing), "tidegate-runtime enrol --server".into()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        book.command("not_enrolled", how, &mut run(verb, &missing), 1, &parts)?;
        ensure!(!missing.exists(), "{how}: nothing is made");
    }
    not_writable(book, &world, &read_only, &run("run", &read_only))?;
    disks(book, &world, &full, &run("status", &full))?;
    in_use(book, &mut machine, &run)
}

/// The first goes on as if nothing had been.
fn in_use(
    book: &mut Book,
    machine: &mut Machine,
    run: &dyn Fn(&str, &Path) -> Command,
) -> anyhow::Result<()> {
    machine.start()?;
    machine.says(" running ", 20)?;
    let parts = [text(&machine.state), "another tidegate-runtime".into(), "fuser".into()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let how = "a second runtime on one state directory";
    let mut second = run("run", &machine.state);
    book.command("state_directory_in_use", how, &mut second, 1, &parts)?;
    ensure!(machine.is_running()?, "the first goes on");
    ensure!(machine.said()?.matches(" running ").count() == 1, "one runs, and it was not disturbed");
    Ok(())
}

fn not_writable(book: &mut Book, world: &World, state: &Path, run: &Command) -> anyhow::Result<()> {
    let file = world.directory.path().join("a-file");
    fs::write(&file, "mine")?;
    let code = world.code()?;
    let mut astray = enrol(&file, &world.plane.url(), &code)?;
    let how = "a file in the place of the state directory";
    book.command("state_directory_not_writable", how, &mut astray, 1, &[&text(&file), "ls -ld"])?;
    ensure!(fs::read_to_string(&file)? == "mine", "the file is as it was");
    if let Some(read_only) = front::on_read_only_disk() {
        let before = Contents::of(state)?;
        let how = "a state directory on a disk that is read-only";
        let mut run = read_only(state, run);
        book.command("state_directory_not_writable", how, &mut run, 1, &[&text(state), "findmnt"])?;
        before.still_in(state)?;
    }
    Ok(())
}

fn disks(book: &mut Book, world: &World, state: &Path, status: &Command) -> anyhow::Result<()> {
    let (Some(full), Some(forgetful)) = (front::on_full_disk(), front::on_forgetful_disk()) else {
        return front::not_here(book, &["disk_full", "volatile_state"]);
    };
    let how = "a state directory on a disk that is full";
    book.command("disk_full", how, &mut full(state, status), 1, &[&text(state), "free some room"])?;
    let (place, code) = (world.directory.path().join("forgetful"), world.code()?);
    fs::create_dir(&place)?;
    let mut command = program(&binary("tidegate-runtime")?);
    command.args(["enrol", "--server", &world.plane.url(), "--code", &code, "--state"]).arg(&place);
    let how = "a state directory on a RAM disk";
    let mut enrol = forgetful(&place, &command);
    book.command("volatile_state", how, &mut enrol, 4, &["tmpfs", &text(&place), "--allow-volatile-state"])?;
    ensure!(
        world.api.get("/api/v1/enrolment-codes")?.to_string().contains("\"uses_left\":1"),
        "nothing was sent"
    );
    Ok(())
}

fn copy_of(state: &Path, copy: &Path) -> anyhow::Result<PathBuf> {
    let copied = Command::new("cp").arg("-a").arg(state).arg(copy).status()?;
    ensure!(copied.success(), "`{}` cannot be copied", state.display());
    Ok(copy.to_owned())
}
