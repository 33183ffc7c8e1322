//! How long the control plane takes for a page when it knows very many machines and sequences.
//!
//! Machines enrol, are asked and answer through the real protocol; pages are asked for on one kept connection with a
//! session's cookie, one after the other, by something that reads no more of them than it must.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::harness::{
    Connection, LightMachine, World, enrol_light, loopback, request_bytes, settle, wait_for,
};
use crate::shows::{Scale, figure};

const MACHINES: usize = 10_000;
const MACHINES_QUICK: usize = 60;
/// Sequences of each machine: all but one are done.
const EACH: usize = 10;
/// Machines that enrol and work at once.
const TOGETHER: usize = 250;
/// Connections over which they do.
const LANES: usize = 8;
/// How often each page is asked for.
const TIMES: usize = 300;
/// The slowest of a hundred answers.
const P99_MAX: Duration = Duration::from_millis(50);

/// Fills a control plane and times its pages; at full scale they are held to their budget.
pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let world = World::new()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let machines = tokio.block_on(fill(&world, scale.pick(MACHINES, MACHINES_QUICK)))?;
    let last = machines.last().context("there are machines")?;
    let place = format!("/api/v1/sequences?endpoint={last}&limit=200");
    wait_for("all of it to be listed", 120, || {
        Ok(world.api.get(&place)?["items"].as_array().is_some_and(|items| items.len() == EACH))
    })?;
    let taken = began.elapsed().as_secs_f64();
    figure(
        "machines, and sequences of them",
        format!("{} and {}, made in {taken:.0} s", machines.len(), machines.len() * EACH),
    );
    let pages = pages(&world, &machines)?;
    let cookie = tokio.block_on(session(&world))?;
    let mut slowest = Duration::ZERO;
    for (name, path) in &pages {
        let took = tokio.block_on(time(&world, &cookie, path, scale.pick(TIMES, 10)))?;
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let (median, p99) = (at(50).as_secs_f64() * 1e3, at(99).as_secs_f64() * 1e3);
        figure(&format!("server time, {name}"), format!("p50 {median:.1} ms, p99 {p99:.1} ms"));
        slowest = slowest.max(at(99));
    }
    ensure!(
        scale == Scale::Quick || slowest <= P99_MAX,
        "the slowest page took {:.1} ms at p99",
        slowest.as_secs_f64() * 1e3
    );
    Ok(())
}

/// Enrols machines and lets each work; answers their ids.
async fn fill(world: &World, machines: usize) -> anyhow::Result<Vec<String>> {
    let to: SocketAddr = ([127, 0, 0, 1], world.plane.port()).into();
    let mut ids = Vec::with_capacity(machines);
    while ids.len() < machines {
        let together = TOGETHER.min(machines - ids.len());
        let mut fresh = enrol_light(to, world_code(world, together).await?, together).await?;
        ids.extend(fresh.iter().map(|machine| machine.endpoint.to_string()));
        let lane_size = fresh.len().div_ceil(LANES);
        let mut lanes = tokio::task::JoinSet::new();
        while !fresh.is_empty() {
            let lane = fresh.split_off(fresh.len().saturating_sub(lane_size));
            lanes.spawn(work(to, world.plane.token.clone(), lane));
        }
        while let Some(done) = lanes.join_next().await {
            done??;
        }
    }
    Ok(ids)
}

/// A code for so many machines, asked for over a connection of its own: the world's client blocks.
async fn world_code(world: &World, uses: usize) -> anyhow::Result<String> {
    let body = json!({ "site_id": world.site, "uses": uses });
    let to = ([127, 0, 0, 1], world.plane.port()).into();
    let mut connection = Connection::open(to, loopback(0)).await?;
    let made =
        post(&mut connection, &world.plane.token, "/api/v1/enrolment-codes", body.to_string().as_bytes())
            .await?;
    Ok(made["code"].as_str().context("a code")?.to_owned())
}

async fn work(to: SocketAddr, token: String, machines: Vec<LightMachine>) -> anyhow::Result<()> {
    let mut connection = Connection::open(to, loopback(0)).await?;
    for mut machine in machines {
        let place = format!("/api/v1/endpoints/{}/sequences", machine.endpoint);
        for number in 0..EACH {
            let steps = json!([{ "probe": "ping", "with": { "host": "10.20.0.5" } }]);
            let sequence =
                json!({ "title": format!("HMI lost its controller ({number})"), "steps": steps }).to_string();
            if number == EACH - 1 {
                settle(&mut machine, &mut connection).await?;
                ensure!(machine.run_steps(EACH)? == EACH - 1, "what was offered runs");
                settle(&mut machine, &mut connection).await?;
            }
            post(&mut connection, &token, &place, sequence.as_bytes()).await?;
        }
    }
    Ok(())
}

async fn post(connection: &mut Connection, token: &str, path: &str, body: &[u8]) -> anyhow::Result<Value> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = connection.exchange(&request_bytes("POST", path, &headers, body)).await?;
    let said = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == 201, "POST {path} answered {}: {said}", answer.status);
    Ok(serde_json::from_slice(answer.body)?)
}

/// Signs in as a browser does and answers the cookie.
async fn session(world: &World) -> anyhow::Result<String> {
    let to = ([127, 0, 0, 1], world.plane.port()).into();
    let mut connection = Connection::open(to, loopback(0)).await?;
    // A token is letters, digits and underscores: nothing of it has to be escaped.
    let form = format!("secret={}", world.plane.token);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost")];
    connection.exchange(&request_bytes("POST", "/sign-in", &headers, form.as_bytes())).await?;
    let said = String::from_utf8_lossy(connection.received()).into_owned();
    let cookie = said.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    Ok(cookie.and_then(|cookie| cookie.split(';').next()).with_context(|| said.clone())?.to_owned())
}

/// The pages whose time may depend on how much there is.
fn pages(world: &World, machines: &[String]) -> anyhow::Result<Vec<(&'static str, String)>> {
    let middle = &machines[machines.len() / 2];
    let listed = world.api.get(&format!("/api/v1/sequences?endpoint={middle}&limit=1"))?;
    let sequence = listed["items"][0]["id"].as_str().context("it has sequences")?;
    let view = world.api.get(&format!("/api/v1/endpoints/{middle}"))?;
    let serial = view["facts"]["serial"].as_str().context("it has a serial")?;
    Ok(vec![
        ("overnight", "/".to_owned()),
        ("machines", "/machines".to_owned()),
        ("machines of a site", format!("/machines?site={}", world.site)),
        ("machines, a rare word", format!("/machines?q={serial}")),
        ("machines, a word of each", "/machines?q=press".to_owned()),
        ("machines, two letters", "/machines?q=qz".to_owned()),
        ("machines, no such word", "/machines?q=labeller".to_owned()),
        ("machines, three words", "/machines?q=windows+press+10.1".to_owned()),
        ("a machine", format!("/machines/{middle}")),
        ("a result", format!("/sequences/{sequence}")),
        ("add a machine", "/machines/new".to_owned()),
        ("playbooks", "/playbooks".to_owned()),
        ("settings", "/settings".to_owned()),
        ("people", "/settings/people".to_owned()),
        ("places", "/settings/places".to_owned()),
        ("codes", "/settings/codes".to_owned()),
        ("you", "/settings/you".to_owned()),
        ("audit", "/settings/audit".to_owned()),
    ])
}

/// Every time of so many answers, in order of length, after a few that are not counted.
async fn time(world: &World, cookie: &str, path: &str, times: usize) -> anyhow::Result<Vec<Duration>> {
    let to = ([127, 0, 0, 1], world.plane.port()).into();
    let mut connection = Connection::open(to, loopback(0)).await?;
    let request = request_bytes("GET", path, &[("cookie", cookie), ("accept-encoding", "gzip")], b"");
    let mut took = Vec::with_capacity(times);
    for number in 0..times + 5 {
        let began = Instant::now();
        let answer = connection.exchange(&request).await?;
        ensure!(answer.status == 200 && !answer.body.is_empty(), "{path} answered {}", answer.status);
        if number >= 5 {
            took.push(began.elapsed());
        }
    }
    took.sort_unstable();
    Ok(took)
}
