//! Sequences that cannot be queued.

use anyhow::ensure;
use serde_json::json;

use super::book::{Book, program, text};
use super::front::Asker;
use crate::harness::{World, binary};

pub(super) const CODES: &[&str] = &["invalid_request", "invalid_sequence", "queue_full", "usage"];

/// What the control plane takes for one machine.
const LIVE_MAX: usize = 1_000;

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let machine = world.machine()?;
    let asker = Asker::new(world.plane.port(), &world.plane.token)?;
    let path = format!("/api/v1/endpoints/{}/sequences", machine.endpoint);
    let mut refused = |code, how, status, body: &str, parts: &[&str]| {
        let answer = asker.json("POST", &path, body.as_bytes())?;
        book.problem(code, how, status, &answer.body, parts)
    };
    let body = "{\"steps\": [\n  {\"probe\": \"ping\", \"given\": {}}\n]}";
    refused(
        "invalid_request",
        "an unknown field of a step",
        400,
        body,
        &["unknown field `given`", "`with`", "send it again"],
    )?;
    let body = r#"{"steps": [{"probe": "pong", "with": {}}]}"#;
    refused(
        "invalid_sequence",
        "a probe that the machine has not got",
        422,
        body,
        &["step 1", "`pong`", "ping"],
    )?;
    let body = r#"{"steps": [{"probe": "ping", "with": {"host": "a", "size": 3}}]}"#;
    refused(
        "invalid_sequence",
        "an argument that the probe has not got",
        422,
        body,
        &["step 1", "`size`", "host"],
    )?;
    let body = r#"{"steps": [{"probe": "ping", "with": {"host": "a", "count": 99}}]}"#;
    refused("invalid_sequence", "a value out of bounds", 422, body, &["step 1", "`count`", "from 1 to 20"])?;
    let body = r#"{"steps": []}"#;
    refused("invalid_sequence", "nothing to do", 422, body, &["1 to 100 steps", "this one 0"])?;
    let queued = world.api.get(&format!("/api/v1/sequences?endpoint={}", machine.endpoint))?;
    ensure!(queued["items"] == json!([]), "nothing of what was refused is there: {queued}");

    // What a person types is judged by the same rules before anything is sent.
    let tidegate = binary("tidegate")?;
    let run = |words: &[&str]| {
        let mut command = program(&tidegate);
        command.args(["run", &machine.endpoint, "--probe"]).args(words);
        command.env("TIDEGATE_URL", world.plane.url()).env("TIDEGATE_TOKEN", &world.plane.token);
        command.env("XDG_CONFIG_HOME", text(world.directory.path()));
        command
    };
    let how = "a probe that the machine has not got, as typed";
    book.command("invalid_sequence", how, &mut run(&["pong", "host=a"]), 2, &["`pong`", "--probes"])?;
    let how = "a value out of bounds, as typed";
    book.command(
        "invalid_sequence",
        how,
        &mut run(&["ping", "host=a", "count=99"]),
        2,
        &["`count`", "from 1 to 20"],
    )?;
    let how = "a value without a probe";
    book.command("usage", how, &mut run(&["host=a"]), 2, &["`host=a`", "--probe ping"])?;

    let work = json!({ "steps": [{ "probe": "system_info" }] });
    for _ in 0..LIVE_MAX {
        world.api.post(&path, &work)?;
    }
    let answer = asker.json("POST", &path, work.to_string().as_bytes())?;
    let how = "more than a machine may have waiting";
    book.problem("queue_full", how, 409, &answer.body, &["1000 sequences", "cancel some"])
}
