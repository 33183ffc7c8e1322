//! Today's runtime, as its program drives it, on a machine whose clock the script moves.

use std::collections::VecDeque;

use serde_json::Map;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{BootId, CodeId, EndpointId, JournalId, RequestId};
use tidegate_core::keys::Role;
use tidegate_core::runtime::{self, Effect, Idle, Input, Limits, Reading, Ticket};
use tidegate_core::sequence::EndState;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    EnrolAnswer, EnrolRequest, PROTOCOL_VERSION, Policy, RecoverRequest, SyncAnswer, TimeAnswer, TimeRequest,
};

use crate::database::Database;
use crate::exchange::Exchange;
use crate::keys;
use crate::plane::Moment;
use crate::probes::{exited, installed, published};

pub(crate) const ENDPOINT: EndpointId = EndpointId::from_bytes([0x11; 10]);
const NONCE: &str = "0123456789abcdef";

/// What a machine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Time,
    Enrol,
    Sync,
    Recover,
}

pub(crate) struct Machine {
    pub(crate) disk: Database,
    /// Whose keys it has, and which image it is.
    number: u8,
    pub(crate) limits: Limits,
    boots: u8,
    booted_at: Timestamp,
    ticket: Option<Ticket>,
    /// Idle syncs and others since the program started.
    requests: u64,
    outstanding: Option<RequestId>,
    process: Option<Attempt>,
}

/// Sequence, step and attempt.
pub(crate) type Attempt = (tidegate_core::id::SequenceId, u32, u32);

impl Machine {
    pub(crate) fn new(number: u8, now: Timestamp) -> Self {
        Self {
            disk: Database::new(&runtime::SCHEMA),
            number,
            limits: Limits::default(),
            boots: 0,
            booted_at: now,
            ticket: None,
            requests: 0,
            outstanding: None,
            process: None,
        }
    }

    fn reading(&self, now: Timestamp) -> Reading {
        let monotonic_ms = now.since(self.booted_at).0;
        // The machine's clock is two seconds ahead.
        Reading { wall: now.shifted_by_ms(2_000), monotonic_ms, machine_boot: format!("boot {}", self.boots) }
    }

    fn with<T>(&self, moment: Moment, run: impl FnOnce(&runtime::Context<'_>) -> T) -> T {
        run(&runtime::Context {
            clock: &self.reading(moment.now),
            entropy: moment.entropy,
            keys: &keys::endpoint_keys(self.number),
            endpoint: ENDPOINT,
            probes: &installed(),
            boot: BootId::from_bytes([0x40 + self.boots; 10]),
            limits: self.limits,
        })
    }

    /// Starts the system and the program.
    pub(crate) fn boot(&mut self, moment: Moment) -> Vec<String> {
        self.boots += 1;
        self.booted_at = moment.now;
        (self.ticket, self.requests, self.outstanding, self.process) = (None, 0, None, None);
        self.handle(moment, Input::Booted { version: "0.1.0".to_owned(), leftovers: 0 })
    }

    /// Takes an input, does what it asks for, and says what it did.
    pub(crate) fn handle(&mut self, moment: Moment, input: Input) -> Vec<String> {
        let (mut said, mut inputs) = (Vec::new(), VecDeque::from([input]));
        while let Some(input) = inputs.pop_front() {
            let call = |cx: &runtime::Context<'_>| self.disk.transaction(|db| runtime::handle(db, cx, input));
            for effect in self.with(moment, call).expect("the runtime's half never refuses") {
                match effect {
                    Effect::StartStep { sequence, step, attempt, probe, .. } => {
                        said.push(format!("the machine starts step {step}, attempt {attempt}: {probe}"));
                        self.process = Some((sequence, step, attempt));
                    }
                    Effect::Kill { sequence, step, attempt } => {
                        said.push(format!(
                            "the machine ends the processes of step {step}, attempt {attempt}"
                        ));
                        self.process = None;
                        inputs.push_back(exited((sequence, step, attempt), EndState::Cancelled, ""));
                    }
                    Effect::KeepTicket(ticket) => self.ticket = ticket,
                }
            }
        }
        said
    }

    /// The step under way ends.
    pub(crate) fn step_ends(&mut self, moment: Moment, state: EndState, output: &str) -> Vec<String> {
        match self.process.take() {
            Some(process) => self.handle(moment, exited(process, state, output)),
            None => vec!["the machine runs nothing that could end".to_owned()],
        }
    }

    /// The next request, the story's exchange of that number.
    pub(crate) fn ask(&mut self, moment: Moment, question: Question, number: usize, packs: bool) -> Exchange {
        let keys = keys::endpoint_keys(self.number);
        let journal = JournalId::from_bytes([0x22 + self.number; 10]);
        match question {
            Question::Time => {
                let body = serde_json::to_vec(&TimeRequest { nonce: NONCE.to_owned() }).unwrap();
                Exchange::new("/runtime/v1/time", &body, false)
            }
            Question::Enrol => {
                let request = EnrolRequest {
                    v: PROTOCOL_VERSION,
                    code: CodeId::from_bytes([7; 10]),
                    secret: "05".repeat(16),
                    key: keys::endpoint_key(self.number),
                    seal_key: keys::endpoint_key(self.number),
                    journal,
                    name: "hmi-7".to_owned(),
                    facts: Map::from_iter([("os".to_owned(), "Windows 10".into())]),
                    probes: published(),
                };
                let body = serde_json::to_vec(&Envelope::seal(&request, &keys, Role::Endpoint)).unwrap();
                Exchange::new("/runtime/v1/enrol", &body, packs)
            }
            Question::Recover => {
                let enrolment = runtime::document_load(&self.disk, "enrolment").unwrap();
                let request = RecoverRequest {
                    v: PROTOCOL_VERSION,
                    enrolment: enrolment.expect("an enrolled machine holds its certificate"),
                    authority: runtime::authority(&self.disk).unwrap(),
                    journal: runtime::status(&self.disk, &self.reading(moment.now)).unwrap().journal.id,
                    facts: Map::new(),
                    probes: published(),
                };
                let body = serde_json::to_vec(&Envelope::seal(&request, &keys, Role::Endpoint)).unwrap();
                Exchange::new("/runtime/v1/enrol", &body, packs)
            }
            Question::Sync => {
                self.requests += 1;
                let mut id = [0x55; 10];
                id[..8].copy_from_slice(&(number as u64).to_be_bytes());
                let id = RequestId::from_bytes(id);
                self.outstanding = Some(id);
                let idle = self.ticket.as_ref().map(|ticket| Idle {
                    ticket,
                    hold_ms: 240_000,
                    count: self.requests,
                });
                let request = self.with(moment, |cx| runtime::request(&self.disk, cx, id, idle)).unwrap();
                Exchange::new("/runtime/v1/sync", &request.bytes, packs && !request.is_idle)
            }
        }
    }

    /// Takes an answer as the program does; what it does then.
    pub(crate) fn take(
        &mut self,
        moment: Moment,
        question: Question,
        status: u16,
        body: &[u8],
    ) -> Vec<String> {
        if status == 204 {
            return Vec::new();
        }
        if status != 200 {
            self.ticket = None;
            return Vec::new();
        }
        let unread = |error: serde_json::Error| vec![format!("the machine cannot read the answer: {error}")];
        match question {
            Question::Sync => match serde_json::from_slice::<SyncAnswer>(body) {
                Ok(answer) => {
                    let Some(request) = self.outstanding else { return Vec::new() };
                    if answer.request == request {
                        self.outstanding = None;
                    }
                    self.handle(moment, Input::SyncAnswered { request, answer: Box::new(answer) })
                }
                Err(error) => unread(error),
            },
            Question::Time => match serde_json::from_slice::<TimeAnswer>(body) {
                Ok(answer) => self.time_take(moment, &answer),
                Err(error) => unread(error),
            },
            Question::Enrol => match serde_json::from_slice::<EnrolAnswer>(body) {
                Ok(answer) => self.enrolled(moment, &answer),
                Err(error) => unread(error),
            },
            Question::Recover => match serde_json::from_slice::<EnrolAnswer>(body) {
                Ok(answer) => self.handle(moment, Input::Certificate(Box::new(answer.authority.certificate))),
                Err(error) => unread(error),
            },
        }
    }

    fn time_take(&mut self, moment: Moment, answer: &TimeAnswer) -> Vec<String> {
        let root = keys::authority(1, moment.now, Vec::new()).root;
        match runtime::verify_time(answer, NONCE, &root, 0) {
            Err(error) => vec![format!("the machine does not believe the time: {error}")],
            // Before its enrolment there is nowhere to keep it.
            Ok(_) if self.boots == 0 => vec!["the machine believes the time".to_owned()],
            Ok((time, _)) => {
                let mut said = self.handle(moment, Input::TimeLearned(time));
                said.push("the machine believes the time".to_owned());
                said
            }
        }
    }

    fn enrolled(&self, moment: Moment, answer: &EnrolAnswer) -> Vec<String> {
        let reading = self.reading(moment.now);
        let journal = JournalId::from_bytes([0x22 + self.number; 10]);
        let probes = ["look", "act", "gone"].map(str::to_owned).to_vec();
        let policy = Policy { probes: Some(probes), ..Policy::default() };
        let created = self.disk.transaction(|db| {
            runtime::create(db, journal, answer.at, &reading, policy, &answer.authority)?;
            runtime::document_save(db, "enrolment", &answer.enrolment)
        });
        created.unwrap();
        vec![format!("the machine is enrolled as `{}`", answer.endpoint)]
    }
}
