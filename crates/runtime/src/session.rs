//! The program at work: steps, syncs and time, each performed as the core decides.
//!
//! One task owns everything. A sync is in flight at most once (R5); when results wait while an idle one is held,
//! the held one is dropped and its answer with it: the cursors say what was missed.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::bail;
use tidegate_core::id::{BootId, RequestId};
use tidegate_core::keys::KeyPair;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::probe::Catalogue;
use tidegate_core::runtime::{
    self, Effect, Idle, Input, Limits, Status, Ticket, document_load, document_save,
};
use tidegate_core::sql::{SqlError, SqlErrorKind};
use tokio::time::{Instant, sleep_until};

use crate::exchange::CHECK_IN;
use crate::executor::{Executor, ExecutorOptions};
use crate::identity::{self, Enrolled, Identity};
use crate::net::{Intervals, KeepAlive};
use crate::pace::{Hold, Retry};
use crate::room::{self, Room};
use crate::state_directory::StateDirectory;
use crate::steps::Steps;
use crate::traffic::{self, DayTraffic, Traffic};
use crate::transport::Transport;
use crate::{clock, entropy, exchange, facts, probes};

/// How the program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOptions {
    /// The slowest retry while there is no path.
    pub(crate) retry_max: Duration,
    /// Whether every byte costs: nothing is sent only to see whether the path still stands.
    pub(crate) is_metered: bool,
    /// Every interval of the path.
    pub(crate) intervals: Intervals,
    /// Whether it lets no answer be held and asks again and again, to show what that costs.
    pub(crate) is_polling: bool,
}

/// How long fresh entries wait for company while a step runs: six quick steps come back in one sync, and a page
/// learns of a long step's start within a second.
const COMPANY: Duration = Duration::from_secs(1);
/// How often the core is asked whether something may go on that waits for room, which comes back at no known moment.
const TICK: Duration = Duration::from_secs(1);
/// How often it is asked, at the most and at the least, while something waits for a moment that is known. That a clock
/// was set brings the moment nearer, and nobody tells.
const TICK_TIMED: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(60)];
/// How long trusted time is used before it is asked for again: a drift of 100 ppm makes 9 s of a day.
pub(crate) const TIME_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// What is in flight.
pub(crate) type Flight = Pin<Box<dyn Future<Output = exchange::Landed>>>;

/// The program at work.
pub(crate) struct Session {
    pub(crate) directory: StateDirectory,
    pub(crate) identity: Identity,
    pub(crate) enrolled: Enrolled,
    pub(crate) keys: KeyPair,
    pub(crate) catalogue: Catalogue,
    pub(crate) boot: BootId,
    pub(crate) transport: std::rc::Rc<Transport>,
    /// Admits idle syncs while nothing moves.
    pub(crate) ticket: Option<Ticket>,
    /// Idle syncs since the start.
    idle_count: u64,
    /// Tickets refused since one was taken.
    pub(crate) tickets_refused: u32,
    /// The wall clock less the time since the machine started, at the last signed sync.
    pub(crate) offset_ms: i64,
    /// Whether the control plane answered since the start.
    pub(crate) has_contact: bool,
    pub(crate) hold: Hold,
    pub(crate) is_polling: bool,
    pub(crate) intervals: Intervals,
    is_metered: bool,
    pub(crate) retry: Retry,
    /// When the path was first seen closed, in milliseconds since the machine started: its clock may yet be set right.
    pub(crate) closed_at_ms: Option<u64>,
    pub(crate) last_problem: String,
    /// The code of the refusal that the log was told last; absent: it was let in since.
    pub(crate) last_refusal: Option<String>,
    /// Whether the control plane takes this machine's entries more slowly than they come (`rate_limited`).
    pub(crate) is_slowed: bool,
    /// An idle sync that broke after this long: a proxy's doing, if the next attempt succeeds.
    pub(crate) broke_after: Option<Duration>,
    /// When the last exchange began.
    pub(crate) departed_at: Instant,
    /// Before this nothing is asked at all: there is no path, or a refusal.
    pub(crate) next_at: Instant,
    /// Before this nothing is asked unless there is something to send.
    pub(crate) idle_until: Instant,
    /// Paces questions that are answered at once with nothing to say.
    pub(crate) unheld: Retry,
    /// When trusted time is asked for next.
    pub(crate) time_at: Instant,
    /// When fresh entries are sent even if an idle sync is held.
    send_at: Option<Instant>,
    steps: Steps,
    traffic: Traffic,
    pub(crate) room: Room,
    pub(crate) must_recover: bool,
    /// Whether a recovery succeeded since the last answer to a sync.
    pub(crate) has_recovered: bool,
}

/// Why the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Somebody stopped it.
    Stopped,
    /// The control plane retired this machine, and knows that the machine knows.
    Retired,
}

/// Runs until `stop` completes or the machine is retired; calls `ready` once it has taken up its state.
pub(crate) async fn run(
    state: &Path,
    options: RunOptions,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<RunEnd> {
    let mut stop = std::pin::pin!(stop);
    let Some(mut session) = Session::start(state, options, &mut stop).await? else {
        return Ok(RunEnd::Stopped);
    };
    ready();
    let mut flight: Option<(Flight, bool)> = None;
    loop {
        let status = session.status()?;
        if status.is_retired && status.acknowledged >= status.journal.number {
            tracing::warn!("this machine was retired: the runtime stops and does nothing more");
            return Ok(RunEnd::Retired);
        }
        session.plan_sending(&status);
        // Results do not wait behind a held sync.
        let send_at = session.send_at.filter(|_| matches!(flight, Some((_, true)) | None));
        if flight.is_some() && send_at.is_some_and(|at| at <= Instant::now()) {
            flight = None;
            session.next_at = Instant::now();
        }
        if flight.is_none() && session.due_at() <= Instant::now() {
            flight = Some(session.depart(&status)?);
            // It carries what waited; what comes after it waits for company of its own.
            session.send_at = None;
        }
        let tick = session.tick(&status)?;
        let is_flying = flight.is_some();
        let wake_at = send_at.filter(|_| is_flying).unwrap_or_else(|| session.due_at());
        tokio::select! {
            () = &mut stop => {
                session.traffic_keep()?;
                return Ok(RunEnd::Stopped);
            }
            Some(ended) = session.steps.next_end() => session.perform(ended)?,
            landed = fly(&mut flight), if is_flying => {
                flight = None;
                session.land(landed)?;
                session.traffic_look()?;
            }
            () = sleep_until(wake_at), if !is_flying || send_at.is_some() => {}
            () = tokio::time::sleep(tick), if status.live > 0 && !session.steps.is_running() => {
                session.perform(Input::Tick)?;
            }
        }
    }
}

async fn fly(flight: &mut Option<(Flight, bool)>) -> exchange::Landed {
    match flight {
        Some((flight, _)) => flight.await,
        None => std::future::pending().await,
    }
}

impl Session {
    /// Opens the state directory and tells the journal, as soon as the disk has room for that; `None`: it was to stop
    /// before.
    async fn start(
        state: &Path,
        options: RunOptions,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> anyhow::Result<Option<Self>> {
        let mut has_told = false;
        loop {
            match Self::begin(state, options) {
                Err(error) if room::is_full(&error) => {
                    if !std::mem::replace(&mut has_told, true) {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "the disk is full: nothing runs until there is room for the state directory; free some, \
                             and it goes on by itself"
                        );
                    }
                }
                other => return other.map(Some),
            }
            tokio::select! {
                () = &mut *stop => return Ok(None),
                () = tokio::time::sleep(room::RETRY) => {}
            }
        }
    }

    /// Opens the state directory and tells the journal.
    pub(crate) fn begin(state: &Path, options: RunOptions) -> anyhow::Result<Self> {
        let mut session = Self::open(state, options)?;
        session.boot()?;
        Ok(session)
    }

    fn open(state: &Path, options: RunOptions) -> anyhow::Result<Self> {
        // One that is not there is not made for a machine that never enrolled.
        if state.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            bail!(identity::not_enrolled(state));
        }
        let directory = StateDirectory::open(state)?;
        let Some(identity) = directory.identity()? else {
            bail!(identity::not_enrolled(state));
        };
        let Some(enrolled) = identity.enrolled.clone() else { bail!(identity::not_enrolled(state)) };
        let options_of_steps =
            ExecutorOptions { state: Some(state.to_owned()), ..ExecutorOptions::new(&directory.place_id()?) };
        let executor = Executor::new(options_of_steps)?;
        let keep_alive = if options.is_metered { KeepAlive::Silent } else { KeepAlive::Probed };
        let (server, ca_pem, intervals) = (&identity.server, identity.ca_pem.as_deref(), options.intervals);
        let transport = Transport::new(server, ca_pem, keep_alive, intervals)?;
        let now = Instant::now();
        Ok(Self {
            keys: identity.keys(),
            boot: BootId::fresh(&mut entropy::fresh()),
            transport: std::rc::Rc::new(transport),
            catalogue: probes::catalogue(),
            ticket: None,
            idle_count: 0,
            tickets_refused: 0,
            offset_ms: 0,
            has_contact: false,
            hold: Hold::new(options.is_metered, intervals),
            is_polling: options.is_polling,
            intervals,
            is_metered: options.is_metered,
            retry: Retry::new(options.retry_max, intervals),
            closed_at_ms: None,
            last_problem: String::new(),
            last_refusal: None,
            is_slowed: false,
            broke_after: None,
            departed_at: now,
            next_at: now,
            idle_until: now,
            unheld: Retry::new(CHECK_IN, intervals),
            time_at: now,
            send_at: None,
            steps: Steps::new(executor),
            traffic: Traffic::new(directory.read(|db| document_load(db, traffic::DOCUMENT))?),
            room: Room::default(),
            must_recover: false,
            has_recovered: false,
            directory,
            identity,
            enrolled,
        })
    }

    /// Ends what earlier steps left, then tells the journal that the program started (R3, G2).
    fn boot(&mut self) -> anyhow::Result<()> {
        let swept = self.steps.sweep();
        if swept.survivors > 0 {
            bail!(Obstructed::new(
                Obstacle::ProcessesSurvive,
                format!(
                    "{} processes of an earlier step cannot be ended: nothing is started beside them",
                    swept.survivors
                ),
                "look for processes in uninterruptible sleep (`ps axo pid,stat,args | grep ' D'`), or restart the machine",
            ));
        }
        let leftovers = u32::try_from(swept.found).unwrap_or(u32::MAX);
        self.perform(Input::Booted { version: env!("CARGO_PKG_VERSION").to_owned(), leftovers })?;
        let mut facts = facts::collect();
        let profile = if self.is_metered { "metered" } else { "default" };
        facts.insert("profile".into(), profile.into());
        self.perform(Input::Facts { facts, probes: self.catalogue.clone() })?;
        let status = self.status()?;
        if status.is_time_confirmed {
            self.transport.confirm_time(status.time);
        }
        tracing::info!(endpoint = %self.enrolled.endpoint, server = self.identity.server, "running");
        Ok(())
    }

    /// Lets the core decide, durably, and does what it says. Where the disk has no room, what must not be lost is kept
    /// and goes first the next time, and the rest is as if it had not come.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be used, or has no room for the start of the program, which comes first (R3).
    pub(crate) fn perform(&mut self, input: Input) -> anyhow::Result<()> {
        let mut queue = self.room.queue(input);
        while let Some(input) = queue.pop_front() {
            let is_start = matches!(input, Input::Booted { .. });
            let is_time = matches!(input, Input::TimeLearned(_));
            let spare = room::must_be_kept(&input).then(|| input.clone());
            match self.perform_one(input) {
                Ok(()) => {}
                Err(error) if !is_start && room::is_full(&error) => {
                    tracing::debug!(error = format!("{error:#}"), "there was no room for an event");
                    self.room.found(false, self.directory.path());
                    if is_time {
                        self.time_at = Instant::now() + self.intervals.of(CHECK_IN);
                    }
                    self.room.keep(spare.into_iter().chain(queue));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn perform_one(&mut self, input: Input) -> anyhow::Result<()> {
        let needed = room::bytes_needed(&input);
        let has_room = self.directory.make_room(needed)? >= needed;
        self.room.found(has_room, self.directory.path());
        // What a step will bring has the rest to itself.
        let is_result_due = self.steps.is_running() || self.room.keeps_result();
        if !has_room && is_result_due && !room::may_use_reserve(&input) {
            return Err(SqlError::new(SqlErrorKind::Full, "the room left is reserved for a result").into());
        }
        let reading = clock::read();
        let cx = runtime::Context {
            clock: &reading,
            entropy: entropy::seed(),
            keys: &self.keys,
            endpoint: self.enrolled.endpoint,
            probes: &self.catalogue,
            boot: self.boot,
            limits: Limits { has_room, ..Limits::default() },
        };
        let effects = self.directory.transaction(|db| runtime::handle(db, &cx, input))?;
        for effect in effects {
            match effect {
                Effect::KeepTicket(ticket) => self.ticket = ticket,
                Effect::StartStep { .. } | Effect::Kill { .. } => self.steps.perform(effect),
            }
        }
        Ok(())
    }

    /// The next request, from the state as it is.
    pub(crate) fn request(&mut self) -> anyhow::Result<runtime::Request> {
        let reading = clock::read();
        let cx = runtime::Context {
            clock: &reading,
            entropy: [0; 32],
            keys: &self.keys,
            endpoint: self.enrolled.endpoint,
            probes: &self.catalogue,
            boot: self.boot,
            limits: self.request_limits(),
        };
        let id = RequestId::fresh(&mut entropy::fresh());
        let hold_ms = u64::try_from(self.hold_asked().as_millis()).unwrap_or(u64::MAX);
        let count = self.idle_count + 1;
        let idle = self.ticket.as_ref().map(|ticket| Idle { ticket, hold_ms, count });
        let request = self.directory.read(|db| runtime::request(db, &cx, id, idle))?;
        self.idle_count += u64::from(request.is_idle);
        Ok(request)
    }

    /// A batch that is likely to be refused is kept small: what is refused was sent for nothing.
    fn request_limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.is_slowed {
            limits.request_bytes_max = exchange::SLOWED_BYTES_MAX;
        }
        limits
    }

    /// How long the next idle sync may be held. After one that broke not at all: an answer at once tells a path that is
    /// open, and cuts what lasts too long, from one that is closed.
    pub(crate) fn hold_asked(&self) -> Duration {
        let is_at_once = self.is_polling || self.broke_after.is_some();
        if is_at_once { Duration::ZERO } else { self.hold.current() }
    }

    pub(crate) fn status(&self) -> anyhow::Result<Status> {
        self.directory.read(|db| runtime::status(db, &clock::read()))
    }

    /// How long until time alone may change something for work that is here and does not run.
    fn tick(&self, status: &Status) -> anyhow::Result<Duration> {
        if status.live == 0 || status.waiting_for_room > 0 || self.room.is_missing() {
            return Ok(TICK);
        }
        let [shortest, longest] = TICK_TIMED;
        let deadline = self.directory.read(|db| runtime::next_deadline(db, status.time))?;
        let left = deadline.map_or(longest, |at| Duration::from_millis(at.since(status.time).0));
        Ok(left.clamp(shortest, longest))
    }

    /// Looks at what the path cost.
    fn traffic_look(&mut self) -> anyhow::Result<()> {
        let status = self.status()?;
        if !status.is_time_known {
            // The bytes wait in the meter until it is known which day they belong to.
            return Ok(());
        }
        let look = self.traffic.look(self.transport.bytes(), status.time);
        if let Some(DayTraffic { day, up_bytes, down_bytes }) = look.finished {
            self.perform(Input::Traffic { day, up_bytes, down_bytes })?;
        }
        if look.is_due { self.traffic_keep() } else { Ok(()) }
    }

    fn traffic_keep(&mut self) -> anyhow::Result<()> {
        let Some(today) = self.traffic.today() else { return Ok(()) };
        match self.directory.transaction(|db| document_save(db, traffic::DOCUMENT, &today)) {
            // It is kept again within the hour; until then a crash forgets a little more.
            Err(error) if room::is_full(&error) => Ok(()),
            other => other,
        }
    }

    /// Decides when fresh entries are sent: at once when nothing runs, with a little patience while a step does.
    pub(crate) fn plan_sending(&mut self, status: &Status) {
        if status.acknowledged >= status.journal.number {
            self.send_at = None;
            return;
        }
        let now = Instant::now();
        let at = if self.steps.is_running() { now + COMPANY } else { now };
        let planned = self.send_at.map_or(at, |planned| planned.min(at));
        self.send_at = Some(planned);
    }

    /// When to ask next while nothing is in flight. Results do not wait for the next check-in; while there is no path,
    /// retries pace everything.
    pub(crate) fn due_at(&self) -> Instant {
        self.next_at.max(self.send_at.unwrap_or(self.idle_until))
    }
}
