//! A machine without a process: the endpoint's half of the core over a database in memory, so that hundreds of them
//! can speak to a real control plane at once. What it sends is what a runtime would.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tidegate_core::api::JournalState;
use tidegate_core::envelope::Envelope;
use tidegate_core::error::Error;
use tidegate_core::id::{BootId, EndpointId, JournalId, RequestId};
use tidegate_core::keys::{KeyPair, Role, Sign as _};
use tidegate_core::probe::Catalogue;
use tidegate_core::runtime::{self, Context, Effect, Idle, Input, Limits, Reading, Request, Ticket};
use tidegate_core::schema::migrate;
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};
use tidegate_core::sql::Sql;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    EnrolAnswer, EnrolRequest, EnrolmentCode, JournalAnswer, PROTOCOL_VERSION, Policy, SyncAnswer,
    SyncRequest, seal_public_key,
};
use tidegate_sqlite::{Settings, Store};

/// Where enrolments go.
pub const ENROL_PATH: &str = "/runtime/v1/enrol";
/// Where syncs go.
pub const SYNC_PATH: &str = "/runtime/v1/sync";

/// A machine that has not enrolled yet.
#[derive(Debug)]
pub struct Newcomer {
    /// Its keys.
    pub keys: KeyPair,
    journal: JournalId,
    seed: [u8; 32],
    name: String,
}

/// An enrolled machine.
pub struct LightMachine {
    /// Who it is.
    pub endpoint: EndpointId,
    /// Its keys.
    pub keys: KeyPair,
    /// What admits its idle syncs, once it was given.
    pub ticket: Option<Ticket>,
    /// How many requests it has made.
    requests: u64,
    store: Store,
    catalogue: Catalogue,
    boot: BootId,
    outstanding: Option<RequestId>,
    running: Vec<Effect>,
}

impl Newcomer {
    /// A fresh one.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn new(number: usize) -> anyhow::Result<Self> {
        let seed = random()?;
        let journal = JournalId::fresh(&mut tidegate_core::entropy::Entropy::new(random()?));
        let keys = KeyPair::from_seed(Role::Endpoint, &seed);
        Ok(Self { keys, journal, seed, name: format!("press-{number:05}") })
    }

    /// The body of its request to enrol.
    ///
    /// # Errors
    ///
    /// When `code` is not one.
    pub fn request(&self, code: &str) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&Envelope::seal(&self.payload(code)?, &self.keys, Role::Endpoint))?)
    }

    /// What it signs to enrol.
    ///
    /// # Errors
    ///
    /// When `code` is not one.
    pub fn payload(&self, code: &str) -> anyhow::Result<EnrolRequest> {
        let code: EnrolmentCode = code.parse()?;
        let secret: String = code.secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let facts = facts(&self.name, self.seed);
        Ok(EnrolRequest {
            v: PROTOCOL_VERSION,
            code: code.id,
            secret,
            key: self.keys.public_key(Role::Endpoint),
            seal_key: seal_public_key(&self.seed),
            journal: self.journal,
            name: self.name.clone(),
            facts,
            probes: tidegate_runtime::probes::catalogue(),
        })
    }

    /// The machine that the answer makes of it, booted.
    ///
    /// # Errors
    ///
    /// When the answer is none.
    pub fn enrolled(self, answer: &[u8]) -> anyhow::Result<LightMachine> {
        let answer: EnrolAnswer =
            serde_json::from_slice(answer).with_context(|| String::from_utf8_lossy(answer).into_owned())?;
        let mut store = Store::in_memory(&Settings::endpoint())?;
        let (journal, at) = (self.journal, answer.at);
        let made = store.transaction(|db| {
            migrate(db, &runtime::SCHEMA)?;
            runtime::create(db, journal, at, &reading(), Policy::default(), &answer.authority)
        });
        made.map_err(|error| anyhow::anyhow!("the state cannot be made: {error:?}"))?;
        let mut machine = LightMachine {
            endpoint: answer.endpoint,
            keys: self.keys,
            ticket: None,
            requests: 0,
            store,
            catalogue: tidegate_runtime::probes::catalogue(),
            boot: BootId::fresh(&mut tidegate_core::entropy::Entropy::new(random()?)),
            outstanding: None,
            running: Vec::new(),
        };
        machine.perform(Input::Booted { version: "light".into(), leftovers: 0 })?;
        Ok(machine)
    }
}

impl LightMachine {
    /// The next sync, which expects [`Self::take`].
    ///
    /// # Errors
    ///
    /// When the state cannot be read.
    pub fn request(&mut self, hold_ms: u64) -> anyhow::Result<Request> {
        let id = RequestId::fresh(&mut tidegate_core::entropy::Entropy::new(random()?));
        self.outstanding = Some(id);
        self.requests += 1;
        let (ticket, clock, entropy, count) = (self.ticket.clone(), reading(), random()?, self.requests);
        let idle = ticket.as_ref().map(|ticket| Idle { ticket, hold_ms, count });
        let request = self.store.read(|db| runtime::request(db, &self.context(&clock, entropy), id, idle));
        request.map_err(|error| anyhow::anyhow!("no request can be made: {error:?}"))
    }

    /// Takes in the answer to the outstanding request.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn take(&mut self, answer: &[u8]) -> anyhow::Result<()> {
        let answer: SyncAnswer =
            serde_json::from_slice(answer).with_context(|| String::from_utf8_lossy(answer).into_owned())?;
        self.take_answer(answer)
    }

    /// The same with an answer that is read already.
    ///
    /// # Errors
    ///
    /// When no request is outstanding, or the state cannot be written.
    pub fn take_answer(&mut self, answer: SyncAnswer) -> anyhow::Result<()> {
        let request = self.outstanding.take().context("no request is outstanding")?;
        self.perform(Input::SyncAnswered { request, answer: Box::new(answer) })
    }

    /// Goes on as if the control plane had taken in `request`, the outstanding one, and had nothing to say.
    ///
    /// # Errors
    ///
    /// When it is no request, or the state cannot be written.
    pub fn assume_taken(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let request = SyncRequest::parse(request)?;
        let mut head = request.line.journal;
        if let (Some(last), Some(after)) = (request.entries.last(), request.line.after) {
            (head.number, head.hash) = (after + request.entries.len() as u64, last.hash());
        }
        self.take_answer(SyncAnswer {
            v: PROTOCOL_VERSION,
            request: request.line.request,
            at: reading().wall,
            journal: JournalAnswer { head, state: JournalState::Current },
            authority: None,
            offered: Vec::new(),
            void: None,
            transcript: None,
            ticket: None,
            unknown: Vec::new(),
            more: false,
        })
    }

    /// Runs at most `steps` steps, each to a result of its own; answers how many ran.
    ///
    /// # Errors
    ///
    /// When the state cannot be written.
    pub fn run_steps(&mut self, steps: usize) -> anyhow::Result<usize> {
        let mut ran = 0;
        while ran < steps {
            let Some(effect) = self.running.pop() else { break };
            let Effect::StartStep { sequence, step, attempt, .. } = effect else { continue };
            let result = Box::new(result(step));
            self.perform(Input::StepExited { sequence, step, attempt, state: EndState::Succeeded, result })?;
            ran += 1;
        }
        Ok(ran)
    }

    fn perform(&mut self, input: Input) -> anyhow::Result<()> {
        let (clock, entropy) = (reading(), random()?);
        let cx = Context {
            clock: &clock,
            entropy,
            keys: &self.keys,
            endpoint: self.endpoint,
            probes: &self.catalogue,
            boot: self.boot,
            limits: Limits::default(),
        };
        let effects = self.store.transaction(|db: &dyn Sql| runtime::handle(db, &cx, input));
        let effects: Result<_, tidegate_sqlite::WriteError<Error>> = effects;
        for effect in effects.map_err(|error| anyhow::anyhow!("a call failed: {error:?}"))? {
            match effect {
                Effect::KeepTicket(ticket) => self.ticket = ticket,
                Effect::StartStep { .. } | Effect::Kill { .. } => self.running.push(effect),
            }
        }
        Ok(())
    }

    fn context<'a>(&'a self, clock: &'a Reading, entropy: [u8; 32]) -> Context<'a> {
        Context {
            clock,
            entropy,
            keys: &self.keys,
            endpoint: self.endpoint,
            probes: &self.catalogue,
            boot: self.boot,
            limits: Limits::default(),
        }
    }
}

/// 32 random bytes.
///
/// # Errors
///
/// When the system has none.
pub fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

fn reading() -> Reading {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(since.as_millis()).unwrap_or(0);
    Reading {
        wall: Timestamp::from_milliseconds(i64::try_from(ms).unwrap_or(0)),
        monotonic_ms: ms,
        machine_boot: "light".into(),
    }
}

/// Facts as `system_info` gives them; the seed tells one machine from another.
fn facts(name: &str, seed: [u8; 32]) -> Map<String, Value> {
    let [a, b, c, d, ..] = seed;
    let facts = [
        ("hostname", json!(name)),
        ("os_name", json!(["Debian", "Ubuntu", "Windows"][usize::from(a) % 3])),
        ("os_version", json!(["12", "22.04", "10.0.19045"][usize::from(a) % 3])),
        ("kernel", json!(format!("6.1.0-{}-amd64", b % 40))),
        ("architecture", json!("x86_64")),
        ("cpus", json!(4)),
        ("memory_total_bytes", json!(4_109_824_000_u64)),
        ("boot_id", json!(format!("{a:02x}{b:02x}{c:02x}{d:02x}-7d1c-4f0e-9d2a-52b1c6a90d11"))),
        ("time_zone", json!("Europe/Berlin")),
        (
            "addresses",
            json!([
                { "interface": "eth0", "address": format!("10.{a}.{b}.{c}"), "mac": format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}") },
                { "interface": "eth1", "address": format!("192.168.{c}.{d}"), "mac": format!("02:43:{d:02x}:{c:02x}:{b:02x}:{a:02x}") },
            ]),
        ),
        ("serial", json!(format!("PC-{c:02X}{d:02X}{a:02X}-{b:03}"))),
    ];
    facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A result of the size that a check of a real machine brings back.
fn result(step: u32) -> StepResult {
    let head = format!("line of output of step {step}\n").repeat(12);
    let mut data = Map::new();
    data.insert("replies".into(), json!(4));
    data.insert("round_trip_ms".into(), json!([0.81, 0.79, 0.83, 0.80]));
    StepResult {
        summary: "4 of 4 replies, 0.8 ms".into(),
        finding: Finding::Ok,
        data,
        output: Output { bytes: head.len() as u64, head, ..Output::default() },
        error_output: None,
    }
}
