//! A machine without a runtime: it enrols, keeps a journal, and takes orders up as the protocol says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use hyper::Method;
use serde_json::Map;
use tidegate_core::chain::{Entry, Link};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{BootId, EndpointId, JournalId, LogId, RequestId};
use tidegate_core::journal::{JournalBody, JournalHeader, Known};
use tidegate_core::keys::{KeyPair, Role, Sign as _};
use tidegate_core::probe::{Catalogue, ProbeSpec, Risk};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    EnrolAnswer, EnrolRequest, EnrolmentCode, Head, IdleSync, Order, OrderKind, PROTOCOL_VERSION, SyncAnswer,
    SyncLine, SyncRequest, seal_public_key,
};

use crate::client::{Client, Response};

/// The machine.
pub(crate) struct Machine {
    keys: KeyPair,
    entropy: Entropy,
    boot: BootId,
    pub(crate) endpoint: Option<EndpointId>,
    journal: Head<JournalId>,
    orders: Option<Head<LogId>>,
    unsent: Vec<Entry>,
    pub(crate) ticket: Option<String>,
    idle_count: u64,
}

impl Machine {
    /// A machine that nobody knows; `number` makes it another than the others.
    pub(crate) fn new(number: u8) -> Self {
        let mut entropy = Entropy::new([number; 32]);
        let journal = Head { id: JournalId::fresh(&mut entropy), number: 0, hash: Digest::ZERO };
        let mut machine = Self {
            keys: KeyPair::from_seed(Role::Endpoint, &entropy.bytes()),
            boot: BootId::fresh(&mut entropy),
            entropy,
            endpoint: None,
            journal,
            orders: None,
            unsent: Vec::new(),
            ticket: None,
            idle_count: 0,
        };
        machine.write(&JournalBody::Booted {
            version: "0.0.0".to_owned(),
            machine_boot: String::new(),
            leftovers: 0,
        });
        machine
    }

    /// Asks to enrol; what the control plane says.
    pub(crate) async fn ask_to_enrol(&self, client: &mut Client, code: &EnrolmentCode) -> Response {
        let request = EnrolRequest {
            v: PROTOCOL_VERSION,
            code: code.id,
            secret: code.secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            key: self.keys.public_key(Role::Endpoint),
            seal_key: seal_public_key(&[4; 32]),
            journal: self.journal.id,
            name: "HMI-07".to_owned(),
            facts: Map::new(),
            probes: Catalogue(vec![ProbeSpec {
                name: "system_info".to_owned(),
                about: "What the machine is.".to_owned(),
                risk: Risk::Observe,
                arguments: Vec::new(),
                example: Map::new(),
            }]),
        };
        let envelope = Envelope::seal(&request, &self.keys, Role::Endpoint);
        client.post("/runtime/v1/enrol", &serde_json::to_value(envelope).unwrap()).await
    }

    /// Enrols.
    pub(crate) async fn enrol(&mut self, client: &mut Client, code: &str) {
        let response = self.ask_to_enrol(client, &code.parse().unwrap()).await.expect(200);
        let answer: EnrolAnswer = serde_json::from_slice(&response.bytes).unwrap();
        assert!(answer.authority.order_key().is_ok(), "the root key certifies the order key");
        self.endpoint = Some(answer.endpoint);
    }

    /// Syncs until nothing moves, and answers every order that came.
    pub(crate) async fn settle(&mut self, client: &mut Client) -> Vec<OrderKind> {
        let mut orders = Vec::new();
        loop {
            let answer = self.sync(client).await;
            let is_settled = answer.offered.is_empty() && answer.transcript.is_none();
            orders.extend(self.take(&answer));
            if is_settled && self.unsent.is_empty() {
                return orders;
            }
        }
    }

    /// One signed sync with everything that was not sent.
    pub(crate) async fn sync(&mut self, client: &mut Client) -> SyncAnswer {
        let entries = self.unsent.clone();
        let mut line = self.line();
        line.after = (!entries.is_empty()).then(|| self.journal.number - entries.len() as u64);
        let bytes = SyncRequest::seal(line, None, &entries, &self.keys);
        let response = client.send(Method::POST, "/runtime/v1/sync", bytes.into()).await;
        let answer = believed(&response);
        assert_eq!(answer.journal.head, self.journal);
        self.unsent.clear();
        self.ticket.clone_from(&answer.ticket);
        answer
    }

    /// The bytes of a sync that has nothing to say and may be held.
    pub(crate) fn idle(&mut self, hold: Duration) -> Bytes {
        let request = RequestId::fresh(&mut self.entropy);
        let (endpoint, ticket) = (self.endpoint.unwrap(), self.ticket.clone().unwrap());
        let hold_ms = u64::try_from(hold.as_millis()).unwrap();
        self.idle_count += 1;
        IdleSync { endpoint, request, ticket, hold_ms, count: self.idle_count }.write().into()
    }

    fn take(&mut self, answer: &SyncAnswer) -> Vec<OrderKind> {
        if let Some(head) = &answer.transcript {
            self.write(&JournalBody::Head { head: head.clone() });
        }
        let orders = answer.offered.iter().map(|offered| {
            let order: Order = offered.order.peek().unwrap();
            self.orders = Some(Head { id: order.log, number: order.number, hash: offered.order.digest() });
            if matches!(order.order, OrderKind::Adopt { .. }) {
                let known = Known { complete_since: now(), outcomes: Vec::new() };
                self.write(&JournalBody::Opened { log: order.log, known });
            }
            order.order
        });
        orders.collect()
    }

    fn line(&mut self) -> SyncLine {
        SyncLine {
            v: PROTOCOL_VERSION,
            endpoint: self.endpoint.unwrap(),
            request: RequestId::fresh(&mut self.entropy),
            boot: self.boot,
            serial: 1,
            wall: now(),
            clock: None,
            journal: self.journal,
            orders: self.orders,
            after: None,
            content: None,
            gap: false,
            failures: None,
            proofs: 0,
        }
    }

    fn write(&mut self, body: &JournalBody) {
        let text = serde_json::to_string(body).unwrap();
        let number = self.journal.number + 1;
        let header = JournalHeader {
            journal: self.journal.id,
            kind: body.kind().to_owned(),
            at: now(),
            is_unsure: false,
            wall: now(),
            monotonic_ms: number,
            boot: self.boot,
            link: Link::new(number, self.journal.hash, &text, &mut self.entropy),
        };
        let entry = Entry { header: serde_json::to_string(&header).unwrap(), body: Some(text) };
        self.journal = Head { id: self.journal.id, number, hash: entry.hash() };
        self.unsent.push(entry);
    }
}

/// The answer to a sync that was believed.
#[track_caller]
pub(crate) fn believed(response: &Response) -> SyncAnswer {
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_slice(&response.bytes).unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap())
}
