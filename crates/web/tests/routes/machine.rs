//! A machine as the control plane sees it: keys, journals and syncs, without a runtime.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Map, json};
use tidegate_core::call::{Admission, EndpointInput, Input, ObjectId, Reply};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{BootId, ClientId, CodeId, EndpointId, JournalId, RequestId, SiteId};
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, ProbeSpec, Risk};
use tidegate_core::wire::{
    EnrolRequest, EnrolmentCode, Head, IdleSync, PROTOCOL_VERSION, SyncAnswer, SyncLine, SyncRequest,
    seal_public_key,
};
use tidegate_web::Host as _;

use crate::world::{Response, World};

/// The endpoint of every test.
pub(crate) const ENDPOINT: EndpointId = EndpointId::from_bytes([5; 10]);
/// The journal it enrols with.
pub(crate) const FIRST: JournalId = JournalId::from_bytes([1; 10]);
/// Another one, as after a re-image.
pub(crate) const SECOND: JournalId = JournalId::from_bytes([2; 10]);

/// The machine.
pub(crate) struct Machine {
    world: Arc<World>,
    pub(crate) keys: KeyPair,
    requests: u8,
}

impl Machine {
    /// A machine that nobody knows.
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: world.clone(), keys: KeyPair::from_seed(Role::Endpoint, &[3; 32]), requests: 0 }
    }

    /// A machine that is enrolled with [`FIRST`].
    pub(crate) async fn enrolled(world: &Arc<World>) -> Self {
        Self::enrolled_as(world, ENDPOINT, 3).await
    }

    /// The same with another id, and a seed for keys of its own.
    pub(crate) async fn enrolled_as(world: &Arc<World>, endpoint: EndpointId, seed: u8) -> Self {
        let keys = KeyPair::from_seed(Role::Endpoint, &[seed; 32]);
        let machine = Self { keys, ..Self::new(world) };
        let admission = Admission {
            endpoint,
            site: SiteId::from_bytes([6; 10]),
            client: ClientId::from_bytes([7; 10]),
            time_zone: "Europe/Berlin".to_owned(),
            code_by: "owner@example.com".to_owned(),
            request: machine.enrol_request(CodeId::from_bytes([8; 10]), "0".repeat(32)),
        };
        let input = Input::Endpoint(EndpointInput::Enrol(Box::new(admission)));
        let reply = world.handle(ObjectId::Endpoint(endpoint), input).await.unwrap();
        assert!(matches!(reply, Reply::Enrolled(_)), "{reply:?}");
        machine
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.keys.public_key(Role::Endpoint)
    }

    pub(crate) fn enrol_request(&self, code: CodeId, secret: String) -> EnrolRequest {
        let facts = Map::from_iter([("os".to_owned(), json!("Windows 10"))]);
        EnrolRequest {
            v: PROTOCOL_VERSION,
            code,
            secret,
            key: self.key(),
            seal_key: seal_public_key(&[4; 32]),
            journal: FIRST,
            name: "HMI-07".to_owned(),
            facts,
            probes: catalogue(),
        }
    }

    /// Asks to enrol with `code`, over HTTP.
    pub(crate) async fn enrol(&self, code: &EnrolmentCode) -> Response {
        let secret: String = code.secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = Envelope::seal(&self.enrol_request(code.id, secret), &self.keys, Role::Endpoint);
        self.world.open(Method::POST, "/runtime/v1/enrol", &serde_json::to_value(request).unwrap()).await
    }

    /// The first line of a sync with an empty journal, which allows to hold the answer for `hold`.
    pub(crate) fn line(&mut self, journal: JournalId) -> SyncLine {
        self.requests += 1;
        SyncLine {
            v: PROTOCOL_VERSION,
            endpoint: ENDPOINT,
            request: RequestId::from_bytes([self.requests; 10]),
            boot: BootId::from_bytes([9; 10]),
            serial: 1,
            wall: self.world.now(),
            clock: None,
            journal: Head { id: journal, number: 0, hash: Digest::ZERO },
            orders: None,
            after: None,
            content: None,
            gap: false,
            failures: None,
            proofs: 0,
        }
    }

    /// Sends a signed sync.
    pub(crate) async fn sync(&mut self, journal: JournalId) -> SyncAnswer {
        let bytes = SyncRequest::seal(self.line(journal), None, &[], &self.keys);
        answer(&self.send(bytes).await)
    }

    /// An idle sync of [`SECOND`], which is a candidate after this.
    pub(crate) async fn candidate_idle(&mut self, hold: Duration) -> IdleSync {
        let ticket = self.sync(SECOND).await.ticket.unwrap();
        self.requests += 1;
        let request = RequestId::from_bytes([self.requests; 10]);
        let hold_ms = u64::try_from(hold.as_millis()).unwrap();
        IdleSync { endpoint: ENDPOINT, request, ticket, hold_ms, count: self.requests.into() }
    }

    /// Sends the bytes of a sync.
    pub(crate) async fn send(&self, bytes: Vec<u8>) -> Response {
        self.world.send(Request::post("/runtime/v1/sync").body(Body::from(bytes)).unwrap()).await
    }
}

/// The answer to a sync that was believed.
pub(crate) fn answer(response: &Response) -> SyncAnswer {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.bytes));
    serde_json::from_slice(&response.bytes).unwrap()
}

fn catalogue() -> Catalogue {
    let command = ArgumentSpec {
        name: "command".to_owned(),
        about: "What to run.".to_owned(),
        kind: ArgumentKind::Text { bytes_max: 1_000 },
        required: true,
        default: None,
    };
    Catalogue(vec![ProbeSpec {
        name: "shell".to_owned(),
        about: "Runs a command.".to_owned(),
        risk: Risk::Change,
        arguments: vec![command],
        example: Map::new(),
    }])
}
