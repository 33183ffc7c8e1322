//! What the garbage is made of: real clients, sites, codes, sequences in many states, and machines to go wrong.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::id::JournalId;
use tidegate_core::wire::{Head, SyncLine, SyncRequest};

use super::fire::LANES;
use super::seeds::Ids;
use super::signed::Hostile;
use crate::harness::{
    Connection, LightMachine, SYNC_PATH, World, enrol_light, loopback, random, request_bytes, settle,
};

/// Machines to go wrong, for each lane: one that is forked or revoked is followed by the next.
const PER_LANE: usize = 6;
/// Sequences for each machine.
const SEQUENCES: usize = 2;
/// Machines that may be revoked and retired, and whose work nothing fetches.
const DOOMED: usize = 12;
/// Machines with a second journal, to adopt.
const COPIED: usize = 8;

/// Sets the stage and answers the ids and each lane's machines.
pub(super) async fn set(world: &World) -> anyhow::Result<(Ids, Vec<Vec<Hostile>>)> {
    let people = ([127, 0, 0, 1], world.plane.port()).into();
    let machines = ([127, 0, 0, 1], world.plane.runtime_port()).into();
    let token = format!("Bearer {}", world.plane.token);
    let mut api = Caller { connection: Connection::open(people, loopback(0)).await?, token };
    let client = api.post("/api/v1/clients", &json!({ "name": "Ostwerk" })).await?;
    let site = api.post("/api/v1/sites", &json!({ "client_id": client["id"], "name": "Plant 9" })).await?;
    let code = json!({ "site_id": site["id"], "uses": LANES * PER_LANE + DOOMED + COPIED });
    let code = api.post("/api/v1/enrolment-codes", &code).await?;
    let spare = api.post("/api/v1/enrolment-codes", &json!({ "site_id": site["id"] })).await?;
    let signed_in = api.post("/api/v1/sign-in", &json!({ "secret": world.plane.sign_in_secret() })).await?;
    let code_text = text(&code, "code")?;
    let mut light = enrol_light(machines, code_text, LANES * PER_LANE + DOOMED + COPIED).await?;
    let mut ids = Ids {
        clients: vec![text(&client, "id")?],
        sites: vec![text(&site, "id")?],
        codes: vec![text(&spare, "id")?],
        endpoints: Vec::new(),
        doomed: Vec::new(),
        copied: Vec::new(),
        sequences: Vec::new(),
        tokens: vec![text(&signed_in, "id")?],
    };
    for machine in light.drain(..DOOMED) {
        for _ in 0..10 * SEQUENCES {
            ids.sequences.push(api.sequence(&machine, false).await?);
        }
        ids.doomed.push(machine.endpoint.to_string());
    }
    let mut connection = Connection::open(machines, loopback(0)).await?;
    for mut machine in light.drain(..COPIED) {
        settle(&mut machine, &mut connection).await?;
        for _ in 0..SEQUENCES {
            ids.sequences.push(api.sequence(&machine, false).await?);
        }
        ids.copied.push((machine.endpoint.to_string(), second_journal(&mut machine, &mut connection).await?));
    }
    let mut lanes: Vec<Vec<Hostile>> = (0..LANES).map(|_| Vec::new()).collect();
    for (number, mut machine) in light.into_iter().enumerate() {
        let endpoint = machine.endpoint.to_string();
        let mut own = Vec::new();
        for draft in [false, true].into_iter().cycle().take(SEQUENCES) {
            own.push(api.sequence(&machine, draft).await?);
        }
        settle(&mut machine, &mut connection).await?;
        let steps = machine.run_steps(1)?;
        ensure!(steps == 1, "the machine was offered its step");
        let honest = machine.request(0)?;
        let bytes = request_bytes("POST", SYNC_PATH, &[], &honest.bytes);
        let answer = connection.exchange(&bytes).await?;
        ensure!(answer.status == 200, "an honest sync answered {}", answer.status);
        ids.sequences.extend(own.iter().cloned());
        ids.endpoints.push(endpoint);
        machine.take(answer.body)?;
        settle(&mut machine, &mut connection).await?;
        let idle = machine.request(0)?.bytes;
        lanes[number % LANES].push(Hostile::after(machine.keys, &honest.bytes, &idle, own)?);
    }
    Ok((ids, lanes))
}

struct Caller {
    connection: Connection,
    token: String,
}

impl Caller {
    async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let headers = [("authorization", self.token.as_str()), ("content-type", "application/json")];
        let bytes = request_bytes("POST", path, &headers, body.to_string().as_bytes());
        let answer = self.connection.exchange(&bytes).await?;
        let said = String::from_utf8_lossy(answer.body).into_owned();
        ensure!(answer.status == 201, "{path} answered {}: {said}", answer.status);
        Ok(serde_json::from_str(&said)?)
    }

    async fn sequence(&mut self, machine: &LightMachine, draft: bool) -> anyhow::Result<String> {
        let steps = [json!({ "probe": "shell", "with": { "command": "true" } })];
        let asked = json!({ "title": "check", "draft": draft, "steps": steps });
        let made = self.post(&format!("/api/v1/endpoints/{}/sequences", machine.endpoint), &asked).await?;
        text(&made, "id")
    }
}

/// Speaks with the machine's keys and another history, as a copy of it would; answers the journal's id.
async fn second_journal(machine: &mut LightMachine, connection: &mut Connection) -> anyhow::Result<String> {
    machine.ticket = None;
    let honest = SyncRequest::parse(&machine.request(0)?.bytes)?;
    let id = JournalId::fresh(&mut Entropy::new(random()?));
    let line = SyncLine { journal: Head { id, number: 0, hash: Digest::ZERO }, after: None, ..honest.line };
    let bytes = SyncRequest::seal(line, None, &[], &machine.keys);
    let answer = connection.exchange(&request_bytes("POST", SYNC_PATH, &[], &bytes)).await?;
    ensure!(answer.status == 200, "a sync of a copy answered {}", answer.status);
    Ok(id.to_string())
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("`{name}` is told: {value}"))?.to_owned())
}
