//! Today's control plane, as its host drives it: one transaction a call, and every answer as it travels.

use std::sync::Arc;

use serde_json::json;
use tidegate_core::call::{
    Admission, Answer, Command, Context, EndpointAct, EndpointInput, EndpointQuestion, Presence, Principal,
    Proof, Reply, Resource, Seen, SyncNeed,
};
use tidegate_core::control::{self, TicketUses};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::error::{Error, Problem};
use tidegate_core::id::{ClientId, EndpointId, JournalId, PersonId, SequenceId, SiteId};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    Authority, EnrolRequest, PROTOCOL_VERSION, RecoverRequest, SyncMessage, TimeAnswer, TimeRequest,
    TimeStatement,
};

use crate::database::Database;
use crate::exchange::Exchange;
use crate::keys;
use crate::machine::ENDPOINT;

pub(crate) struct Plane {
    pub(crate) database: Database,
    pub(crate) serial: u64,
    authority: Authority,
    earlier: Vec<Envelope>,
    tickets: TicketUses,
    start: u64,
    /// The journal that the last signed sync named: the one that people adopt.
    pub(crate) journal: Option<JournalId>,
}

/// What one call is given: the time and fresh bytes.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) entropy: [u8; 32],
}

struct Start(u64);

impl Presence for Start {
    fn last_seen(&self, _: EndpointId) -> Option<Seen> {
        None
    }

    fn is_connected(&self, _: EndpointId) -> bool {
        false
    }

    fn start(&self) -> u64 {
        self.0
    }
}

impl Plane {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            database: Database::new(&control::SCHEMA),
            serial: 1,
            authority: keys::authority(1, now, Vec::new()),
            earlier: Vec::new(),
            tickets: TicketUses::default(),
            start: 1,
            journal: None,
        }
    }

    /// The program starts again: what only its memory held is gone.
    pub(crate) fn restart(&mut self) {
        (self.tickets, self.start) = (TicketUses::default(), self.start + 1);
    }

    /// The owner gives it a new order key.
    pub(crate) fn rotate(&mut self, now: Timestamp, revokes: bool) {
        self.earlier.push(self.authority.certificate.clone());
        let revoked = if revokes { vec![self.serial] } else { Vec::new() };
        self.serial += 1;
        self.authority = keys::authority(self.serial, now, revoked);
        self.restart();
    }

    fn with<T>(&self, moment: Moment, run: impl FnOnce(&Context<'_>) -> T) -> T {
        run(&Context {
            now: moment.now,
            entropy: moment.entropy,
            keys: &keys::order_keys(self.serial),
            authority: &self.authority,
            presence: &Start(self.start),
            earlier: &self.earlier,
        })
    }

    fn handle(&self, moment: Moment, input: EndpointInput) -> Result<Reply, Error> {
        let call = |cx: &Context<'_>| {
            self.database.transaction(|db| control::handle(db, cx, ENDPOINT, input)).map(|(reply, _)| reply)
        };
        self.with(moment, call)
    }

    pub(crate) fn act(&self, moment: Moment, act: EndpointAct) -> Resource {
        let by = Principal {
            person: PersonId::from_bytes([4; 10]),
            email: "technician@example.org".to_owned(),
            role: "owner".to_owned(),
            proof: Proof::Token { until: None },
        };
        let command = Command { by, idempotency: None, act };
        match self.handle(moment, EndpointInput::Act(Box::new(command))) {
            Ok(Reply::Resource { resource, .. }) => *resource,
            other => panic!("a person can do that: {other:?}"),
        }
    }

    /// Says so where a deadline has come.
    pub(crate) fn deadline(&self, moment: Moment) {
        let due = control::next_deadline(&self.database, ENDPOINT).unwrap();
        if due.is_some_and(|due| due <= moment.now) {
            self.handle(moment, EndpointInput::Deadline).unwrap();
        }
    }

    pub(crate) fn restore(&mut self, moment: Moment, backup: &Database, is_announced: bool) {
        self.database = backup.copy();
        self.restart();
        if is_announced {
            self.with(moment, |cx| self.database.transaction(|db| control::restore_all(db, cx))).unwrap();
        }
    }

    /// The state of a sequence in the word of the interface.
    pub(crate) fn state(&self, moment: Moment, sequence: SequenceId) -> String {
        let question = EndpointQuestion::Sequence(sequence);
        match self.with(moment, |cx| control::query(&self.database, cx, ENDPOINT, question)) {
            Ok(Answer::Sequence(view)) => {
                serde_json::to_value(view.state).unwrap().as_str().unwrap().to_owned()
            }
            Err(Error::Problem(problem)) => problem.code.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// Fills in the answer to a request, as the host does.
    pub(crate) fn answer(&mut self, moment: Moment, exchange: &mut Exchange) {
        let body = exchange.plain_request();
        let answer = match exchange.path.as_str() {
            "/runtime/v1/time" => self.time(moment, &body).map(Some),
            "/runtime/v1/enrol" => self.enrol(moment, &body).map(Some),
            "/runtime/v1/sync" => self.sync(moment, &body),
            path => panic!("no such path: {path}"),
        };
        let json = Some("application/json".to_owned());
        (exchange.status, exchange.content_type, exchange.answer) = match answer {
            Ok(Some(answer)) => (200, json, answer),
            Ok(None) => (204, None, Vec::new()),
            Err(Error::Problem(Problem { code, .. })) => {
                let problem = json!({ "status": code.status(), "code": code.as_str() });
                let content_type = Some("application/problem+json".to_owned());
                (code.status(), content_type, problem.to_string().into_bytes())
            }
            Err(Error::Sql(error)) => panic!("{error}"),
        };
    }

    fn time(&self, moment: Moment, body: &[u8]) -> Result<Vec<u8>, Error> {
        let TimeRequest { nonce } = read(body)?;
        let statement = TimeStatement { v: PROTOCOL_VERSION, nonce, at: moment.now };
        let answer = TimeAnswer {
            time: keys::statement_seal(&statement, self.serial),
            authority: self.authority.certificate.clone(),
            root: self.authority.root,
        };
        Ok(serde_json::to_vec(&answer).unwrap())
    }

    fn enrol(&self, moment: Moment, body: &[u8]) -> Result<Vec<u8>, Error> {
        let envelope: Envelope = read(body)?;
        let input = match envelope.peek::<RecoverRequest>() {
            Ok(_) => EndpointInput::Recover(Box::new(envelope)),
            Err(_) => {
                let refused = |_| Error::invalid("the request does not read");
                let request = envelope.peek::<EnrolRequest>().map_err(refused)?;
                let request = envelope.open::<EnrolRequest>(&request.key).map_err(refused)?;
                EndpointInput::Enrol(Box::new(admission(request)))
            }
        };
        match self.handle(moment, input)? {
            Reply::Enrolled(answer) => Ok(serde_json::to_vec(&*answer).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn sync(&mut self, moment: Moment, body: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let message = SyncMessage::parse(body).map_err(|error| Error::invalid(error.to_string()))?;
        let (question, input) = match message {
            SyncMessage::Signed(request) => {
                self.journal = Some(request.line.journal.id);
                let request = Arc::new(*request);
                let input = EndpointInput::Sync { request: Arc::clone(&request), address: None };
                (EndpointQuestion::Sync(request), input)
            }
            SyncMessage::Idle(idle) => {
                if !self.tickets.admits(&idle.ticket, idle.count) {
                    let code = tidegate_core::error::Code::TokenExpired;
                    return Err(Error::problem(code, "not issued since the start"));
                }
                let idle = Arc::new(idle);
                (EndpointQuestion::IdleSync(Arc::clone(&idle)), EndpointInput::IdleSync(idle))
            }
        };
        match self.with(moment, |cx| control::query(&self.database, cx, ENDPOINT, question))? {
            Answer::Sync(SyncNeed::Wait) => return Ok(None),
            Answer::Sync(SyncNeed::Handle) => {}
            other => panic!("{other:?}"),
        }
        let Reply::Synced(synced) = self.handle(moment, input)? else { panic!("a sync is answered as one") };
        let answer = synced.seal(&keys::order_keys(self.serial));
        answer.ticket.iter().for_each(|ticket| self.tickets.issued(ticket));
        Ok(Some(serde_json::to_vec(&answer).unwrap()))
    }
}

/// What the directory says of a machine whose code it took.
fn admission(request: EnrolRequest) -> Admission {
    Admission {
        endpoint: ENDPOINT,
        site: SiteId::from_bytes([2; 10]),
        client: ClientId::from_bytes([3; 10]),
        time_zone: "UTC".to_owned(),
        code_by: "owner@example.org".to_owned(),
        request,
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::invalid(error.to_string()))
}

/// Fresh bytes for one call, the same in every run of a story.
pub(crate) fn entropy(story: &str, side: &str, step: usize, variation: u8) -> [u8; 32] {
    Digest::of(format!("{story} {side} {step} {variation}")).0
}
