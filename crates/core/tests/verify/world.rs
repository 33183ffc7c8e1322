//! One control plane and one endpoint, both real halves over databases in memory, with a clock and entropy that
//! count. What they exchange arrives.

use serde_json::{Map, Value};
use std::sync::Arc;

use tidegate_core::api::{NewSequence, SequenceSummary};
use tidegate_core::call::{
    Admission, Answer, Command, Context, EndpointAct, EndpointInput, EndpointQuestion, Presence, Principal,
    Proof, Reply, Seen, SequenceAct,
};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{
    BootId, ClientId, CodeId, EndpointId, JournalId, PersonId, RequestId, SequenceId, SiteId,
};
use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::probe::Catalogue;
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    Authority, EnrolRequest, OrderKeyCertificate, PROTOCOL_VERSION, Policy, SyncRequest, seal_public_key,
};
use tidegate_core::{control, runtime, schema};
use tidegate_sqlite::{Settings, Store};

pub(crate) const START_MS: i64 = 1_795_442_400_000;
pub(crate) const ENDPOINT: EndpointId = EndpointId::from_bytes([1; 10]);

pub(crate) struct World {
    pub(crate) control: Store,
    pub(crate) endpoint: Store,
    pub(crate) order_keys: KeyPair,
    pub(crate) endpoint_keys: KeyPair,
    /// The seed of the machine's key, and the id of its journal.
    pub(crate) machine: (u8, JournalId),
    pub(crate) authority: Authority,
    probes: Catalogue,
    counter: u64,
    limits: runtime::Limits,
}

struct Nobody;

impl Presence for Nobody {
    fn last_seen(&self, _: EndpointId) -> Option<Seen> {
        None
    }

    fn start(&self) -> u64 {
        0
    }

    fn is_connected(&self, _: EndpointId) -> bool {
        false
    }
}

/// The authority of the owner whose root key is made from `seed`.
pub(crate) fn authority(seed: u8, order_keys: &KeyPair) -> Authority {
    let root_keys = KeyPair::from_seed(Role::Order, &[seed; 32]);
    let issued_at = Timestamp::from_milliseconds(START_MS);
    let certificate = OrderKeyCertificate::new(1, order_keys, issued_at);
    Authority {
        root: PublicKey::of_seed(&[seed; 32]),
        certificate: Envelope::seal(&certificate, &root_keys, Role::Order),
    }
}

impl World {
    /// An endpoint that has just enrolled and started.
    pub(crate) fn new() -> Self {
        let order_keys = KeyPair::from_seed(Role::Order, &[11; 32]);
        let authority = authority(10, &order_keys);
        let (mut control, mut endpoint) = (
            Store::in_memory(&Settings::server()).unwrap(),
            Store::in_memory(&Settings::endpoint()).unwrap(),
        );
        control.transaction(|db| schema::migrate(db, &control::SCHEMA)).unwrap();
        endpoint.transaction(|db| schema::migrate(db, &runtime::SCHEMA)).unwrap();
        let mut world = Self {
            control,
            endpoint,
            order_keys,
            endpoint_keys: KeyPair::from_seed(Role::Endpoint, &[12; 32]),
            machine: (12, JournalId::from_bytes([2; 10])),
            authority,
            probes: serde_json::from_str(include_str!("probes.json")).unwrap(),
            counter: 0,
            limits: runtime::Limits::default(),
        };
        world.enrol();
        world.input(runtime::Input::Booted { version: "0.1.0".into(), leftovers: 0 });
        world
    }

    pub(crate) fn enrol(&mut self) {
        let (seed, journal) = self.machine;
        let request = EnrolRequest {
            v: PROTOCOL_VERSION,
            code: CodeId::from_bytes([3; 10]),
            secret: "00".repeat(16),
            key: PublicKey::of_seed(&[seed; 32]),
            seal_key: seal_public_key(&[13; 32]),
            journal,
            name: "hmi-7".into(),
            facts: Map::from_iter([("os".into(), Value::from("Windows 10"))]),
            probes: self.probes.clone(),
        };
        let admission = Admission {
            endpoint: ENDPOINT,
            site: SiteId::from_bytes([4; 10]),
            client: ClientId::from_bytes([5; 10]),
            time_zone: "UTC".to_owned(),
            code_by: "ada@example.com".into(),
            request,
        };
        self.told(EndpointInput::Enrol(Box::new(admission)));
        let clock = self.clock();
        let at = clock.wall;
        let authority = &self.authority;
        self.endpoint
            .transaction(|db| runtime::create(db, journal, at, &clock, Policy::default(), authority))
            .unwrap();
    }

    pub(crate) fn tick(&mut self) -> (Timestamp, [u8; 32]) {
        self.counter += 1;
        let now = Timestamp::from_milliseconds(START_MS + 1_000 * self.counter as i64);
        (now, Digest::of(self.counter.to_be_bytes()).0)
    }

    pub(crate) fn clock(&self) -> runtime::Reading {
        let ms = 1_000 * self.counter;
        let wall = Timestamp::from_milliseconds(START_MS + ms as i64);
        runtime::Reading { wall, monotonic_ms: ms, machine_boot: "machine-boot-1".into() }
    }

    /// Something happens to the control plane.
    pub(crate) fn told(&mut self, input: EndpointInput) -> Reply {
        let (now, entropy) = self.tick();
        let cx = Context {
            now,
            entropy,
            keys: &self.order_keys,
            authority: &self.authority,
            presence: &Nobody,
            earlier: &[],
        };
        self.control.transaction(|db| control::handle(db, &cx, ENDPOINT, input)).unwrap().0
    }

    /// The control plane was restored, announced.
    pub(crate) fn restored(&mut self) {
        let (now, entropy) = self.tick();
        let cx = Context {
            now,
            entropy,
            keys: &self.order_keys,
            authority: &self.authority,
            presence: &Nobody,
            earlier: &[],
        };
        self.control.transaction(|db| control::restore_all(db, &cx)).unwrap();
    }

    pub(crate) fn ask(&mut self, question: EndpointQuestion) -> Answer {
        let (now, entropy) = self.tick();
        let cx = Context {
            now,
            entropy,
            keys: &self.order_keys,
            authority: &self.authority,
            presence: &Nobody,
            earlier: &[],
        };
        self.control.read(|db| control::query(db, &cx, ENDPOINT, question)).unwrap()
    }

    /// Something happens on the endpoint; every step that starts succeeds at once.
    pub(crate) fn input(&mut self, input: runtime::Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let (_, entropy) = self.tick();
            let clock = self.clock();
            let cx = runtime::Context {
                clock: &clock,
                entropy,
                keys: &self.endpoint_keys,
                endpoint: ENDPOINT,
                probes: &self.probes,
                boot: BootId::from_bytes([6; 10]),
                limits: self.limits,
            };
            let effects = self.endpoint.transaction(|db| runtime::handle(db, &cx, input)).unwrap();
            for effect in effects {
                if let runtime::Effect::StartStep { sequence, step, attempt, .. } = effect {
                    let (state, result) = (EndState::Succeeded, Box::new(result()));
                    inputs.push(runtime::Input::StepExited { sequence, step, attempt, state, result });
                }
            }
        }
    }

    /// One round trip. Answers whether something moved.
    pub(crate) fn sync(&mut self) -> bool {
        let (now, entropy) = self.tick();
        let clock = self.clock();
        let id = RequestId::from_bytes(entropy[..10].try_into().unwrap());
        let cx = self.endpoint_context(&clock, entropy);
        let request = self.endpoint.read(|db| runtime::request(db, &cx, id, None)).unwrap();
        let parsed = SyncRequest::parse(&request.bytes).unwrap();
        let sends = !parsed.entries.is_empty() || parsed.gap.is_some();
        let input = EndpointInput::Sync { request: Arc::new(parsed), address: None };
        let Reply::Synced(synced) = self.told(input) else { panic!("a sync is answered") };
        let answer = Box::new(synced.seal(&self.order_keys));
        assert!(now < answer.at);
        let moves = sends || answer.more || !answer.offered.is_empty() || answer.transcript.is_some();
        self.input(runtime::Input::SyncAnswered { request: id, answer });
        moves
    }

    /// Syncs until nothing moves.
    pub(crate) fn settle(&mut self) {
        for _ in 0..50 {
            if !self.sync() {
                return;
            }
        }
        panic!("fifty syncs moved something each");
    }

    pub(crate) fn endpoint_context<'a>(
        &'a self,
        clock: &'a runtime::Reading,
        entropy: [u8; 32],
    ) -> runtime::Context<'a> {
        runtime::Context {
            clock,
            entropy,
            keys: &self.endpoint_keys,
            endpoint: ENDPOINT,
            probes: &self.probes,
            boot: BootId::from_bytes([6; 10]),
            limits: self.limits,
        }
    }

    /// A person acts.
    pub(crate) fn act(&mut self, act: EndpointAct) {
        let by = Principal {
            person: PersonId::from_bytes([7; 10]),
            email: "ada@example.com".into(),
            role: "owner".into(),
            proof: Proof::Token { until: None },
        };
        self.told(EndpointInput::Act(Box::new(Command { by, idempotency: None, act })));
    }

    /// Queues one ping.
    pub(crate) fn queue(&mut self) {
        self.queue_steps(1);
    }

    /// Queues a sequence of pings.
    pub(crate) fn queue_steps(&mut self, count: usize) {
        let ping = serde_json::json!({ "probe": "ping", "with": { "host": "10.20.0.5" } });
        let spec = serde_json::from_value(serde_json::json!({ "steps": vec![ping; count] }));
        let new = NewSequence { spec: spec.unwrap(), draft: false };
        self.act(EndpointAct::CreateSequence(Box::new(new)));
    }

    /// Writes a note on the first sequence.
    pub(crate) fn note(&mut self, text: &str) {
        let sequence = self.sequences().last().unwrap().id;
        self.act(EndpointAct::Sequence { sequence, act: SequenceAct::Note(text.into()) });
    }

    fn sequences(&mut self) -> Vec<SequenceSummary> {
        let paging = tidegate_core::api::Paging { cursor: None, limit: 50 };
        match self.ask(EndpointQuestion::Sequences { state: None, since: None, paging }) {
            Answer::Sequences(page) => page.items,
            other => panic!("{other:?}"),
        }
    }

    /// The id of the first sequence.
    pub(crate) fn first_sequence(&mut self) -> SequenceId {
        self.sequences().last().unwrap().id
    }

    /// The endpoint drops every entry that was acknowledged, as it does with old ones.
    pub(crate) fn forget_acknowledged(&mut self) {
        let limits = runtime::Limits { acknowledged_bytes_max: 0, ..runtime::Limits::default() };
        self.limits = limits;
        self.sync();
        self.limits = runtime::Limits::default();
    }

    /// The export, line by line, as it is downloaded.
    pub(crate) fn export(&mut self) -> Vec<String> {
        let Answer::ExportHead(head) = self.ask(EndpointQuestion::ExportHead) else { panic!("a head") };
        let mut lines = vec![serde_json::to_string(&head).unwrap()];
        let (mut after, through) = (0, u64::MAX >> 12);
        loop {
            let question = EndpointQuestion::ExportEntries { after, through };
            let Answer::ExportEntries(entries) = self.ask(question) else { panic!("entries") };
            let Some((last, _)) = entries.last() else { return lines };
            after = *last;
            for (_, entry) in entries {
                lines.push(entry.header);
                lines.push(entry.body.unwrap_or_default());
            }
        }
    }
}

fn result() -> StepResult {
    StepResult {
        summary: "4 of 4 replies, 0.8 ms".into(),
        finding: Finding::Ok,
        data: Map::new(),
        output: Output { head: "64 bytes from 10.20.0.5".into(), bytes: 23, ..Output::default() },
        error_output: None,
    }
}
