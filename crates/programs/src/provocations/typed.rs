//! What a person typed, and files that they named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use serde_json::json;

use super::book::{Book, program, text};
use super::enrolment::enrol;
use super::front;
use crate::harness::{Machine, World, binary, free_port};

pub(super) const CODES: &[&str] = &[
    "invalid_yaml",
    "file_unreadable",
    "file_not_written",
    "file_exists",
    "export_unusable",
    "no_control_plane",
    "no_token",
    "invalid_url",
    "invalid_link",
    "unknown_name",
    "ambiguous_name",
    "not_confirmed",
    "usage",
    "connection_refused",
    "name_not_resolved",
    "not_a_control_plane",
    "unauthenticated",
    "http_not_allowed",
    "invalid_policy",
];

struct Desk {
    world: World,
    machine: Machine,
    tidegate: PathBuf,
}

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let machine = world.machine()?;
    let desk = Desk { world, machine, tidegate: binary("tidegate")? };
    sequence_files(book, &desk)?;
    connections(book, &desk)?;
    names(book, &desk)?;
    records(book, &desk)?;
    runtime(book, &desk)?;
    let queued = desk.world.api.get(&format!("/api/v1/sequences?endpoint={}", desk.machine.endpoint))?;
    ensure!(queued["items"] == json!([]), "nothing was queued by any of it: {queued}");
    Ok(())
}

impl Desk {
    fn tidegate(&self, words: &[&str]) -> Command {
        let mut command = program(&self.tidegate);
        command.args(words).env("TIDEGATE_URL", self.world.plane.url());
        command.env("TIDEGATE_TOKEN", &self.world.plane.token).env("XDG_CONFIG_HOME", self.folder());
        command
    }

    fn folder(&self) -> &Path {
        self.world.directory.path()
    }
}

fn sequence_files(book: &mut Book, desk: &Desk) -> anyhow::Result<()> {
    let file = desk.folder().join("steps.yaml");
    let path = text(&file);
    let run = |path: &str| desk.tidegate(&["run", &desk.machine.endpoint, "--file", path]);
    for (how, yaml, parts) in [
        (
            "YAML that does not read",
            "title: x\nsteps:\n  - probe: ping\n   with: {}\n",
            &["line 4 column"][..],
        ),
        (
            "an unknown field",
            "title: x\nsteps:\n  - probe: ping\n    args: {}\n",
            &["unknown field `args`", "line 4"],
        ),
        ("no steps at all", "title: x\nsteps: []\n", &["steps, this one 0"]),
        ("a time limit of nothing", "steps:\n  - probe: ping\n    timeout: 0s\n", &["timeout"]),
        ("a file that is no text", "steps: \u{0}\u{1}", &["control characters"]),
    ] {
        fs::write(&file, yaml)?;
        let parts: Vec<&str> = parts.iter().copied().chain([path.as_str(), "nothing was queued"]).collect();
        book.command("invalid_yaml", how, &mut run(&path), 2, &parts)?;
    }
    fs::write(&file, " ".repeat(10 << 20))?;
    book.command(
        "invalid_yaml",
        "a file of 10 MB",
        &mut run(&path),
        2,
        &[&path, "bytes", "several sequences"],
    )?;
    let missing = text(&desk.folder().join("missing.yaml"));
    book.command(
        "file_unreadable",
        "a file that is not there",
        &mut run(&missing),
        2,
        &[&missing, "No such file"],
    )
}

fn connections(book: &mut Book, desk: &Desk) -> anyhow::Result<()> {
    let mut nowhere = desk.tidegate(&["clients"]);
    nowhere.env_remove("TIDEGATE_URL").env_remove("TIDEGATE_TOKEN");
    book.command(
        "no_control_plane",
        "no address anywhere",
        &mut nowhere,
        2,
        &["TIDEGATE_URL", "tidegate login"],
    )?;
    let mut nobody = desk.tidegate(&["clients"]);
    let how = "an address and no token";
    book.command("no_token", how, nobody.env_remove("TIDEGATE_TOKEN"), 2, &["tidegate admin token"])?;
    let mut clients = |code, how, url: &str, exit, parts: &[&str]| {
        book.command(code, how, &mut desk.tidegate(&["clients", "--url", url]), exit, parts)
    };
    clients(
        "invalid_url",
        "an address that is none",
        "tidegate.example",
        2,
        &["`tidegate.example`", "https://"],
    )?;
    let closed = format!("http://127.0.0.1:{}", free_port()?);
    clients(
        "connection_refused",
        "nobody listens there",
        &closed,
        3,
        &[&closed, "refused", "safe to repeat"],
    )?;
    let unknown = "https://no.such.name.invalid";
    clients("name_not_resolved", "a name that does not exist", unknown, 3, &["no.such.name.invalid", "DNS"])?;
    let portal = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<h1>Please log in</h1>";
    let portal = format!("http://127.0.0.1:{}", front::always(portal)?);
    clients("not_a_control_plane", "a captive portal answers", &portal, 4, &["does not read", "proxy"])?;
    let gone = "HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n";
    let gone = format!("http://127.0.0.1:{}", front::always(gone)?);
    clients(
        "not_a_control_plane",
        "something that leads elsewhere",
        &gone,
        4,
        &["https://login.example/", "--url"],
    )?;

    let mut stranger = desk.tidegate(&["clients"]);
    stranger.env("TIDEGATE_TOKEN", "tgp_nobody");
    book.command(
        "unauthenticated",
        "a token that nobody has",
        &mut stranger,
        4,
        &["withdrawn", "tidegate login"],
    )?;
    let ca = text(&desk.folder().join("missing.pem"));
    let mut distrustful = desk.tidegate(&["clients", "--ca", &ca]);
    book.command("file_unreadable", "an authority that is not there", &mut distrustful, 2, &[&ca, "--ca"])?;
    let how = "half a sign-in link";
    book.command(
        "invalid_link",
        how,
        &mut desk.tidegate(&["login", "https://tidegate.example"]),
        2,
        &["sign-in#"],
    )
}

fn names(book: &mut Book, desk: &Desk) -> anyhow::Result<()> {
    let mut tidegate = |code, how, words: &[&str], parts: &[&str]| {
        book.command(code, how, &mut desk.tidegate(words), 2, parts)
    };
    let how = "a machine that nobody enrolled";
    tidegate(
        "unknown_name",
        how,
        &["endpoints", "show", "nobody"],
        &["`nobody`", "tidegate endpoints list"],
    )?;
    let client = desk.world.api.post("/api/v1/clients", &json!({ "name": "Südwerk" }))?;
    desk.world.api.post("/api/v1/sites", &json!({ "client_id": client["id"], "name": "Plant 3" }))?;
    let create = ["enrolment-codes", "create", "--site", "Plant 3"];
    tidegate(
        "ambiguous_name",
        "a name that two sites have",
        &create,
        &["`Plant 3`", "2 sites", "by its id"],
    )?;
    let revoke = ["endpoints", "revoke", &desk.machine.endpoint];
    tidegate("not_confirmed", "what cannot be undone, and nobody to ask", &revoke, &["--yes"])?;
    let twice = ["run", &desk.machine.endpoint, &desk.machine.endpoint, "--", "true"];
    tidegate("usage", "a machine named twice", &twice, &["named twice"])
}

fn records(book: &mut Book, desk: &Desk) -> anyhow::Result<()> {
    let mut tidegate = |code, how, words: &[&str], exit, parts: &[&str]| {
        book.command(code, how, &mut desk.tidegate(words), exit, parts)
    };
    let endpoint = desk.machine.endpoint.as_str();
    let there = text(&desk.folder().join("there"));
    fs::write(&there, "mine")?;
    let how = "an export over a file that is there";
    tidegate("file_exists", how, &["export", endpoint, "--out", &there], 2, &[&there, "--force"])?;
    ensure!(fs::read_to_string(&there)? == "mine", "the file is as it was");
    let nowhere = text(&desk.folder().join("no-such-folder/record"));
    let how = "an export into a folder that is not there";
    tidegate("file_not_written", how, &["export", endpoint, "--out", &nowhere], 2, &[&nowhere])?;
    let how = "a file that is no export";
    tidegate("export_unusable", how, &["verify", &there], 4, &[&there, "tidegate export"])?;
    let how = "an export that is not there";
    tidegate("file_unreadable", how, &["verify", &nowhere], 2, &[&nowhere])
}

fn runtime(book: &mut Book, desk: &Desk) -> anyhow::Result<()> {
    let (state, code) = (desk.folder().join("typed"), desk.world.code()?);
    let url = desk.world.plane.url();
    let mut refused = |code_of, how, server: &str, words: &[&str], parts: &[&str]| {
        book.command(code_of, how, enrol(&state, server, &code)?.args(words), 2, parts)?;
        ensure!(!state.exists(), "{how}: nothing is made");
        Ok::<_, anyhow::Error>(())
    };
    refused(
        "invalid_url",
        "an address that is none, at a machine",
        "tidegate.example",
        &[],
        &["https://tidegate.example"],
    )?;
    let how = "plain HTTP to another machine";
    refused(
        "http_not_allowed",
        how,
        "http://192.0.2.1:8080",
        &[],
        &["192.0.2.1", "https://", "--allow-http"],
    )?;
    let how = "a policy with a probe that is none";
    refused("invalid_policy", how, &url, &["--allow-probe", "pong"], &["`pong`", "system_info"])?;
    let how = "a policy with a folder that could be anywhere";
    refused("invalid_policy", how, &url, &["--allow-path", "logs"], &["`logs`", "--allow-path"])?;
    let how = "a place that is none";
    refused(
        "invalid_policy",
        how,
        &url,
        &["--forbid-shell", "--allow-net", "10.1"],
        &["`10.1`", "10.20.0.0/16"],
    )?;
    let how = "a network that shell would reach past";
    refused("invalid_policy", how, &url, &["--allow-net", "10.0.0.0/8"], &["`shell`", "--forbid-shell"])?;
    let how = "a folder that shell would read past";
    refused("invalid_policy", how, &url, &["--allow-path", "/var/log"], &["`shell`", "--forbid-shell"])?;
    let how = "a private CA that is not there, at a machine";
    refused("file_unreadable", how, &url, &["--ca", "/no/such/ca.pem"], &["/no/such/ca.pem", "--ca"])?;
    Ok(())
}
