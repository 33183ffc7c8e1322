//! A directory on SQLite in memory, with a clock and people.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Map;

use crate::api::{
    ClientView, CodeView, EndpointState, EndpointView, NewClient, NewCode, NewSite, Paging, Reachability,
    SequenceState, SequenceSummary, SiteView, WorkState,
};
use crate::call::{
    Answer, Command, Context, DirectoryAct, DirectoryInput, DirectoryQuestion, Effect, Idempotency, Presence,
    Principal, Projection, Proof, Reply, Resource, Seen,
};
use crate::digest::Digest;
use crate::directory::{SCHEMA, handle, query, token_digest};
use crate::entropy::Entropy;
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::id::{ClientId, EndpointId, JournalId, PersonId, SequenceId, SiteId};
use crate::keys::{KeyPair, PublicKey, Role, Sign};
use crate::probe::Catalogue;
use crate::schema::{Schema, migrate};
use crate::time::{Milliseconds, Timestamp};
use crate::wire::{Authority, EnrolRequest, EnrolmentCode, OrderKeyCertificate, PROTOCOL_VERSION};

use super::memory::Memory;

pub(super) struct World {
    pub(super) db: Memory,
    pub(super) now: Timestamp,
    pub(super) heard: Heard,
    calls: u64,
    keys: KeyPair,
    authority: Authority,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of_version(SCHEMA.migrations.len())
    }

    /// A directory as the program wrote it that knew this many migrations.
    pub(super) fn of_version(version: usize) -> Self {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let keys = KeyPair::from_seed(Role::Order, &[1; 32]);
        let order_key = keys.public_key(Role::Order);
        let certificate = OrderKeyCertificate::new(1, &keys, now);
        let certificate = Envelope::seal(&certificate, &keys, Role::Order);
        let authority = Authority { root: order_key, certificate };
        let db = Memory::new();
        migrate(&db, &Schema { migrations: &SCHEMA.migrations[..version], ..SCHEMA }).unwrap();
        Self { db, now, heard: Heard::default(), calls: 0, keys, authority }
    }

    pub(super) fn root(&self) -> PublicKey {
        self.authority.root
    }

    pub(super) fn pass(&mut self, span: &str) {
        self.now = self.now.plus(Milliseconds::parse(span).unwrap());
    }

    pub(super) fn entropy(&mut self) -> Entropy {
        self.calls += 1;
        Entropy::new(Digest::of(self.calls.to_be_bytes()).0)
    }

    pub(super) fn try_handle(&mut self, input: DirectoryInput) -> Result<Reply, Error> {
        let entropy = self.entropy().bytes();
        let cx = context(entropy, self.now, &self.keys, &self.authority, &self.heard);
        self.db.batch("SAVEPOINT call");
        let answer = handle(&self.db, &cx, input);
        let end = if answer.is_ok() { "RELEASE call" } else { "ROLLBACK TO call; RELEASE call" };
        self.db.batch(end);
        let (reply, effects) = answer?;
        assert!(effects.iter().all(|effect| *effect == Effect::Tell), "{effects:?}");
        Ok(reply)
    }

    pub(super) fn try_ask(&self, question: DirectoryQuestion) -> Result<Answer, Error> {
        let cx = context([9; 32], self.now, &self.keys, &self.authority, &self.heard);
        query(&self.db, &cx, question)
    }

    pub(super) fn try_act(
        &mut self,
        key: Option<Idempotency>,
        act: DirectoryAct,
    ) -> Result<(Resource, bool), Error> {
        self.try_act_as(anna(), key, act)
    }

    pub(super) fn try_act_as(
        &mut self,
        by: Principal,
        key: Option<Idempotency>,
        act: DirectoryAct,
    ) -> Result<(Resource, bool), Error> {
        let command = Command { by, idempotency: key, act };
        match self.try_handle(DirectoryInput::Act(Box::new(command)))? {
            Reply::Resource { resource, created, .. } => Ok((*resource, created)),
            other => panic!("an act is answered with a resource and not {other:?}"),
        }
    }

    /// Acts as somebody else than [`anna`].
    pub(super) fn act_as(&mut self, by: &Principal, act: DirectoryAct) -> Result<Resource, Error> {
        self.try_act_as(by.clone(), None, act).map(|(resource, _)| resource)
    }

    pub(super) fn act(&mut self, act: DirectoryAct) -> Result<Resource, Error> {
        self.try_act(None, act).map(|(resource, _)| resource)
    }

    pub(super) fn client(&mut self, name: &str) -> ClientView {
        match self.act(DirectoryAct::CreateClient(NewClient { name: name.to_owned() })) {
            Ok(Resource::Client(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn site(&mut self, client: ClientId, name: &str) -> SiteView {
        let new = NewSite { client_id: client, name: name.to_owned(), time_zone: None, windows: Vec::new() };
        match self.act(DirectoryAct::CreateSite(new)) {
            Ok(Resource::Site(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    /// A site of a client of its own.
    pub(super) fn some_site(&mut self) -> SiteView {
        let client = self.client("Acme");
        self.site(client.id, "Plant North")
    }

    pub(super) fn code(&mut self, new: NewCode) -> CodeView {
        match self.act(DirectoryAct::CreateCode(new)) {
            Ok(Resource::Code(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn admit(
        &mut self,
        machine: u8,
        code: &EnrolmentCode,
    ) -> Result<crate::call::Admission, Error> {
        let keys = KeyPair::from_seed(Role::Endpoint, &[machine; 32]);
        let envelope = Envelope::seal(&enrol_request(machine, code), &keys, Role::Endpoint);
        match self.try_handle(DirectoryInput::Admit(Box::new(envelope)))? {
            Reply::Admitted { admission, .. } => Ok(*admission),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn project(&mut self, projection: Projection) {
        assert_eq!(self.try_handle(DirectoryInput::Project(vec![projection])), Ok(Reply::Done));
    }
}

fn context<'a>(
    entropy: [u8; 32],
    now: Timestamp,
    keys: &'a KeyPair,
    authority: &'a Authority,
    heard: &'a Heard,
) -> Context<'a> {
    Context { now, entropy, keys, authority, presence: heard, earlier: &[] }
}

pub(super) fn anna() -> Principal {
    Principal {
        person: PersonId::from_bytes([7; 10]),
        email: "anna@example.com".into(),
        role: "owner".into(),
        proof: Proof::Token { until: None },
    }
}

/// Somebody without any rights over others.
pub(super) fn stranger() -> Principal {
    Principal {
        person: PersonId::from_bytes([8; 10]),
        email: "eve@example.com".into(),
        role: "visitor".into(),
        proof: Proof::Token { until: None },
    }
}

pub(super) fn key(key: &str, body: &str) -> Option<Idempotency> {
    Some(Idempotency { key: key.into(), route: "POST /api/v1/clients".into(), body: Digest::of(body) })
}

pub(super) fn new_code(site: SiteId) -> NewCode {
    NewCode { site_id: site, uses: None, expires_in: None, endpoint_id: None }
}

pub(super) fn read(code: &CodeView) -> EnrolmentCode {
    code.code.as_ref().unwrap().parse().unwrap()
}

pub(super) fn enrol_request(machine: u8, code: &EnrolmentCode) -> EnrolRequest {
    EnrolRequest {
        v: PROTOCOL_VERSION,
        code: code.id,
        secret: data_encoding::HEXLOWER.encode(&code.secret),
        key: PublicKey::of_seed(&[machine; 32]),
        seal_key: PublicKey([machine; 32]),
        journal: JournalId::from_bytes([machine; 10]),
        name: format!("hmi-{machine}"),
        facts: Map::new(),
        probes: Catalogue(Vec::new()),
    }
}

pub(super) fn endpoint_id(number: u32) -> EndpointId {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&number.to_be_bytes());
    EndpointId::from_bytes(bytes)
}

pub(super) fn endpoint_view(number: u32, name: &str, site: &SiteView) -> EndpointView {
    EndpointView {
        id: endpoint_id(number),
        name: name.into(),
        client_id: site.client_id,
        site_id: site.id,
        state: EndpointState::Active,
        reachability: Reachability::NeverSeen,
        work: WorkState::Idle,
        attention: Vec::new(),
        last_seen_at: None,
        clock_skew_ms: None,
        facts: Map::new(),
        probes: None,
        journals: Vec::new(),
        traffic: Vec::new(),
        outages: Vec::new(),
        usual_interval_ms: None,
        usual_hours_utc: Vec::new(),
        tags: Vec::new(),
        address: None,
        notes: Vec::new(),
        claimed: 0,
        same_name: Vec::new(),
        enrolled_at: site.created_at,
        revision: 0,
    }
}

pub(super) fn projection(version: u64, endpoint: EndpointView) -> Projection {
    Projection {
        version,
        endpoint,
        keys: Vec::new(),
        sequences: Vec::new(),
        removed: Vec::new(),
        taken: Vec::new(),
    }
}

pub(super) fn summary(
    endpoint: EndpointId,
    number: u32,
    state: SequenceState,
    at: Timestamp,
) -> SequenceSummary {
    SequenceSummary {
        id: SequenceId::fresh(endpoint, &mut Entropy::new(Digest::of(number.to_be_bytes()).0)),
        endpoint_id: endpoint,
        title: format!("sequence {number}"),
        state,
        created_by: "anna@example.com".into(),
        created_at: at,
        changed_at: at,
        steps: 1,
        ran: 0,
        attention: 0,
        interrupted: 0,
        worst: None,
        ended_at: state.is_ended().then_some(at),
        not_before: None,
        expires_at: None,
        reviewed: None,
        assignee: None,
        playbook: None,
        reason: None,
    }
}

pub(super) fn facts(facts: &serde_json::Value) -> Map<String, serde_json::Value> {
    facts.as_object().unwrap().clone()
}

pub(super) fn all() -> Paging {
    Paging { cursor: None, limit: Paging::LIMIT_MAX }
}

/// Digest of the secret with this text.
pub(super) fn secret(text: &str) -> Digest {
    token_digest(text)
}

pub(super) fn code_of<T: std::fmt::Debug>(answer: Result<T, Error>) -> Code {
    problem(answer).0
}

/// The code and sentence of a refusal.
pub(super) fn problem<T: std::fmt::Debug>(answer: Result<T, Error>) -> (Code, String) {
    match answer {
        Err(Error::Problem(problem)) => (problem.code, problem.detail),
        other => panic!("expected a refusal and not {other:?}"),
    }
}

#[derive(Default)]
pub(super) struct Heard {
    pub(super) seen: BTreeMap<EndpointId, Seen>,
    pub(super) connected: BTreeSet<EndpointId>,
}

impl Presence for Heard {
    fn last_seen(&self, endpoint: EndpointId) -> Option<Seen> {
        self.seen.get(&endpoint).copied()
    }

    fn start(&self) -> u64 {
        0
    }

    fn is_connected(&self, endpoint: EndpointId) -> bool {
        self.connected.contains(&endpoint)
    }
}
