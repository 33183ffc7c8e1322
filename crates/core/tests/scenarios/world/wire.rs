//! Messages under way. A test decides which arrives, when, how often, and how much of it.

use std::collections::BTreeSet;

use tidegate_core::api::JournalState;
use tidegate_core::call::Reply;
use tidegate_core::digest::Digest;
use tidegate_core::error::{Code, Error};
use tidegate_core::id::{LogId, RequestId};
use tidegate_core::runtime::{self, Idle, Input};
use tidegate_core::sql::ReadSql;
use tidegate_core::wire::{
    Head, Order, OrderKind, PROTOCOL_VERSION, SyncAnswer, SyncLine, SyncMessage, SyncRequest,
};

use crate::fired::count;

use super::World;
use super::machine::MachineIndex;

/// How many signed requests of an endpoint are known again, whatever came in between.
const REQUESTS_REMEMBERED: usize = 8;

/// A request as bytes.
#[derive(Clone)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    /// What arrives when the connection breaks half way.
    pub(crate) fn cut_in_half(&self) -> Self {
        Self(self.0[..self.0.len() / 2].to_vec())
    }
}

impl Message {
    /// What arrives when somebody on the path changes a number that is signed.
    pub(crate) fn altered(&self) -> Self {
        let split = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len());
        let (first, rest) = self.0.split_at(split);
        let mut first: serde_json::Value = serde_json::from_slice(first).expect("requests read");
        let payload = first["signed"]["payload"].as_str().expect("the request is signed");
        let payload = data_encoding::BASE64.decode(payload.as_bytes()).expect("base 64");
        let text = String::from_utf8(payload).expect("JSON");
        let altered = text.replacen("\"number\":", "\"number\":1", 1);
        assert_ne!(text, altered, "every request says how far its journal is");
        first["signed"]["payload"] = data_encoding::BASE64.encode(altered.as_bytes()).into();
        Self([first.to_string().as_bytes(), rest].concat())
    }
}

/// What became of a request.
pub(crate) enum Delivered {
    /// An answer, as bytes.
    Answer(Vec<u8>),
    /// A problem.
    Refused(Code),
    /// Nothing comes back.
    Nothing,
}

impl Delivered {
    /// The answer's bytes, where there is one.
    pub(crate) fn answer(self) -> Option<Vec<u8>> {
        match self {
            Self::Answer(bytes) => Some(bytes),
            Self::Refused(_) | Self::Nothing => None,
        }
    }
}

impl World {
    /// Builds the machine's next request, which is the outstanding one from here on; `None`: it is off.
    pub(crate) fn request(&mut self, machine: MachineIndex) -> Option<Message> {
        let id = self.fresh(RequestId::fresh);
        let power = self.machines[machine].power.as_mut()?;
        power.requests += 1;
        let (ticket, count) = (power.ticket.clone(), power.requests);
        let request = self.with_machine(machine, |machine, context| {
            let idle = ticket.as_ref().map(|ticket| Idle { ticket, hold_ms: 0, count });
            runtime::request(&machine.disk, context, id, idle)
        });
        let request = request?.expect("an enrolled machine can ask");
        self.machines[machine].power.as_mut()?.outstanding = Some(id);
        Some(Message(request.bytes))
    }

    /// A request of the machine's that claims the head of an order log that nobody opened.
    pub(crate) fn request_claiming_another_log(&self, machine: MachineIndex) -> Message {
        let orders = Some(Head { id: self.fresh(LogId::fresh), number: 1, hash: Digest::ZERO });
        let line = SyncLine { orders, ..self.line(machine) };
        Message(SyncRequest::seal(line, None, &[], &*self.machines[machine].keys))
    }

    /// The first line of a request of the machine's that brings nothing.
    pub(crate) fn line(&self, machine: MachineIndex) -> SyncLine {
        let status = self.machines[machine].status_at(self.now).expect("the machine is enrolled");
        let power = self.machines[machine].power.as_ref().expect("the machine is on");
        SyncLine {
            v: PROTOCOL_VERSION,
            endpoint: self.endpoint,
            request: self.fresh(RequestId::fresh),
            boot: power.boot,
            serial: 1,
            wall: self.now,
            clock: None,
            journal: status.journal,
            orders: status.orders,
            after: None,
            content: None,
            gap: false,
            failures: None,
            proofs: 0,
        }
    }

    /// Brings a request to the control plane. One that it took before moves nothing but what it proves (R5).
    pub(crate) fn deliver(&mut self, message: &Message) -> Delivered {
        let Ok(parsed) = SyncMessage::parse(&message.0) else { return Delivered::Nothing };
        let signed = match &parsed {
            SyncMessage::Signed(request) => Some(request.line.request),
            SyncMessage::Idle(_) => None,
        };
        let is_repeat = match signed {
            Some(request) => self.delivered.contains(&request),
            None => self.delivered_idle.contains(&message.0),
        };
        let delivered = if is_repeat { self.deliver_repeat(parsed) } else { self.deliver_parsed(parsed) };
        let is_part_lost = core::mem::take(&mut self.is_part_lost);
        match (&delivered, signed) {
            (Delivered::Refused(_), _) => {}
            // It counts when it comes again.
            _ if is_part_lost => {}
            // A repeat is remembered no longer for having come again.
            _ if is_repeat => {}
            (_, Some(request)) => {
                self.delivered.push(request);
                let excess = self.delivered.len().saturating_sub(REQUESTS_REMEMBERED);
                self.delivered.drain(..excess);
            }
            (_, None) => {
                self.delivered_idle.insert(message.0.clone());
            }
        }
        delivered
    }

    fn deliver_repeat(&mut self, parsed: SyncMessage) -> Delivered {
        let seen_at = |world: &Self| world.endpoint_seen().and_then(|seen| seen.last_seen_at);
        let before = seen_at(self);
        count("a request that was taken before is heard again");
        let delivered = self.deliver_parsed(parsed);
        assert_eq!(seen_at(self), before, "R5: a repeat counts as a contact");
        if let Delivered::Answer(bytes) = &delivered {
            let answer: SyncAnswer = serde_json::from_slice(bytes).expect("answers read");
            let is_told = !answer.offered.is_empty() || answer.void.is_some() || answer.transcript.is_some();
            assert!(!is_told && answer.ticket.is_none(), "R5: a repeat is told something: {answer:?}");
        }
        delivered
    }

    fn deliver_parsed(&mut self, message: SyncMessage) -> Delivered {
        let asked = match &message {
            SyncMessage::Signed(request) => Some(request.line.journal),
            SyncMessage::Idle(_) => None,
        };
        match self.control_sync(message) {
            None => Delivered::Nothing,
            Some(Ok(Reply::Synced(synced))) => {
                let answer = self.with_control(|cx| synced.seal(cx.keys));
                if let Some(ticket) = &answer.ticket {
                    self.tickets.issued(ticket);
                }
                self.check_orders(&answer, asked.unwrap_or(answer.journal.head));
                Delivered::Answer(serde_json::to_vec(&answer).expect("answers serialize"))
            }
            Some(Ok(other)) => panic!("a sync was answered with {other:?}"),
            Some(Err(Error::Problem(problem))) => Delivered::Refused(problem.code),
            Some(Err(Error::Sql(error))) => panic!("{error}"),
        }
    }

    /// Brings an answer to the machine, which uses it only where it belongs to its outstanding request (R5).
    pub(crate) fn answer(&mut self, machine: MachineIndex, bytes: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<SyncAnswer>(bytes) else { return };
        let Some(power) = self.machines[machine].power.as_mut() else { return };
        let Some(outstanding) = power.outstanding else { return };
        if answer.request == outstanding {
            power.outstanding = None;
        }
        self.machine_handle(machine, Input::SyncAnswered { request: outstanding, answer: Box::new(answer) });
    }

    /// One round trip on a path that works; a ticket that admits no more is given up and the sync sent signed.
    pub(crate) fn sync(&mut self, machine: MachineIndex) {
        let Some(request) = self.request(machine) else { return };
        match self.deliver(&request) {
            Delivered::Answer(answer) => self.answer(machine, &answer),
            Delivered::Refused(Code::UnknownEndpoint) => self.recover(machine),
            Delivered::Refused(_) => {
                let ticket = self.machines[machine].power.as_mut().and_then(|power| power.ticket.take());
                if ticket.is_some() {
                    self.sync(machine);
                }
            }
            Delivered::Nothing => {}
        }
    }

    /// Some rounds on a path that works, every step running to its end in between.
    pub(crate) fn settle(&mut self, machine: MachineIndex, rounds: usize) {
        for _ in 0..rounds {
            self.pass_seconds(1);
            self.deadlines();
            self.sync(machine);
            self.machine_handle(machine, Input::Tick);
            self.run_out(machine);
        }
    }

    /// How far every log is: two equal answers mean that nothing moved in between.
    pub(crate) fn progress(&self) -> Vec<u64> {
        let number = |row: &tidegate_core::sql::Row| row.unsigned(0).expect("numbers read");
        let transcript =
            self.control.query("SELECT transcript_number FROM endpoint", &[]).expect("the table is there");
        let journals = self.machines.iter().flat_map(|machine| {
            let status = machine.status_at(self.now);
            status.map_or([0, 0], |status| [status.journal.number, status.acknowledged])
        });
        journals.chain(transcript.iter().map(number)).collect()
    }

    /// R4 and R6: orders go only to an adopted journal whose head is held entirely, and a log begins with its
    /// adoption.
    fn check_orders(&self, answer: &SyncAnswer, asked: Head<tidegate_core::id::JournalId>) {
        if answer.offered.is_empty() && answer.void.is_none() {
            return;
        }
        assert_eq!(answer.journal.state, JournalState::Current, "R6: orders for a journal nobody adopted");
        assert_eq!(answer.journal.head, asked, "R4: orders for a head that is not held");
        let logs: BTreeSet<LogId> = answer
            .offered
            .iter()
            .map(|offered| {
                let order: Order = offered.order.peek().expect("the control plane's orders read");
                if order.number == 1 {
                    assert_eq!(order.order, OrderKind::Adopt { journal: asked.id }, "R6: how a log begins");
                }
                order.log
            })
            .collect();
        assert!(logs.len() <= 1, "one log at a time");
    }
}
