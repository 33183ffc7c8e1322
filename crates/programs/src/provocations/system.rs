//! What lies beneath a program fails it: the kernel, the limits of a process, storage.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::book::{Book, Contents, program, text};
use super::front;
use crate::harness::{Machine, World, binary, sequence_of, wait_for};

pub(super) const CODES: &[&str] = &["internal", "system_failed", "processes_survive"];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    no_descriptors(book, &mut world)?;
    survivors(book, &mut world)?;
    damaged_tables(book, &world)
}

/// So few files may be open that the program's libraries load and nothing else.
fn no_descriptors(book: &mut Book, world: &mut World) -> anyhow::Result<()> {
    let machine = world.machine()?;
    let before = Contents::of(&machine.state)?;
    let limited = |program_path: PathBuf| {
        let mut command = program(&PathBuf::from("prlimit"));
        command.arg("--nofile=4:4").arg(program_path);
        command
    };
    let parts = ["Too many open files", "ulimit -a"];
    let mut desk = limited(binary("tidegate")?);
    desk.args(["clients", "--url", &world.plane.url()]).env("TIDEGATE_TOKEN", &world.plane.token);
    book.command("system_failed", "a desk where no file can be opened", &mut desk, 4, &parts)?;
    let mut runtime = limited(binary("tidegate-runtime")?);
    runtime.args(["run", "--state", &text(&machine.state)]);
    book.command("system_failed", "a machine where no file can be opened", &mut runtime, 1, &parts)?;
    before.still_in(&machine.state)
}

/// A step's process became another user's, and the program has no right to end it: no signal reaches it, as with
/// one that hangs in the kernel.
fn survivors(book: &mut Book, world: &mut World) -> anyhow::Result<()> {
    if !front::may_mount() {
        return front::not_here(book, &["processes_survive"]);
    }
    let mut machine = world.machine()?;
    // Control groups end what no signal reaches, so they are out of sight.
    let confined = "mount -t tmpfs tmpfs /sys/fs/cgroup && exec setpriv --bounding-set=-kill -- \"$@\"";
    machine.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", confined, "sh"]
        .map(str::to_owned)
        .to_vec();
    machine.start()?;
    let pid_file = world.directory.path().join("pid");
    let command = format!("echo $$ >{}; exec setpriv --reuid=65534 -- sleep 3600", pid_file.display());
    let sequence =
        world.queue(&machine, &sequence_of("becomes another user's", &[command, "true".into()]))?;
    let mut stuck = None;
    wait_for("the step to become another user's", 30, || {
        stuck = std::fs::read_to_string(&pid_file).ok().and_then(|pid| pid.trim().parse::<u32>().ok());
        Ok(stuck.is_some_and(|pid| name_of(pid).is_some_and(|name| name == "sleep")))
    })?;
    let stuck = Stuck(stuck.context("the step tells its process")?);
    machine.kill()?;
    let how = "a step's process that nothing ends";
    let said = refuses_to_start(&mut machine)?;
    ensure!(said.contains("(processes_survive)"), "{how}: {said}");
    ensure!(said.split("\n  next: ").nth(1).is_some_and(|next| next.len() > 10), "{how}: {said}");
    let parts = ["cannot be ended", "nothing is started beside them", "ps axo", "restart the machine"];
    book.said("processes_survive", how, said, &parts)?;

    drop(stuck);
    machine.start()?;
    let ended = world.ended(&sequence, 30)?;
    let states = [&ended["steps"][0]["state"], &ended["steps"][1]["state"]];
    ensure!(states == ["interrupted", "succeeded"], "once they are gone the rest runs: {ended:#}");
    ensure!(
        ended["steps"][0]["attempts"].as_array().is_some_and(|all| all.len() == 1),
        "what was cut off ran once"
    );
    Ok(())
}

/// Starts the machine's program and answers what it says when it has ended by itself.
fn refuses_to_start(machine: &mut Machine) -> anyhow::Result<String> {
    let before = machine.said()?.len();
    machine.start()?;
    wait_for("the program to give up", 40, || Ok(!machine.is_running()?))?;
    Ok(machine.said()?.split_off(before).trim_end().to_owned())
}

/// A process that only this test can end.
struct Stuck(u32);

impl Drop for Stuck {
    fn drop(&mut self) {
        if name_of(self.0).is_some_and(|name| name == "sleep") {
            let _ = Command::new("kill").args(["-9", &self.0.to_string()]).status();
        }
    }
}

fn name_of(pid: u32) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// Somebody opened the database with another program while it was served, and took a table away.
fn damaged_tables(book: &mut Book, world: &World) -> anyhow::Result<()> {
    let database = rusqlite::Connection::open(world.plane.data.join("tidegate.db"))?;
    database.execute_batch("ALTER TABLE client RENAME TO client_kept")?;
    let how = "a control plane whose storage was changed under it";
    let asker = front::Asker::new(world.plane.port(), &world.plane.token)?;
    let answer = asker.json("GET", "/api/v1/clients", b"")?;
    ensure!(answer.status == 500, "{how}: {} {}", answer.status, answer.body);
    ensure!(
        !answer.body.to_string().contains("client_kept"),
        "storage's words stay in the log: {}",
        answer.body
    );
    book.problem("internal", how, 500, &answer.body, &["failed here", "the log has the details"])?;
    let mut desk = program(&binary("tidegate")?);
    desk.args(["clients", "--url", &world.plane.url()]).env("TIDEGATE_TOKEN", &world.plane.token);
    book.command("internal", "the same at a desk", &mut desk, 4, &["log has the details", "safe"])?;
    let instance =
        answer.body["instance"].as_str().and_then(|urn| urn.rsplit(':').next()).unwrap_or_default();
    let logged = world.plane.said()?;
    ensure!(
        !instance.is_empty() && logged.contains(instance),
        "the log names the request `{instance}`: {logged}"
    );
    database.execute_batch("ALTER TABLE client_kept RENAME TO client")?;
    let mended = asker.json("GET", "/api/v1/clients", b"")?;
    ensure!(mended.status == 200, "once it is mended it answers: {} {}", mended.status, mended.body);
    Ok(())
}
