//! One exchange with the control plane: what departs, what lands, and when to ask again.

use std::time::Duration;

use tidegate_core::id::RequestId;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::runtime::{Input, Request, Status, authority, verify_time};
use tidegate_core::wire::{Authority, EnrolAnswer, SyncAnswer, TimeAnswer, TimeRequest};
use tokio::time::Instant;

use crate::session::{Flight, Session, TIME_EVERY};
use crate::transport::{NOT_A_CONTROL_PLANE, TransportError, after_refusal};
use crate::{clock, enrol, entropy};

/// Where syncs go.
pub(crate) const SYNC_PATH: &str = "/runtime/v1/sync";
/// The longest wait after answers that moved nothing and were not held: the check-in of a control plane that does not
/// hold. The first such waits are short, as one that stops lets go of what it holds and is soon back.
pub(crate) const CHECK_IN: Duration = Duration::from_secs(30);
/// The wait after a refusal that only a person can clear.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);

/// The longest wait that a server can ask for: whoever answers in its place must not silence a machine.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(300);

/// Most bytes of entries in a request while the control plane slows this machine: what refills within one wait.
pub(crate) const SLOWED_BYTES_MAX: u64 = 64 * 1024;

/// The shortest pause after an attempt that took longer than the wait that follows it.
const SOONEST: Duration = Duration::from_millis(500);

/// A clock that moved by more than this against the time since the start was set.
const CLOCK_SET_MS: i64 = 2_000;

/// What came back.
pub(crate) enum Landed {
    /// From a sync.
    Sync {
        request: RequestId,
        is_idle: bool,
        before: u64,
        /// How long it might be held.
        hold: Duration,
        took: Duration,
        /// `None`: nothing has moved.
        answer: Result<Option<Box<SyncAnswer>>, TransportError>,
    },
    /// From a question for the time.
    Time { nonce: String, answer: Result<Box<TimeAnswer>, TransportError> },
    /// From a recovery.
    Recover { answer: Result<Box<EnrolAnswer>, TransportError> },
}

impl Session {
    /// Starts the exchange that is due; the flag says whether it may be dropped for something to send.
    pub(crate) fn depart(&mut self, status: &Status) -> anyhow::Result<(Flight, bool)> {
        self.departed_at = Instant::now();
        if self.must_recover {
            let authority = self.directory.read(authority)?;
            return Ok((self.depart_recover(status, authority), false));
        }
        if self.time_at <= Instant::now() && (self.has_contact || !status.is_time_confirmed) {
            return Ok((self.depart_time(), false));
        }
        self.ticket_judge();
        let request = self.request()?;
        let is_idle = request.is_idle;
        Ok((self.depart_sync(request, is_idle, status.acknowledged), is_idle))
    }

    fn depart_sync(&self, request: Request, is_idle: bool, before: u64) -> Flight {
        let transport = self.transport.clone();
        let hold = if is_idle { self.hold_asked() } else { Duration::ZERO };
        let Request { id, bytes, .. } = request;
        Box::pin(async move {
            let started = Instant::now();
            let answer = transport.post::<Option<Box<SyncAnswer>>>(SYNC_PATH, bytes, hold).await;
            Landed::Sync { request: id, is_idle, before, hold, took: started.elapsed(), answer }
        })
    }

    fn depart_time(&self) -> Flight {
        let (transport, nonce) = (self.transport.clone(), enrol::nonce());
        Box::pin(async move {
            let question = TimeRequest { nonce: nonce.clone() };
            let answer =
                transport.post_json::<_, TimeAnswer>(enrol::TIME_PATH, &question).await.map(Box::new);
            Landed::Time { nonce, answer }
        })
    }

    fn depart_recover(&self, status: &Status, authority: Authority) -> Flight {
        let (transport, identity, enrolled) =
            (self.transport.clone(), self.identity.clone(), self.enrolled.clone());
        let journal = status.journal.id;
        Box::pin(async move {
            let answer =
                enrol::recover(&transport, &identity, &enrolled, authority, journal).await.map(Box::new);
            Landed::Recover { answer }
        })
    }

    /// Takes in what came back and decides when to ask again.
    pub(crate) fn land(&mut self, landed: Landed) -> anyhow::Result<()> {
        self.next_at = Instant::now();
        match landed {
            Landed::Sync { is_idle: false, answer: Ok(None), .. } => {
                // Only an idle sync may be answered so; what carried entries would be sent again at once.
                let problem = "its answer to a whole sync is empty".to_owned();
                self.failed(&TransportError::Strange { problem, is_gateway: false });
                Ok(())
            }
            Landed::Sync { request, is_idle, before, hold, took, answer: Ok(answer) } => {
                self.has_recovered = false;
                let asks_whether_open = self.broke_after.is_some();
                self.path_is_open()?;
                self.has_contact = true;
                let was_held = !hold.is_zero() && took >= hold.mul_f64(0.9);
                if was_held {
                    tracing::debug!(hold_ms = hold.as_millis(), "a sync was held its whole length");
                    self.hold.lasted();
                }
                self.sync_landed(request, is_idle, before, was_held || asks_whether_open, answer)
            }
            Landed::Sync { is_idle, took, answer: Err(error), .. } => {
                let may_be_a_proxy = match &error {
                    TransportError::Unreachable(_) => true,
                    TransportError::Strange { is_gateway, .. } => *is_gateway,
                    TransportError::TimeFirst | TransportError::Refused { .. } => false,
                };
                if is_idle && may_be_a_proxy {
                    self.broke_after = Some(took);
                }
                self.failed(&error);
                Ok(())
            }
            Landed::Time { nonce, answer: Ok(answer) } => {
                self.time_at = Instant::now() + TIME_EVERY;
                let serial = self.status()?.serial;
                match verify_time(&answer, &nonce, &self.enrolled.root, serial) {
                    Ok((time, authority)) => {
                        self.transport.confirm_time(time);
                        self.perform(Input::TimeLearned(time))?;
                        if authority.serial() > serial {
                            self.perform(Input::Certificate(Box::new(authority.certificate)))?;
                        }
                        self.path_is_open()
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control plane's time is not believed");
                        self.time_at = Instant::now() + self.intervals.of(AFTER_REFUSAL);
                        // The sync that follows may need the time first: together they would be a loop.
                        self.next_at = Instant::now() + self.retry.failed(entropy::fraction());
                        Ok(())
                    }
                }
            }
            Landed::Time { answer: Err(error), .. } => {
                self.failed(&error);
                // Later than the next sync, which a time that is refused for ever must not hold up.
                self.time_at = self.next_at + self.intervals.of(CHECK_IN);
                Ok(())
            }
            Landed::Recover { answer: Ok(answer) } => {
                self.perform(Input::Certificate(Box::new(answer.authority.certificate)))?;
                tracing::warn!(
                    "the control plane did not know this machine: it waits for the owner to confirm it"
                );
                (self.must_recover, self.has_recovered) = (false, true);
                self.path_is_open()
            }
            Landed::Recover { answer: Err(error) } => {
                self.failed(&error);
                Ok(())
            }
        }
    }

    fn sync_landed(
        &mut self,
        request: RequestId,
        is_idle: bool,
        before: u64,
        was_held: bool,
        answer: Option<Box<SyncAnswer>>,
    ) -> anyhow::Result<()> {
        let Some(answer) = answer else {
            self.tickets_refused = 0;
            self.unheld_pause(was_held);
            return Ok(());
        };
        let stood = self.status()?;
        self.perform(Input::SyncAnswered { request, answer })?;
        let status = self.status()?;
        // What the answer brings counts by what became of it: an order that comes altered again and again moves nothing.
        // What is asked for is part of how a machine stands: it is shown at once.
        let stands = |status: &Status| (status.journal, status.orders, status.asked);
        let moves_a_log = status.acknowledged > before || stands(&stood) != stands(&status);
        let may_idle = self.ticket.is_some() && status.acknowledged >= status.journal.number;
        if status.acknowledged >= status.journal.number {
            self.is_slowed = false;
        }
        if moves_a_log {
            // The ticket was rightly refused: an answer had been lost, and the logs stood otherwise than it said.
            self.tickets_refused = 0;
        }
        let moved = moves_a_log || (may_idle && !is_idle);
        // What found no room comes again with the next answer, which is not to be asked for at once.
        if moved && !self.room.is_missing() {
            self.unheld.reset();
        } else {
            // Asking again at once would be a loop; so would sending again what was not taken.
            let again_at = Instant::now() + self.unheld.failed(entropy::fraction());
            if is_idle { self.idle_until = again_at } else { self.next_at = again_at }
        }
        Ok(())
    }

    /// Asking again at once what is not held would be a loop.
    fn unheld_pause(&mut self, was_held: bool) {
        if was_held {
            self.unheld.reset();
        } else {
            self.idle_until = Instant::now() + self.unheld.failed(entropy::fraction());
        }
    }

    /// Gives the ticket up when the machine's clock was set meanwhile: an idle sync tells nothing of it, a signed one
    /// does.
    fn ticket_judge(&mut self) {
        let reading = clock::read();
        let offset_ms = reading.wall.milliseconds() - i64::try_from(reading.monotonic_ms).unwrap_or(0);
        if self.ticket.is_none() {
            self.offset_ms = offset_ms;
        } else if (offset_ms - self.offset_ms).abs() > CLOCK_SET_MS {
            self.ticket = None;
            self.offset_ms = offset_ms;
        }
    }

    /// There was an answer: tells the journal if the path had been closed.
    fn path_is_open(&mut self) -> anyhow::Result<()> {
        let attempts = self.retry.attempts();
        if let Some(broke_after) = self.broke_after.take()
            && attempts <= 1
        {
            self.hold.cut(broke_after);
            tracing::info!(
                cut_after_ms = broke_after.as_millis(),
                hold_ms = self.hold.current().as_millis(),
                "something on the path cuts held requests: holding shorter from here on"
            );
        }
        self.retry.reset();
        if self.last_refusal.take().is_some() {
            tracing::info!("the control plane listens to this machine again");
        }
        if let Some(closed_at_ms) = self.closed_at_ms.take() {
            tracing::info!(attempts, "the path is open again");
            let closed_for_ms = clock::monotonic_ms().saturating_sub(closed_at_ms);
            let now = self.status()?.time;
            let closed_at = now.shifted_by_ms(i64::try_from(closed_for_ms).map_or(i64::MIN, |ms| -ms));
            let problem = std::mem::take(&mut self.last_problem);
            self.perform(Input::Link { closed_at, attempts, problem })?;
        }
        Ok(())
    }

    fn failed(&mut self, error: &TransportError) {
        let wait = match error {
            TransportError::Unreachable(cause) => {
                self.no_path(cause.obstacle().as_str(), cause.to_string(), cause.remedy())
            }
            TransportError::Strange { problem, .. } => {
                let code = Obstacle::NotAControlPlane.as_str();
                self.no_path(code, problem.clone(), NOT_A_CONTROL_PLANE)
            }
            TransportError::TimeFirst => {
                tracing::warn!(
                    code = Obstacle::ClockUnknown.as_str(),
                    "the certificate's dates do not fit this machine's clock: asking for signed time first"
                );
                self.time_at = Instant::now();
                Duration::ZERO
            }
            TransportError::Refused { code, detail, retry_after } => {
                let asked = retry_after.unwrap_or_default().min(self.intervals.of(ASKED_WAIT_MAX));
                self.refused(code, detail).max(asked)
            }
        };
        // What the attempt itself took counts: a window may be as short as the slowest retry.
        let soonest = Instant::now() + self.intervals.of(SOONEST).min(wait);
        self.next_at = soonest.max(self.departed_at + wait);
    }

    /// Answers how long to wait; says why once, and again when the reason changes.
    fn no_path(&mut self, code: &str, problem: String, remedy: &str) -> Duration {
        self.closed_at_ms.get_or_insert_with(clock::monotonic_ms);
        let wait = self.retry.failed(entropy::fraction());
        if self.last_problem != problem && self.broke_after.is_none() {
            tracing::warn!(code, problem, remedy, "no path to the control plane; trying on");
        }
        tracing::debug!(code, problem, wait_ms = wait.as_millis(), "no path");
        self.last_problem = problem;
        wait
    }

    fn refused(&mut self, code: &str, detail: &str) -> Duration {
        match code {
            "token_expired" => {
                self.ticket = None;
                self.tickets_refused = self.tickets_refused.saturating_add(1);
                if self.tickets_refused == 1 { Duration::ZERO } else { self.intervals.of(CHECK_IN) }
            }
            "unknown_endpoint" if !self.must_recover => {
                self.must_recover = true;
                // A recovery that did not help is not repeated at once.
                if self.has_recovered { self.intervals.of(AFTER_REFUSAL) } else { Duration::ZERO }
            }
            "unavailable" | "rate_limited" | "storage_full" => {
                self.is_slowed |= code == "rate_limited";
                self.refused_say(code, detail);
                self.retry.failed(entropy::fraction())
            }
            _ => {
                self.refused_say(code, detail);
                // It may be the ticket that cannot be read: at length more is said.
                self.ticket = None;
                self.intervals.of(AFTER_REFUSAL)
            }
        }
    }

    /// Says why once, and again when the reason changes or after it was let in meanwhile.
    fn refused_say(&mut self, code: &str, detail: &str) {
        if self.last_refusal.as_deref() == Some(code) {
            return;
        }
        let remedy = after_refusal(code);
        tracing::error!(code, detail, remedy, "the control plane refuses this machine; trying on");
        self.last_refusal = Some(code.to_owned());
    }
}

#[cfg(test)]
mod tests;
