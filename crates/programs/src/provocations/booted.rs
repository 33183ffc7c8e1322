//! What keeps a runtime from becoming a service of a machine that systemd runs.
//!
//! The machine is this one in a mount namespace of its own: systemd seems to run it, and everything that an
//! installation writes is on a disk that is gone with the command.

use std::process::Command;

use anyhow::ensure;

use super::book::{Book, Contents, program, text};
use super::front;
use crate::harness::{World, binary};

pub(super) const CODES: &[&str] = &["not_root", "program_not_executable", "systemd_failed"];

/// Disks of its own where an installation writes; `$1` are options for the one of programs.
const PREPARE: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && \
    mount -t tmpfs tmpfs /etc/systemd/system && mount -t tmpfs -o \"$1\" tmpfs /usr/local/bin";

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let has_systemctl = Command::new("systemctl").arg("--version").output().is_ok();
    if !front::may_mount() || !has_systemctl {
        return front::not_here(book, CODES);
    }
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    let runtime = text(&binary("tidegate-runtime")?);
    let state = text(&machine.state);
    let before = Contents::of(&machine.state)?;
    let install = |options: &str, start: &str| {
        let script = format!("{{ {PREPARE}; }} >&2 || exit 99; shift; {start} \"$@\"");
        let mut command = program(std::path::Path::new("unshare"));
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", options]);
        command.args([&runtime, "install", "--state", &state]);
        command
    };
    // Another user may not look into the folder that the program lies in.
    let as_nobody = "cp \"$1\" /run/program && shift && set -- /run/program \"$@\" && \
                     exec setpriv --reuid=65534 --regid=65534 --clear-groups --";
    let mut stranger = install("mode=755", as_nobody);
    book.command("not_root", "somebody who is not root", &mut stranger, 4, &["only root", "`sudo`"])?;
    let then_list = "\"$@\"; code=$?; ls /usr/local/bin /etc/systemd/system >&2; exit $code; :";
    let mut noexec = install("mode=755,noexec", then_list);
    let parts = ["/usr/local/bin", "noexec", "nothing was replaced"];
    book.command("program_not_executable", "programs on a disk that is noexec", &mut noexec, 4, &parts)?;
    let left = String::from_utf8_lossy(&noexec.output()?.stderr).into_owned();
    ensure!(!left.contains("tidegate-runtime.service"), "nothing is left half-written: {left}");
    let mut refusing = install("mode=755", "exec");
    let parts = ["systemctl daemon-reload", "repeating is safe"];
    book.command("systemd_failed", "a systemd that does not answer", &mut refusing, 4, &parts)?;
    before.still_in(&machine.state)?;
    machine.start()?;
    machine.says(" running ", 20)
}
