//! The ways: which check is asked for what, and why it must be refused.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::place::{DENIED_PATHS, Place};
use crate::harness::Machine;

/// One question to one check.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: String,
    pub(super) probe: &'static str,
    pub(super) with: Value,
    /// One of these stands in the refusal.
    pub(super) reasons: &'static [&'static str],
}

/// The state of a machine, and the data of a control plane.
const OWN: &[&str] = &["no policy can allow it"];
/// What enrolment can open.
const DENIED: &[&str] = &["--allow-denied"];
const EITHER: &[&str] = &["no policy can allow it", "--allow-denied"];
const COMPRESSED: &[&str] = &["is compressed"];

/// Whether this user may look into the first process, which a container can forbid to root too.
fn sees_first_process() -> bool {
    fs::metadata("/proc/1/root/").is_ok()
}

/// All of them.
pub(super) fn all(place: &Place, machine: &Machine, is_mounted: bool) -> anyhow::Result<Vec<Way>> {
    let mut ways = Vec::new();
    for path in state_paths(place, machine, is_mounted)? {
        push_all(&mut ways, &path, OWN);
    }
    for path in copies(place) {
        push_content(&mut ways, &path, EITHER);
    }
    for path in DENIED_PATHS {
        push_all(&mut ways, &place.at(path), DENIED);
    }
    for path in keys(place) {
        push_content(&mut ways, &path, EITHER);
    }
    // The head of this one is a log: its digest says nothing of the key behind it.
    push(&mut ways, "tail_file", json!({ "path": place.at("late.log"), "lines": 5 }), DENIED);
    for name in ["packed.xz", "packed.zip", "app.log.gz"] {
        push(&mut ways, "tail_file", json!({ "path": place.at(name) }), COMPRESSED);
    }
    for path in processes(machine, place, is_mounted)? {
        push_all(&mut ways, &path, DENIED);
    }
    for path in machine_files(place, is_mounted) {
        push_all(&mut ways, &path, DENIED);
    }
    oracles(&mut ways, place, machine);
    network(&mut ways, place, machine);
    Ok(ways)
}

fn push(ways: &mut Vec<Way>, probe: &'static str, with: Value, reasons: &'static [&'static str]) {
    ways.push(Way { name: with.to_string(), probe, with, reasons });
}

/// By content a file is denied to the checks that look at content.
fn push_content(ways: &mut Vec<Way>, path: &Path, reasons: &'static [&'static str]) {
    push(ways, "tail_file", json!({ "path": path, "lines": 1000 }), reasons);
    push(ways, "file_facts", json!({ "path": path }), reasons);
}

/// By path or identity it is denied to all.
fn push_all(ways: &mut Vec<Way>, path: &Path, reasons: &'static [&'static str]) {
    push_content(ways, path, reasons);
    push(ways, "disk_usage", json!({ "path": path }), reasons);
}

fn state_paths(place: &Place, machine: &Machine, is_mounted: bool) -> anyhow::Result<Vec<PathBuf>> {
    let state = &machine.state;
    let below = state.strip_prefix("/").unwrap_or(state).join("state.db");
    let data = place.at("linked-data");
    let mut paths: Vec<PathBuf> = ["", "state.db", "state.db-wal", "state.db-shm", "lock"]
        .iter()
        .map(|name| state.join(name))
        .collect();
    paths.extend(
        ["link", "link-of-link", "linked-folder/state.db-wal", "hard-link", "hard-lock"]
            .map(|name| place.at(name)),
    );
    paths.push(place.at("linked-root").join(&below));
    paths.push(place.at("../place/../").join(state.file_name().unwrap_or_default()).join("./state.db"));
    paths.extend([data.join("tidegate.db"), data.join("tidegate.db-wal"), data.join("lock")]);
    let process = PathBuf::from(format!("/proc/{}", machine.pid()?));
    let mut roots = vec![process.join("root"), "/proc/self/root".into(), "/proc/thread-self/root".into()];
    roots.extend(sees_first_process().then(|| PathBuf::from("/proc/1/root")));
    for root in roots {
        paths.push(root.join(&below));
    }
    paths.push(process.join("cwd").join(PathBuf::from("../".repeat(12)).join(&below)));
    // Whatever the program holds open of its state.
    for entry in fs::read_dir(process.join("fd"))?.flatten() {
        if fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(state)) {
            let number = entry.file_name();
            paths.push(entry.path());
            paths.push(Path::new("/proc/self/fd").join(&number));
            paths.push(Path::new("/dev/fd").join(&number));
        }
    }
    if is_mounted {
        paths.extend(
            ["mounted-state/state.db", "mounted-state", "mounted-state/state.db-wal", "mounted-file"]
                .map(|name| place.at(name)),
        );
    }
    Ok(paths)
}

fn copies(place: &Place) -> Vec<PathBuf> {
    [
        "state-copy.db",
        "harmless.log",
        "state.gz",
        "backup.tar",
        "backup.tgz",
        "log-copy",
        "journal-copy",
        "plane-copy.db",
        "hard-data",
    ]
    .map(|name| place.at(name))
    .into()
}

fn keys(place: &Place) -> Vec<PathBuf> {
    let names = [
        "pem.log",
        "rsa.txt",
        "openssh.txt",
        "pgp.txt",
        "windows.txt",
        "putty.txt",
        "age.txt",
        "der.bin",
        "hashes.txt",
        "identity.json",
        "pem.log.gz",
        "pem.log.gz.gz",
        "../root-key.pem",
    ];
    names.map(|name| place.at(name)).into()
}

/// Memory and environment of the runtime, of this program and of the first process.
fn processes(machine: &Machine, place: &Place, is_mounted: bool) -> anyhow::Result<Vec<PathBuf>> {
    let process = PathBuf::from(format!("/proc/{}", machine.pid()?));
    let thread = process.join(format!("task/{}", machine.pid()?));
    let mut paths = vec![
        PathBuf::from("/proc/self/environ"),
        "/proc/1/environ".into(),
        "/proc/thread-self/environ".into(),
    ];
    paths.extend(["environ", "mem", "maps", "smaps", "cmdline", "auxv"].map(|name| process.join(name)));
    paths.extend(["environ", "mem"].map(|name| thread.join(name)));
    if is_mounted {
        paths.push(place.at(&format!("mounted-proc/{}/environ", machine.pid()?)));
    }
    Ok(paths)
}

/// Files of this very machine, where they are.
fn machine_files(place: &Place, is_mounted: bool) -> Vec<PathBuf> {
    let fixed =
        ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/proc/kcore", "/proc/keys", "/proc/kallsyms"];
    let mut paths: Vec<PathBuf> = fixed.map(PathBuf::from).into();
    paths.push(place.at("linked-root/etc/shadow"));
    paths.extend(sees_first_process().then(|| PathBuf::from("/proc/1/root/etc/shadow")));
    if is_mounted {
        paths.push(place.at("mounted-etc/shadow"));
    }
    paths.retain(|path| path.exists() || path.starts_with(place.at("mounted-etc")));
    paths
}

/// Questions whose answer is a number or a yes, asked so that it would tell of the key.
fn oracles(ways: &mut Vec<Way>, place: &Place, machine: &Machine) {
    for (path, text) in [
        (machine.state.join("state.db"), "signing_seed"),
        (place.at("hard-link"), "signing_seed\":[6"),
        (place.at("state-copy.db"), "sealing_seed"),
        (place.at("late.log"), "PRIVATE"),
        (place.at("hashes.txt"), "root:$6$"),
        (place.at("etc/tidegate/runtime.env"), "harmless canary"),
    ] {
        push(ways, "tail_file", json!({ "path": path, "lines": 1, "contains": text }), EITHER);
        push(ways, "tail_file", json!({ "path": path, "lines": 1000, "contains": "no such text" }), EITHER);
    }
    for path in [machine.state.join("state.db"), place.at("home/.ssh/id_ed25519"), place.at("identity.json")]
    {
        push(ways, "file_facts", json!({ "path": path, "hash": false }), EITHER);
    }
}

/// Checks of the network as a way to files and to credentials.
fn network(ways: &mut Vec<Way>, place: &Place, machine: &Machine) {
    let file = format!("file://{}", machine.state.join("state.db").display());
    push(ways, "http_check", json!({ "url": file }), &["is not an address to ask"]);
    push(ways, "http_check", json!({ "url": "unix:///run/docker.sock" }), &["is not an address to ask"]);
    let key = format!("http://127.0.0.1:{}/key.pem", place.key_port);
    for text in ["canary", "PRIVATE", "-"] {
        push(ways, "http_check", json!({ "url": key, "contains": text }), &["a private key"]);
    }
    let metadata: &[&str] = &["metadata service"];
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "0xA9FEA9FE",
        "2852039166",
        "169.254.43518",
        "100.100.100.200",
    ] {
        push(
            ways,
            "http_check",
            json!({ "url": format!("http://{host}/latest/meta-data/"), "timeout_ms": 1000 }),
            metadata,
        );
    }
    push(ways, "tcp_connect", json!({ "host": "169.254.169.254", "port": 80, "timeout_ms": 1000 }), metadata);
    push(ways, "ping", json!({ "host": "169.254.169.254", "count": 1 }), metadata);
    push(ways, "dns_lookup", json!({ "name": "a", "server": "168.63.129.16", "timeout_ms": 1000 }), metadata);
}
