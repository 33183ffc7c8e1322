//! What happens to requests that are held when whoever made them is shut out.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_cli::link::Conditions;

use super::book::{Book, program};
use super::front::Asker;
use crate::harness::{Connection, Machine, Network, World, binary, loopback, request_bytes, wait_for};

pub(super) const CODES: &[&str] = &["revoked", "unauthenticated", "retired"];

/// How much faster the second machine lives: it asks again a second after a refusal, and not after a minute.
const FASTER: u32 = 60;

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    endpoint(book, &mut world)?;
    patience(&mut world)?;
    token(book, &world)?;
    retired(book, &mut world)
}

/// The sync of a machine is held for 25 s; when its enrolment is revoked it is answered long before.
fn endpoint(book: &mut Book, world: &mut World) -> anyhow::Result<()> {
    let network = Network::new()?;
    let path = network.path(world.plane.runtime_port(), Conditions::default())?;
    let mut machine = world.machine_through(&path.url())?;
    machine.start()?;
    let open = || path.exchanges().last().is_some_and(|exchange| exchange.answered_at.is_none());
    wait_for("a sync that is held", 20, || Ok(open() && is_held(world)?))?;
    let before = path.exchanges().len();
    world.api.post(&format!("/api/v1/endpoints/{}/revoke", machine.endpoint), &json!({}))?;
    machine.says("code=\"revoked\"", 15)?;
    let after = path.exchanges();
    ensure!(after[before - 1].answered_at.is_some(), "what was held was answered: {after:?}");
    ensure!(after.len() <= before + 1, "it asks no more than once more: {after:?}");
    let said = machine.said()?;
    let line = said.lines().find(|line| line.contains("code=\"revoked\"")).unwrap_or_default().to_owned();
    let parts = ["refuses this machine", "is revoked", "remedy=", "--endpoint"];
    book.said("revoked", "an enrolment that is revoked while a sync is held", line, &parts)?;
    let answer =
        program(&binary("tidegate-runtime")?).args(["doctor", "--state"]).arg(&machine.state).output()?;
    let report = String::from_utf8_lossy(&answer.stdout).into_owned();
    ensure!(report.contains("revoked this machine's enrolment"), "the doctor says so too: {report}");
    Ok(())
}

fn is_held(world: &World) -> anyhow::Result<bool> {
    Ok(world.api.text("/metrics")?.lines().any(|line| line.starts_with("tidegate_syncs_held 1")))
}

/// A machine that is shut out says so once, and does not hammer.
fn patience(world: &mut World) -> anyhow::Result<()> {
    let network = Network::new()?;
    let path = network.path(world.plane.runtime_port(), Conditions::default())?;
    let mut machine = world.machine_through(&path.url())?;
    machine.pace.extend(["--interval-divisor".to_owned(), FASTER.to_string()]);
    world.api.post(&format!("/api/v1/endpoints/{}/revoke", machine.endpoint), &json!({}))?;
    machine.start()?;
    // The first is at once and may be asked twice (signed time comes first); the rest are a second apart.
    wait_for("several refusals", 30, || Ok(path.exchanges().len() >= 5))?;
    let starts: Vec<_> = path.exchanges().iter().map(|exchange| exchange.at).collect();
    let gaps: Vec<_> = starts.windows(2).filter_map(|pair| pair[1].duration_since(pair[0]).ok()).collect();
    let long = gaps.iter().filter(|gap| **gap >= Duration::from_millis(900)).count();
    ensure!(long + 2 >= gaps.len(), "after a refusal it waits: {gaps:?}");
    let said = machine.said()?;
    ensure!(said.matches("refuses this machine").count() == 1, "it says so once: {said}");
    machine.stop()
}

/// A stream of events ends when its token is withdrawn, and tells nothing that came after.
fn token(book: &mut Book, world: &World) -> anyhow::Result<()> {
    let signed_in = world.api.post("/api/v1/sign-in", &json!({ "secret": world.plane.sign_in_secret() }))?;
    let token = signed_in["token"].as_str().context("a sign-in gives a token")?.to_owned();
    let id = signed_in["id"].as_str().context("a token has an id")?.to_owned();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bearer = format!("Bearer {token}");
    let request = request_bytes("GET", "/api/v1/events", &[("authorization", &bearer)], b"");
    let mut stream = tokio.block_on(async {
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], world.plane.port()));
        let mut stream = Connection::open(to, loopback(0)).await?;
        stream.send(&request).await?;
        Ok::<_, anyhow::Error>(stream)
    })?;
    let received = |stream: &Connection| String::from_utf8_lossy(stream.received()).into_owned();
    wait_for("the stream to begin", 10, || {
        tokio.block_on(stream.drain(Duration::from_millis(20)));
        Ok(received(&stream).contains("retry: 2000"))
    })?;
    world.api.post(&format!("/api/v1/tokens/{id}/revoke"), &json!({}))?;
    let code = world.code()?;
    let machine = Machine::enrol(&world.directory.path().join("afterwards"), &world.plane.url(), &code)?;
    // The last chunk of a body in chunks.
    wait_for("the stream to end", 30, || {
        tokio.block_on(stream.drain(Duration::from_millis(20)));
        Ok(received(&stream).ends_with("0\r\n\r\n"))
    })?;
    let heard = received(&stream);
    ensure!(!heard.contains(&machine.endpoint), "a withdrawn token hears nothing: {heard}");
    let asker = Asker::new(world.plane.port(), &token)?;
    let refused = asker.json("GET", "/api/v1/clients", b"")?;
    let how = "a token that was withdrawn while it held a stream of events";
    book.problem("unauthenticated", how, 401, &refused.body, &["withdrawn", "sign in again"])
}

/// A retired machine ends by itself, and a command that would start it again is refused.
fn retired(book: &mut Book, world: &mut World) -> anyhow::Result<()> {
    let mut machine = world.machine()?;
    machine.start()?;
    let path = format!("/api/v1/endpoints/{}", machine.endpoint);
    wait_for("the machine", 20, || Ok(world.api.get(&path)?["facts"]["hostname"] != Value::Null))?;
    world.api.post(&format!("{path}/retire"), &json!({}))?;
    wait_for("the retired runtime to end", 60, || Ok(!machine.is_running()?))?;
    let mut run = program(&binary("tidegate-runtime")?);
    run.args(["run", "--state"]).arg(&machine.state);
    let state = machine.state.display().to_string();
    book.command("retired", "a machine that was retired", &mut run, 4, &[&state, "another --state"])
}
