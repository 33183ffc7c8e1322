//! A host around the real core: one thread, storage in memory, a clock that moves only when a test lets it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tidegate_core::call::{Answer, Context, Effect, Input, ObjectId, Presence, Question, Reply, Seen};
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::error::Error;
use tidegate_core::id::EndpointId;
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError, SqlErrorKind, Value as SqlValue};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{Authority, OrderKeyCertificate, PROTOCOL_VERSION};
use tidegate_web::{Admittance, Change, Changes, ClientAddress, Host, HostError, RouteClass, Watch, Woken};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tower::ServiceExt as _;

/// 2026-11-23T14:03:00Z, when every test begins.
pub(crate) const BEGINNING_MS: i64 = 1_795_442_580_000;

/// The host.
pub(crate) struct World {
    keys: KeyPair,
    authority: Authority,
    began: Instant,
    draws: AtomicU64,
    presence: Heard,
    waiters: Mutex<BTreeMap<EndpointId, watch::Sender<u64>>>,
    changes: broadcast::Sender<EndpointId>,
    shutdown: watch::Sender<bool>,
    /// Whether requests are turned away.
    pub(crate) is_closed: AtomicBool,
    /// Whether calls panic.
    pub(crate) is_broken: AtomicBool,
    /// Every answered request.
    pub(crate) answered: Mutex<Vec<(RouteClass, u16)>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Default)]
struct Heard(Mutex<BTreeMap<EndpointId, Seen>>);

/// Storage that refuses everything.
struct NoStorage;

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let keys = KeyPair::from_seed(Role::Order, &[1; 32]);
        let root = KeyPair::from_seed(Role::Order, &[2; 32]);
        let certificate = OrderKeyCertificate {
            v: PROTOCOL_VERSION,
            order_key: keys.public_key(Role::Order),
            issued_at: Timestamp::from_milliseconds(BEGINNING_MS),
        };
        let authority = Authority {
            root: root.public_key(Role::Order),
            certificate: Envelope::seal(&certificate, &root, Role::Order),
        };
        Arc::new(Self {
            keys,
            authority,
            began: Instant::now(),
            draws: AtomicU64::new(0),
            presence: Heard::default(),
            waiters: Mutex::default(),
            changes: broadcast::Sender::new(16),
            shutdown: watch::Sender::new(false),
            is_closed: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            answered: Mutex::default(),
        })
    }

    /// Sends a request to both routers on one listener.
    pub(crate) async fn send(self: &Arc<Self>, request: Request<Body>) -> Response {
        let response = tidegate_web::whole_router(self.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Response { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends a request with a JSON body and the token, if there is one.
    pub(crate) async fn json(
        self: &Arc<Self>,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Response {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) fn root(&self) -> PublicKey {
        self.authority.root
    }

    pub(crate) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    fn draw(&self) -> [u8; 32] {
        Digest::of(self.draws.fetch_add(1, Ordering::Relaxed).to_be_bytes()).0
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.now(),
            entropy: self.draw(),
            keys: &self.keys,
            authority: &self.authority,
            presence: &self.presence,
        }
    }

    fn perform(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Wake(endpoint) => self.waiter(*endpoint).send_modify(|count| *count += 1),
                Effect::Project(endpoint) => {
                    let _ = self.changes.send(*endpoint);
                }
            }
        }
    }

    fn waiter(&self, endpoint: EndpointId) -> watch::Sender<u64> {
        self.waiters.lock().unwrap().entry(endpoint).or_insert_with(|| watch::Sender::new(0)).clone()
    }
}

impl Host for World {
    fn handle(&self, object: ObjectId, input: Input) -> BoxFuture<'_, Result<Reply, HostError>> {
        assert!(!self.is_broken.load(Ordering::Relaxed), "this world is broken");
        let result = tidegate_core::handle(&NoStorage, &self.context(), object, input);
        let reply = result.map(|(reply, effects)| {
            self.perform(&effects);
            reply
        });
        ready(reply.map_err(HostError::from)).boxed()
    }

    fn query(&self, object: ObjectId, question: Question) -> BoxFuture<'_, Result<Answer, HostError>> {
        let answer: Result<Answer, Error> =
            tidegate_core::query(&NoStorage, &self.context(), object, question);
        ready(answer.map_err(HostError::from)).boxed()
    }

    fn watch(&self, endpoint: EndpointId) -> Box<dyn Watch> {
        let changes = self.waiter(endpoint).subscribe();
        Box::new(Waiter { changes, shutdown: self.shutdown.subscribe() })
    }

    fn changes(&self) -> Box<dyn Changes> {
        Box::new(Listener(self.changes.subscribe()))
    }

    fn seen(&self, endpoint: EndpointId, seen: Seen) {
        self.presence.0.lock().unwrap().insert(endpoint, seen);
    }

    fn now(&self) -> Timestamp {
        let elapsed_ms = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Timestamp::from_milliseconds(BEGINNING_MS + elapsed_ms)
    }

    fn entropy(&self) -> [u8; 32] {
        self.draw()
    }

    fn keys(&self) -> &dyn Sign {
        &self.keys
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn hold_max(&self) -> Duration {
        Duration::from_secs(240)
    }

    fn admit(&self, _: Option<ClientAddress>, _: RouteClass) -> Admittance {
        if self.is_closed.load(Ordering::Relaxed) {
            return Admittance::RetryAfter(Duration::from_secs(7));
        }
        Admittance::Admitted
    }

    fn answered(&self, _: Option<ClientAddress>, class: RouteClass, status: u16) {
        self.answered.lock().unwrap().push((class, status));
    }
}

impl Presence for Heard {
    fn last_seen(&self, endpoint: EndpointId) -> Option<Seen> {
        self.0.lock().unwrap().get(&endpoint).copied()
    }
}

struct Waiter {
    changes: watch::Receiver<u64>,
    shutdown: watch::Receiver<bool>,
}

impl Watch for Waiter {
    fn mark_unchanged(&mut self) {
        self.changes.mark_unchanged();
    }

    fn changed(&mut self, at_most: Duration) -> BoxFuture<'_, Woken> {
        async move {
            tokio::select! {
                biased;
                _ = self.shutdown.wait_for(|is_down| *is_down) => Woken::ShuttingDown,
                changed = tokio::time::timeout(at_most, self.changes.changed()) => {
                    if changed.is_ok() { Woken::Changed } else { Woken::Elapsed }
                }
            }
        }
        .boxed()
    }
}

struct Listener(broadcast::Receiver<EndpointId>);

impl Changes for Listener {
    fn next(&mut self, at_most: Duration) -> BoxFuture<'_, Change> {
        async move {
            match tokio::time::timeout(at_most, self.0.recv()).await {
                Ok(Ok(endpoint)) => Change::Endpoint(endpoint),
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => Change::Missed,
                Ok(Err(broadcast::error::RecvError::Closed)) => Change::ShuttingDown,
                Err(_) => Change::Elapsed,
            }
        }
        .boxed()
    }
}

impl ReadSql for NoStorage {
    fn query(&self, _: &'static str, _: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        Err(SqlError::new(SqlErrorKind::Other, "there is no storage"))
    }
}

impl Sql for NoStorage {
    fn execute(&self, _: &'static str, _: &[SqlValue]) -> Result<u64, SqlError> {
        Err(SqlError::new(SqlErrorKind::Other, "there is no storage"))
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    /// Checks that the answer is a whole problem and answers its code and detail.
    pub(crate) fn problem(&self) -> (String, String) {
        assert_eq!(self.headers["content-type"], tidegate_web::PROBLEM_TYPE, "{self:?}");
        let problem: tidegate_web::ProblemView = serde_json::from_slice(&self.bytes).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.problem_type, format!("urn:tidegate:problem:{}", problem.code));
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{problem:?}");
        let request_id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(problem.instance, format!("urn:tidegate:request:{request_id}"));
        (problem.code, problem.detail)
    }
}
