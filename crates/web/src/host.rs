//! What the routes need of the program around them.
//!
//! The routes hold no state and know no runtime: storage, time, randomness, timers and rate limits are behind one
//! trait whose calls return boxed futures, so the same router serves from threads with tokio and from a Durable
//! Object that has neither.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tidegate_core::call::{Answer, Input, ObjectId, Question, Reply, Seen};
use tidegate_core::directory::{RefusedWith, is_address};
use tidegate_core::error::{Code, Error};
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::keys::Sign;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::Authority;

use crate::front::Front;
use crate::problem::Problem;

/// The program that serves the routes.
pub trait Host: Send + Sync + 'static {
    /// Calls [`tidegate_core::handle`] in a transaction of its own; ready once that is durable (guarantee G1).
    ///
    /// Dropping the future does not undo the call: a client that went away may find it done.
    fn handle(&self, object: ObjectId, input: Input) -> BoxFuture<'_, Result<Reply, HostError>>;

    /// Calls [`tidegate_core::query`] on a snapshot that holds everything `handle` has answered.
    fn query(&self, object: ObjectId, question: Question) -> BoxFuture<'_, Result<Answer, HostError>>;

    /// Waits for changes of `endpoint` on behalf of a held sync. Dropping it forgets the waiter.
    ///
    /// While one lives a sync of the endpoint is held: that is what
    /// [`is_connected`](tidegate_core::call::Presence::is_connected) asks for, and how many live is how many are held.
    fn watch(&self, endpoint: EndpointId) -> Box<dyn Watch>;

    /// Hears, from here on, which endpoints change, for `/api/v1/events`. Dropping it forgets the listener.
    fn changes(&self) -> Box<dyn Changes>;

    /// Keeps that an endpoint proved itself in a sync; what becomes of it is the host's own matter.
    fn seen(&self, endpoint: EndpointId, seen: Seen);

    /// Remembers in memory a ticket that an answer to `endpoint` gives: see
    /// [`TicketUses`](tidegate_core::control::TicketUses).
    fn ticket_issued(&self, endpoint: EndpointId, ticket: &str);

    /// Whether an idle sync of `endpoint` with this ticket and count is no repeat; remembers it then.
    fn admits_idle(&self, endpoint: EndpointId, ticket: &str, count: u64) -> bool;

    /// The time.
    fn now(&self) -> Timestamp;

    /// 32 fresh random bytes from the system's generator: for request ids and tokens.
    fn entropy(&self) -> [u8; 32];

    /// Runs work of some milliseconds, such as unpacking a part of a large body, where it holds up no other call.
    ///
    /// # Errors
    ///
    /// [`HostError`]; the work may have run in part.
    fn apart(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'_, Result<(), HostError>>;

    /// Judges a new password of the person with this e-mail address, with [`crate::check_password`]. It may take half a
    /// second, so a host does few at once and none on a thread that serves requests.
    ///
    /// # Errors
    ///
    /// Its refusal; [`HostError::Busy`] while too many wait.
    fn judge_password(&self, password: String, email: String) -> BoxFuture<'_, Result<(), HostError>>;

    /// Hashes a password for storage: Argon2id with a fresh salt, as a PHC string. It takes tens of milliseconds and
    /// tens of MiB, so a host does few at once.
    ///
    /// # Errors
    ///
    /// [`HostError::Busy`] while too many wait.
    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, HostError>>;

    /// Whether `password` is the one that `hash` was made of. `None` is never; it takes as long, so that nobody
    /// learns from the time whether an address is known. Requests from an `address` that signed in before have a place
    /// of their own, so that strangers who guess cannot keep people out.
    ///
    /// # Errors
    ///
    /// [`HostError::Busy`] while too many wait.
    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
        address: Option<ClientAddress>,
    ) -> BoxFuture<'_, Result<bool, HostError>>;

    /// At which names it answers, and over what.
    fn front(&self) -> &Front;

    /// The control plane's keys, to sign the time with.
    fn keys(&self) -> &dyn Sign;

    /// The root key and the certificate of the order key.
    fn authority(&self) -> &Authority;

    /// Notes that `person` has this draft open right now, and answers who else has: a hint for those who edit, kept in
    /// memory for about half a minute.
    fn editing(&self, draft: SequenceId, person: &str) -> Vec<String>;

    /// Counts a sign-in that was refused, for the audit log. Kept in memory and stored about once a minute
    /// ([`tidegate_core::call::DirectoryInput::SignInsRefused`]): an attempt that fails must cost no write.
    fn sign_in_refused(&self, attempt: SignInAttempt);

    /// The longest a sync is held. The routes never hold longer than [`crate::HOLD_MAX`].
    fn hold_max(&self) -> Duration;

    /// Whether one more request of `class` from `address` is served; asked before anything of it is read.
    /// `None`: the listener set no [`ClientAddress`].
    fn admit(&self, address: Option<ClientAddress>, class: RouteClass) -> Admittance;

    /// A request of `class` was answered with `status`: for counters, and for limits on failed sign-ins and
    /// enrolments. A held sync counts once it is answered.
    fn answered(&self, address: Option<ClientAddress>, class: RouteClass, status: u16);
}

/// What `work` answers, run by [`Host::apart`].
pub(crate) async fn apart<T: Send + 'static>(
    host: &dyn Host,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let answer = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&answer);
    let work = move || *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(work());
    host.apart(Box::new(work)).await?;
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    answer.ok_or_else(Problem::unexpected_answer)
}

/// Why a host could not make a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The core refused it or storage failed; nothing of it is stored.
    #[error(transparent)]
    Core(#[from] Error),
    /// Too many calls wait to be written: the client tries again shortly.
    #[error("too many calls are waiting")]
    Busy,
    /// The host takes no more calls: the client tries again when it is back.
    #[error("the control plane is shutting down")]
    ShuttingDown,
}

impl HostError {
    /// The core answered with something else than it was asked for: a defect.
    pub(crate) fn unexpected_answer() -> Self {
        Self::Core(Error::problem(
            Code::Internal,
            "the core answered with another kind of answer than was asked for",
        ))
    }
}

/// One waiter for changes of one endpoint.
///
/// To miss nothing, call [`Self::mark_unchanged`], then ask, then wait: a change between the first and the last
/// ends the wait at once.
pub trait Watch: Send {
    /// Forgets changes so far.
    fn mark_unchanged(&mut self);

    /// Waits for a change since [`Self::mark_unchanged`], for `at_most`.
    fn changed(&mut self, at_most: Duration) -> BoxFuture<'_, Woken>;
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The endpoint may have something to answer.
    Changed,
    /// The time is over.
    Elapsed,
    /// The host shuts down: answer at once.
    ShuttingDown,
}

/// One listener for changes of every endpoint.
pub trait Changes: Send {
    /// The next change, or [`Change::Elapsed`] after `at_most` without one.
    fn next(&mut self, at_most: Duration) -> BoxFuture<'_, Change>;
}

/// What a listener hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something about this endpoint changed.
    Endpoint(EndpointId),
    /// Changes came faster than the listener took them and some were dropped: read everything again.
    Missed,
    /// Nothing happened for as long as was asked.
    Elapsed,
    /// The host shuts down: the stream ends.
    ShuttingDown,
}

/// The address a request came from, as far as the host trusts what tells it. The listener puts it into the
/// request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// A sign-in that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInAttempt {
    /// The e-mail address that was typed, only where it is one beyond doubt; `None`: another text was typed, which may be a
    /// password, or none was asked for.
    pub account: Option<String>,
    /// What did not hold.
    pub with: RefusedWith,
    /// The address it came from; `None`: the listener set none.
    pub address: Option<ClientAddress>,
}

impl SignInAttempt {
    /// An attempt for the account that `typed` names, if it is an address beyond doubt.
    pub(crate) fn new(typed: Option<&str>, with: RefusedWith, address: Option<ClientAddress>) -> Self {
        let account = typed.map(str::trim).filter(|typed| is_address(typed)).map(str::to_owned);
        Self { account, with, address }
    }
}

/// What a request costs, by which a host counts and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteClass {
    /// The JSON API, the stream of events included.
    Api,
    /// A page of the console, its files, and the stream that tells it of changes.
    Page,
    /// An attempt to sign in with a password: limit it tightly.
    SignIn,
    /// An attempt to sign in with a one-time link or a token: limit it tightly, and apart from passwords.
    SignInLink,
    /// An attempt to enrol or recover: limit it tightly.
    Enrol,
    /// A signed time.
    Time,
    /// A sync.
    Sync,
    /// A path that does not exist, and the OpenAPI document.
    Other,
}

impl RouteClass {
    /// Every class, for a host that registers a counter for each.
    pub const ALL: [Self; 8] = [
        Self::Api,
        Self::Page,
        Self::SignIn,
        Self::SignInLink,
        Self::Enrol,
        Self::Time,
        Self::Sync,
        Self::Other,
    ];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::SignIn => "sign_in",
            Self::SignInLink => "sign_in_link",
            Self::Enrol => "enrol",
            Self::Time => "time",
            Self::Sync => "sync",
            Self::Other => "other",
        }
    }
}

/// Whether a request is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admittance {
    /// It is.
    Admitted,
    /// It is not, and another try is worthwhile after this long.
    RetryAfter(Duration),
}
