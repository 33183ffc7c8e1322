//! The routes' host on one machine: one writer, readers beside it, and what is known only in memory.
//!
//! Two kinds of reads. A check-in and the look at a token read a row or two by their key in microseconds, so they
//! run where they are asked, on the thread that serves the request, with as many connections as there are such
//! threads: a hop to another thread costs more than the read. Everything else, listings and search above all, can
//! take longer and runs on blocking threads with connections of its own, so that it never holds up a check-in.

mod bulk;
mod contacts;
mod context;
mod editors;
mod limits;
mod listeners;
mod passwords;
mod reads;
mod refusals;
mod shards;
mod storage;
mod tickets;
mod waiters;
mod writes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tidegate_core::call::{Answer, EndpointInput, Input, ObjectId, Question, Reply, Seen};
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::keys::Sign;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::Authority;
use tidegate_sqlite::{DirectoryLock, Fatal, Writer};
use tidegate_web::{
    Admittance, Changes, ClientAddress, Front, HOLD_MAX, Host, HostError, RouteClass, SignInAttempt, Watch,
};
use tokio::sync::watch;

use crate::clock;
use crate::metrics::Metrics;
use crate::schemas::migrate_all;

use bulk::Bulk;
pub(crate) use contacts::Unstored;
pub(crate) use context::{NobodyHeard, World};
use editors::Editors;
use limits::{Limits, is_guessable};
use passwords::Passwords;
use reads::Reads;
use refusals::Refusals;
pub(crate) use storage::{Level, Storage, is_disk_full};
use tickets::Tickets;

/// Write-ahead log that is kept on the disk ahead of need: results and cancels of a few hundred sequences still find
/// room there when others have filled the disk.
const LOG_RESERVE_BYTES: u64 = 4 << 20;

/// Everything behind the routes.
pub(crate) struct LocalHost {
    pub(crate) world: Arc<World>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) storage: Arc<Storage>,
    /// Refused sign-ins that are not stored yet.
    pub(crate) refusals: Refusals,
    reads: Reads,
    bulk: Bulk,
    limits: Limits,
    passwords: Passwords,
    editors: Editors,
    tickets: Tickets,
    front: Front,
    writer: Writer,
    /// Outlives the writer: fields are dropped in their order.
    _lock: DirectoryLock,
}

impl LocalHost {
    /// Opens the database of a data directory that is locked, brings it up to date and reads its identity;
    /// `Ok(None)`: no owner was made.
    pub(crate) fn open(
        database: &Path,
        lock: DirectoryLock,
        reserve_bytes: u64,
        front: Front,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Option<Self>> {
        let settings = tidegate_sqlite::Settings::server().with_log_reserve(LOG_RESERVE_BYTES);
        let fatal = Fatal::new(|what| {
            tracing::error!(what, "storage failed: nothing more is acknowledged, the process ends");
        });
        let metrics = Arc::new(Metrics::new());
        let counting = Arc::clone(&metrics);
        let observer = move |commit| counting.committed(commit);
        let writer = Writer::open_observed(database, &settings, fatal.clone(), observer)?;
        writer.call(|db| migrate_all(db)).context("failed to bring the database up to date")?;
        let reads = Reads::open(database, &settings, &fatal)?;
        let Some(identity) = reads.identity()? else { return Ok(None) };
        let storage = Arc::new(Storage::new(database, reserve_bytes));
        let world = Arc::new(World::new(identity, Arc::clone(&storage)));
        let (limits, passwords, editors, tickets): (Limits, Passwords, Editors, Tickets) = Default::default();
        passwords.know(reads.sign_in_addresses()?);
        Ok(Some(Self {
            world,
            metrics,
            stopping,
            storage,
            refusals: Refusals::default(),
            reads,
            bulk: Bulk::start()?,
            limits,
            passwords,
            editors,
            tickets,
            front,
            writer,
            _lock: lock,
        }))
    }

    /// Whether the process takes no more work.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    /// Stores what is queued, takes nothing more, and moves the write-ahead log into the database. Blocks.
    pub(crate) fn close(&self) {
        self.writer.close();
    }
}

impl Host for LocalHost {
    fn handle(&self, object: ObjectId, input: Input) -> BoxFuture<'_, Result<Reply, HostError>> {
        let is_sync = matches!(input, Input::Endpoint(EndpointInput::Sync { .. }));
        async move {
            self.storage.admit(&input)?;
            let _turn = self.store_parts(object, &input).await?;
            let reply =
                self.write(move |db, cx| tidegate_core::handle(db, cx, object, input.clone())).await?;
            if is_sync {
                self.metrics.syncs_moved.inc();
            }
            Ok(reply)
        }
        .boxed()
    }

    fn query(&self, object: ObjectId, question: Question) -> BoxFuture<'_, Result<Answer, HostError>> {
        self.read(object, question).boxed()
    }

    fn watch(&self, endpoint: EndpointId) -> Box<dyn Watch> {
        Box::new(self.world.waiters.join(endpoint, self.stopping.clone()))
    }

    fn changes(&self) -> Box<dyn Changes> {
        Box::new(self.world.hints.listen(self.stopping.clone()))
    }

    fn seen(&self, endpoint: EndpointId, seen: Seen) {
        self.world.contacts.keep(endpoint, seen);
    }

    fn ticket_issued(&self, endpoint: EndpointId, ticket: &str) {
        self.tickets.issued(endpoint, ticket);
    }

    fn admits_idle(&self, endpoint: EndpointId, ticket: &str, count: u64) -> bool {
        self.tickets.admits(endpoint, ticket, count)
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn entropy(&self) -> [u8; 32] {
        clock::entropy()
    }

    fn judge_password(&self, password: String, email: String) -> BoxFuture<'_, Result<(), HostError>> {
        self.passwords.judge(password, email).boxed()
    }

    fn apart(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'_, Result<(), HostError>> {
        self.bulk.run(work).boxed()
    }

    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, HostError>> {
        self.passwords.hash(password, clock::entropy()).boxed()
    }

    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
        address: Option<ClientAddress>,
    ) -> BoxFuture<'_, Result<bool, HostError>> {
        self.passwords.verify(password, hash, address.map(|ClientAddress(address)| address)).boxed()
    }

    fn front(&self) -> &Front {
        &self.front
    }

    fn keys(&self) -> &dyn Sign {
        &self.world.identity.keys
    }

    fn authority(&self) -> &Authority {
        &self.world.identity.authority
    }

    fn editing(&self, draft: SequenceId, person: &str) -> Vec<String> {
        self.editors.seen(draft, person, Instant::now())
    }

    fn sign_in_refused(&self, attempt: SignInAttempt) {
        self.refusals.add(attempt, clock::now());
    }

    fn hold_max(&self) -> Duration {
        HOLD_MAX
    }

    fn admit(&self, address: Option<ClientAddress>, class: RouteClass) -> Admittance {
        match address {
            Some(ClientAddress(address)) => self.limits.admit(address, class, Instant::now()),
            None => Admittance::Admitted,
        }
    }

    fn answered(&self, address: Option<ClientAddress>, class: RouteClass, status: u16) {
        let took = crate::net::request_time();
        self.metrics.answered(class, status, took);
        let Some(ClientAddress(address)) = address else { return };
        tracing::debug!(class = class.as_str(), status, took_ms = took.as_millis() as u64, "answered");
        // A page answers a good sign-in with a redirect.
        if (200..400).contains(&status) {
            self.limits.succeeded(address, class, Instant::now());
            if matches!(class, RouteClass::SignIn | RouteClass::SignInLink) {
                self.passwords.know([address]);
            }
        } else if is_guessable(class) {
            tracing::warn!(class = class.as_str(), status, %address, "an attempt was refused");
        }
    }
}
