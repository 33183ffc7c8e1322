//! Orders on the endpoint: verified, stored, cursor moved and journaled in one transaction (R2).

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError};
use crate::error::Error;
use crate::id::{JournalId, LogId, SequenceId};
use crate::journal::{Accepted, CancelMet, JournalBody, SequenceEnd};
use crate::sequence::{EndState, STEPS_MAX};
use crate::wire::{Failures, Head, Offered, Order, OrderKind, Void, Work};

use super::Effect;
use super::proofs;
use super::state::Object;
use super::work::{self, LiveWork};

/// Most digests of altered orders that are remembered; past it the oldest may be told a second time.
const TAMPERED_MAX: u64 = 1_000;

/// Whether the next order may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Next,
    Stop,
}

impl Object<'_> {
    /// Takes one offered order in, or says why the ones behind it must wait.
    pub(super) fn order_take(&mut self, offered: &Offered) -> Result<Taken, Error> {
        let order: Order = match offered.order.open(&self.state.keys.order_key) {
            Ok(order) => order,
            Err(problem) => return self.order_altered(offered, problem),
        };
        if order.endpoint != self.cx.endpoint {
            return self.order_altered(offered, EnvelopeError::Signature);
        }
        match self.place(&order) {
            Place::Held => return Ok(Taken::Next),
            Place::Elsewhere => return Ok(Taken::Stop),
            // Not altered, and not obeyed: results and accepted work go on until a new certificate comes.
            Place::Next if self.is_order_key_over() => return Ok(Taken::Stop),
            Place::Next => {}
        }
        let work = match self.work_open(&order, offered.work.as_ref()) {
            Ok(work) => work,
            Err(problem) => return self.order_altered(offered, problem),
        };
        let head = Head { id: order.log, number: order.number, hash: offered.order.digest() };
        let sequence = work.as_ref().map(|work| work.sequence);
        self.order_obey(head, order.order, work)?;
        if let (Some(sequence), Some(envelope)) = (sequence, &offered.work) {
            proofs::keep(self.db, sequence, envelope)?;
        }
        Ok(Taken::Next)
    }

    fn place(&self, order: &Order) -> Place {
        match self.state.orders {
            Some(held) if held.id == order.log => {
                if order.number <= held.number {
                    Place::Held
                } else if order.number == held.number + 1 && order.previous == held.hash {
                    Place::Next
                } else {
                    Place::Elsewhere
                }
            }
            Some(_) | None => {
                let opens = order.number == 1
                    && order.previous == Digest::ZERO
                    && matches!(order.order, OrderKind::Adopt { journal } if journal == self.state.journal.id)
                    && !self.state.closed_logs.contains(&order.log);
                if opens { Place::Next } else { Place::Elsewhere }
            }
        }
    }

    /// The work that a `run` order names, exactly the bytes it names.
    fn work_open(&self, order: &Order, work: Option<&Envelope>) -> Result<Option<Work>, EnvelopeError> {
        let OrderKind::Run { sequence, work: digest } = &order.order else { return Ok(None) };
        let envelope = work.ok_or(EnvelopeError::Malformed)?;
        if envelope.digest() != *digest {
            return Err(EnvelopeError::Signature);
        }
        let work: Work = envelope.open(&self.state.keys.order_key)?;
        let is_ours = work.endpoint == self.cx.endpoint && work.sequence == *sequence;
        if is_ours { Ok(Some(work)) } else { Err(EnvelopeError::Signature) }
    }

    fn order_obey(&mut self, head: Head<LogId>, order: OrderKind, work: Option<Work>) -> Result<(), Error> {
        self.state.failures = None;
        if let OrderKind::Adopt { journal } = order {
            return self.adopt_obey(head, journal);
        }
        self.state.orders = Some(head);
        match (order, work) {
            (OrderKind::Run { work: digest, .. }, Some(work)) => self.run_obey(head, digest, work),
            (OrderKind::Cancel { sequence }, _) => self.cancel_obey(head, sequence),
            (OrderKind::Configure { policy }, _) => {
                self.state.policy = self.state.policy.narrowed_by(&policy);
                self.accept(head, Accepted::Configure)
            }
            (OrderKind::Retire, _) => self.retire_obey(head),
            (OrderKind::Adopt { .. } | OrderKind::Run { .. } | OrderKind::Unknown, _) => {
                let reason = "this runtime does not know this kind of order: update it".to_owned();
                let (log, number) = (head.id, head.number);
                self.record(&JournalBody::Refused { log, number, sequence: None, reason })
            }
        }
    }

    fn accept(&mut self, head: Head<LogId>, order: Accepted) -> Result<(), Error> {
        self.record(&JournalBody::Accepted { log: head.id, number: head.number, order })
    }

    /// Takes up a log (R7). A journal that is adopted for the first time ends what the one before it left.
    fn adopt_obey(&mut self, head: Head<LogId>, _journal: JournalId) -> Result<(), Error> {
        if self.state.orders.is_some_and(|held| held.id == head.id) {
            return Ok(());
        }
        self.state.close_log();
        self.state.orders = Some(head);
        self.accept(head, Accepted::Adopt)?;
        if !self.state.is_adopted {
            for live in work::live(self.db)? {
                let reason = "its machine's history was replaced before it ended";
                self.work_end(live, SequenceEnd::Lost, EndState::Lost, Some(reason))?;
            }
            self.state.is_adopted = true;
        }
        let known = work::known(self.db, &self.state)?;
        self.record(&JournalBody::Opened { log: head.id, known })
    }

    fn run_obey(&mut self, head: Head<LogId>, digest: Digest, work: Work) -> Result<(), Error> {
        let sequence = work.sequence;
        if let Some(outcome) = work::outcome_load(self.db, sequence)? {
            return self.accept(head, Accepted::Known { outcome });
        }
        if work.issued_at < self.state.complete_since {
            return self.accept(head, Accepted::TooOld { sequence });
        }
        if work.steps.is_empty() || work.steps.len() > STEPS_MAX {
            let reason = format!("a sequence has 1 to {STEPS_MAX} steps, this one {}", work.steps.len());
            let outcome =
                LiveWork::new(work.clone(), self.state.keys.serial).outcome(Some(SequenceEnd::Refused));
            self.outcome_add(&outcome, work.issued_at)?;
            let (log, number) = (head.id, head.number);
            return self.record(&JournalBody::Refused { log, number, sequence: Some(sequence), reason });
        }
        let accepted = Accepted::Run {
            sequence,
            work: digest,
            title: work.title.clone(),
            steps: work.steps.iter().map(|step| step.probe.clone()).collect(),
        };
        work::live_add(self.db, &LiveWork::new(work, self.state.keys.serial))?;
        self.accept(head, accepted)
    }

    /// A cancel applies on receipt (R14).
    fn cancel_obey(&mut self, head: Head<LogId>, sequence: SequenceId) -> Result<(), Error> {
        let Some(mut live) = work::live_load(self.db, sequence)? else {
            let met = if work::outcome_load(self.db, sequence)?.is_some() {
                CancelMet::Ended
            } else {
                // Remembered as cancelled: should the work still come, it is answered and not started.
                let outcome = crate::journal::Outcome {
                    sequence,
                    ended: Some(SequenceEnd::Cancelled),
                    steps: Vec::new(),
                };
                self.outcome_add(&outcome, self.now.at)?;
                CancelMet::Unknown
            };
            return self.accept(head, Accepted::Cancel { sequence, met });
        };
        live.progress.is_cancelled = true;
        work::live_save(self.db, &live)?;
        let met = match live.progress.running {
            Some(running) => {
                self.effects.push(Effect::Kill { sequence, step: running.step, attempt: running.attempt });
                CancelMet::Running
            }
            None => CancelMet::Waiting,
        };
        self.accept(head, Accepted::Cancel { sequence, met })?;
        if met == CancelMet::Waiting {
            self.work_end(live, SequenceEnd::Cancelled, EndState::Cancelled, None)?;
        }
        Ok(())
    }

    fn retire_obey(&mut self, head: Head<LogId>) -> Result<(), Error> {
        self.accept(head, Accepted::Retire)?;
        self.kill_running("the machine was retired")?;
        for live in work::live(self.db)? {
            self.work_end(
                live,
                SequenceEnd::Cancelled,
                EndState::Cancelled,
                Some("the machine was retired"),
            )?;
        }
        self.state.is_retired = true;
        self.record(&JournalBody::Retired)
    }

    /// Ends the attempt under way as interrupted and asks for its processes to be killed.
    pub(super) fn kill_running(&mut self, _reason: &str) -> Result<(), Error> {
        for live in work::live(self.db)? {
            if let Some(running) = live.progress.running {
                let sequence = live.work.sequence;
                self.effects.push(Effect::Kill { sequence, step: running.step, attempt: running.attempt });
            }
        }
        self.interrupt_running()
    }

    /// Takes in a signed statement that an order is taken back: the log goes on behind it (R13).
    pub(super) fn void_take(&mut self, envelope: &Envelope) -> Result<(), Error> {
        let Ok(void) = envelope.open::<Void>(&self.state.keys.order_key) else { return Ok(()) };
        let Some(held) = self.state.orders else { return Ok(()) };
        let is_next = void.endpoint == self.cx.endpoint
            && void.log == held.id
            && void.number == held.number + 1
            && void.previous == held.hash;
        if is_next {
            self.state.orders = Some(Head { id: held.id, number: void.number, hash: void.hash });
            self.state.failures = None;
            self.record(&JournalBody::Voided { log: void.log, number: void.number })?;
        }
        Ok(())
    }

    /// An order that does not verify never moves the cursor (R13).
    fn order_altered(&mut self, offered: &Offered, problem: EnvelopeError) -> Result<Taken, Error> {
        let claimed: Option<Order> = offered.order.peek().ok();
        let next = match (self.state.orders, &claimed) {
            (Some(held), _) => Some((held.id, held.number + 1)),
            (None, Some(claimed)) => Some((claimed.log, 1)),
            (None, None) => None,
        };
        if let Some((log, number)) = next {
            let before =
                self.state.failures.filter(|failures| failures.log == log && failures.number == number);
            let count = before.map_or(0, |failures| failures.count).saturating_add(1);
            self.state.failures = Some(Failures { log, number, count });
        }
        let work = offered.work.as_ref().map_or(Digest::ZERO, received_digest);
        let digest = Digest::of_parts(&[&received_digest(&offered.order).0, &work.0]);
        let is_new = self.db.execute(
            "INSERT INTO tampered (digest, at) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING",
            &[digest.into(), self.now.at.into()],
        )?;
        if is_new == 1 {
            self.db.execute(
                "DELETE FROM tampered WHERE digest IN (SELECT digest FROM tampered ORDER BY at DESC LIMIT -1 OFFSET ?1)",
                &[TAMPERED_MAX.into()],
            )?;
            let (log, number) =
                (claimed.as_ref().map(|order| order.log), claimed.as_ref().map(|order| order.number));
            self.record(&JournalBody::Tampered { log, number, digest, problem })?;
        }
        Ok(Taken::Stop)
    }
}

/// Where an authentic order belongs.
enum Place {
    /// At or before the cursor.
    Held,
    /// Right after it, or opening a log for this journal.
    Next,
    /// Nowhere that can be reached from here.
    Elsewhere,
}

/// The digest of everything of an envelope as it came, signatures included.
fn received_digest(envelope: &Envelope) -> Digest {
    Digest::of(serde_json::to_vec(envelope).expect("envelopes serialize"))
}
