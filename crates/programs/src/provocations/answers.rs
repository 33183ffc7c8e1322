//! What a control plane answers that is crowded, has no room, or does not know who speaks.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_core::entropy::Entropy;
use tidegate_core::id::{EndpointId, RequestId};
use tidegate_core::wire::IdleSync;

use super::book::Book;
use super::front::Asker;
use crate::harness::{
    Connection, ENROL_PATH, LightMachine, Newcomer, SYNC_PATH, World, loopback, random, request_bytes,
};

pub(super) const CODES: &[&str] =
    &["invalid_signature", "token_expired", "unknown_endpoint", "storage_full", "unavailable"];

/// More than wait for the writer, who takes some hundred out of the queue at once, and a few for the slow.
const CROWD: usize = 2_600;
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let asker = Asker::new(world.plane.port(), &world.plane.token)?;
    let mut machine = enrolled(&world, &asker, 1)?;
    strangers(book, &world, &asker, &mut machine)?;
    no_room(book, &mut world, machine.endpoint)?;
    crowded(book, &world)
}

fn enrolled(world: &World, asker: &Asker, number: usize) -> anyhow::Result<LightMachine> {
    let newcomer = Newcomer::new(number)?;
    let answer = asker.ask("POST", ENROL_PATH, &JSON, &newcomer.request(&world.code()?)?)?;
    newcomer.enrolled(&serde_json::to_vec(&answer.body)?)
}

fn strangers(
    book: &mut Book,
    world: &World,
    asker: &Asker,
    machine: &mut LightMachine,
) -> anyhow::Result<()> {
    let endpoint = machine.endpoint;
    let mixed = mixed(&machine.request(0)?.bytes, &machine.request(0)?.bytes)?;
    let forged = asker.ask("POST", SYNC_PATH, &JSON, &mixed)?;
    let how = "a sync under the signature of another";
    book.problem(
        "invalid_signature",
        how,
        401,
        &forged.body,
        &["not signed by a key of this endpoint", "again"],
    )?;
    let code = world.code()?;
    let mut envelope: Value = serde_json::from_slice(&Newcomer::new(4)?.request(&code)?)?;
    envelope["signatures"] =
        serde_json::from_slice::<Value>(&Newcomer::new(5)?.request(&code)?)?["signatures"].clone();
    let altered = asker.ask("POST", ENROL_PATH, &JSON, &serde_json::to_vec(&envelope)?)?;
    let how = "a request to enrol that was altered on the way";
    book.problem("invalid_signature", how, 401, &altered.body, &["not signed by the key", "again"])?;
    let left = world.api.get("/api/v1/enrolment-codes")?;
    let id = code.split('.').nth(1).context("a code has an id")?;
    let mut codes = left["items"].as_array().into_iter().flatten();
    ensure!(codes.any(|code| code["id"] == id && code["uses_left"] == 1), "the code is not used up: {left}");

    let request = RequestId::fresh(&mut Entropy::new(random()?));
    let idle = IdleSync { endpoint, request, ticket: "forged".into(), hold_ms: 0, count: 1 };
    let ticket = asker.ask("POST", SYNC_PATH, &JSON, &idle.write())?;
    book.problem("token_expired", "an idle sync with a ticket that is none", 401, &ticket.body, &["signed"])?;

    machine.endpoint = EndpointId::fresh(&mut Entropy::new(random()?));
    let unknown = asker.ask("POST", SYNC_PATH, &JSON, &machine.request(0)?.bytes)?;
    machine.endpoint = endpoint;
    let how = "a machine that the control plane forgot, having been restored";
    book.problem("unknown_endpoint", how, 404, &unknown.body, &["certificate"])
}

/// The first request with the second's signature.
fn mixed(first: &[u8], second: &[u8]) -> anyhow::Result<Vec<u8>> {
    let line = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        Ok::<_, anyhow::Error>((serde_json::from_slice::<Value>(&bytes[..end])?, end))
    };
    let ((mut signed, end), (other, _)) = (line(first)?, line(second)?);
    signed["signed"]["signatures"] = other["signed"]["signatures"].clone();
    Ok([&serde_json::to_vec(&signed)?, &first[end..]].concat())
}

/// A reserve that is larger than any disk here: there is never so much free.
fn no_room(book: &mut Book, world: &mut World, endpoint: EndpointId) -> anyhow::Result<()> {
    let path = format!("/api/v1/sequences?endpoint={endpoint}");
    let before = world.api.get(&path)?;
    world.plane.stop()?;
    world.plane.arguments = vec!["--reserve".into(), (1 << 20).to_string()];
    world.plane.start()?;
    let asker = Asker::new(world.plane.port(), &world.plane.token)?;
    let body = json!({ "steps": [{ "probe": "system_info" }] }).to_string();
    let place = format!("/api/v1/endpoints/{endpoint}/sequences");
    let full = asker.json("POST", &place, body.as_bytes())?;
    book.problem(
        "storage_full",
        "new work on a disk with too little left",
        507,
        &full.body,
        &["make room", "repeat"],
    )?;
    ensure!(world.api.get(&path)? == before, "nothing of it was stored");
    world.plane.stop()?;
    world.plane.arguments.clear();
    world.plane.start()
}

/// The database is held by somebody else, and more requests come than may wait for it.
fn crowded(book: &mut Book, world: &World) -> anyhow::Result<()> {
    room_for_connections()?;
    let token = format!("Bearer {}", world.plane.token);
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let bytes = Arc::new(request_bytes("POST", "/api/v1/clients", &headers, br#"{"name": "Nordwerk"}"#));
    let to = SocketAddr::from(([127, 0, 0, 1], world.plane.port()));
    let database = rusqlite::Connection::open(world.plane.data.join("tidegate.db"))?;
    database.execute_batch("BEGIN IMMEDIATE")?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let refused = tokio.block_on(async {
        let mut crowd = tokio::task::JoinSet::new();
        for _ in 0..CROWD {
            let bytes = Arc::clone(&bytes);
            crowd.spawn(async move {
                let mut connection = Connection::open(to, loopback(0)).await?;
                connection.send(&bytes).await?;
                let answer = connection.answer().await?;
                let (status, body) = (answer.status, answer.body.to_vec());
                let head = String::from_utf8_lossy(connection.received()).to_lowercase();
                anyhow::Ok((status, body, head))
            });
        }
        while let Some(answered) = crowd.join_next().await {
            let (status, body, head) = answered??;
            if status == 503 {
                return anyhow::Ok(Some((body, head)));
            }
        }
        Ok(None)
    })?;
    database.execute_batch("ROLLBACK")?;
    let (body, head) = refused.context("nobody of a crowd was refused")?;
    ensure!(head.contains("\nretry-after: "), "it says when to come back: {head}");
    let problem = serde_json::from_slice::<Value>(&body)?;
    let how = "more requests than may wait to be stored";
    book.problem("unavailable", how, 503, &problem, &["try again shortly"])?;
    let clients = world.api.get("/api/v1/clients")?;
    let count = clients["items"].as_array().map_or(0, Vec::len);
    ensure!(count == 1, "what was refused is not stored, and everybody is served again: {clients}");
    Ok(())
}

/// A crowd needs a connection each.
fn room_for_connections() -> anyhow::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.map(|most| most.min(8_192)).or(Some(8_192));
    Ok(setrlimit(Resource::Nofile, limit)?)
}
