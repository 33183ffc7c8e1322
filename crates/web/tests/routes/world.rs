//! A host around the real core: one thread, storage in memory, a clock that moves only when a test lets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tidegate_core::api::TokenLife;
use tidegate_core::call::{
    Answer, Context, DirectoryInput, Effect, Input, ObjectId, Presence, Principal, Proof, Question, Reply,
    Seen,
};
use tidegate_core::control;
use tidegate_core::control::TicketUses;
use tidegate_core::digest::Digest;
use tidegate_core::directory::{self, token_digest};
use tidegate_core::envelope::Envelope;
use tidegate_core::error::Error;
use tidegate_core::id::{EndpointId, PersonId, SequenceId};
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign};
use tidegate_core::schema::migrate;
use tidegate_core::sql::{self, ReadSql, Row, SqlError};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{Authority, OrderKeyCertificate};
use tidegate_sqlite::{ReadError, Settings, Store, WriteError};
use tidegate_web::{
    Admittance, Change, Changes, ClientAddress, Front, Host, HostError, RouteClass, SignInAttempt, Watch,
    Woken,
};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tower::ServiceExt as _;

/// 2026-11-23T14:03:00Z, when every test begins.
pub(crate) const BEGINNING_MS: i64 = 1_795_442_580_000;

/// The token of [`owner`].
pub(crate) const TOKEN: &str = "tgp_owner";

/// The header that proves it.
pub(crate) const BEARER: &str = "Bearer tgp_owner";

/// The person who acts.
pub(crate) fn owner() -> Principal {
    Principal {
        person: PersonId::from_bytes([1; 10]),
        email: "owner@example.com".to_owned(),
        role: "owner".to_owned(),
        proof: Proof::Token { until: None },
    }
}

/// The host.
pub(crate) struct World {
    store: Mutex<Store>,
    /// Both routers on one listener; it holds the world in turn, which lives as long as its test.
    router: OnceLock<axum::Router>,
    keys: KeyPair,
    authority: Authority,
    began: Instant,
    draws: AtomicU64,
    presence: Heard,
    front: Front,
    changes: broadcast::Sender<EndpointId>,
    shutdown: watch::Sender<bool>,
    /// Who has which draft open.
    editors: Mutex<BTreeMap<SequenceId, BTreeSet<String>>>,
    tickets: Mutex<BTreeMap<EndpointId, TicketUses>>,
    /// Whether requests are turned away.
    pub(crate) is_closed: AtomicBool,
    /// Whether calls panic.
    pub(crate) is_broken: AtomicBool,
    /// How many passwords were compared, with dummies too.
    pub(crate) verified: AtomicU64,
    /// How many statements queries ran.
    pub(crate) statements: AtomicU64,
    /// Every refused sign-in.
    pub(crate) refused: Mutex<Vec<SignInAttempt>>,
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

/// Who was heard when, and whose syncs are held.
#[derive(Default)]
struct Heard {
    seen: Mutex<BTreeMap<EndpointId, Seen>>,
    waiters: Mutex<BTreeMap<EndpointId, watch::Sender<u64>>>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Self::at(Front::new(None, false, |name| matches!(name, "desk" | "desk.example")))
    }

    /// A world that people reach in this way.
    pub(crate) fn at(front: Front) -> Arc<Self> {
        let keys = KeyPair::from_seed(Role::Order, &[1; 32]);
        let root = KeyPair::from_seed(Role::Order, &[2; 32]);
        let issued_at = Timestamp::from_milliseconds(BEGINNING_MS);
        let certificate = OrderKeyCertificate::new(1, &keys, issued_at);
        let authority = Authority {
            root: root.public_key(Role::Order),
            certificate: Envelope::seal(&certificate, &root, Role::Order),
        };
        let mut store = Store::in_memory(&Settings::endpoint()).unwrap();
        store.transaction(|db| migrate(db, &control::SCHEMA)).unwrap();
        store.transaction(|db| migrate(db, &directory::SCHEMA)).unwrap();
        let world = Arc::new(Self {
            store: Mutex::new(store),
            router: OnceLock::new(),
            keys,
            authority,
            began: Instant::now(),
            draws: AtomicU64::new(0),
            presence: Heard::default(),
            front,
            changes: broadcast::Sender::new(16),
            shutdown: watch::Sender::new(false),
            editors: Mutex::default(),
            tickets: Mutex::default(),
            is_closed: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            verified: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            refused: Mutex::default(),
            answered: Mutex::default(),
        });
        let email = owner().email;
        let inputs = [
            DirectoryInput::CreateOwner { email: email.clone(), sign_in: token_digest("unused") },
            DirectoryInput::CreateToken { email, digest: token_digest(TOKEN), life: TokenLife::Never },
        ];
        for input in inputs {
            let context = world.context();
            let mut store = world.store.lock().unwrap();
            store.transaction(|db| directory::handle(db, &context, input)).unwrap();
        }
        world
    }

    /// Sends a request to both routers on one listener.
    pub(crate) async fn send(self: &Arc<Self>, mut request: Request<Body>) -> Response {
        if request.uri().authority().is_none() {
            request.headers_mut().entry("host").or_insert(HeaderValue::from_static("desk.example"));
        }
        let router = self.router.get_or_init(|| tidegate_web::whole_router(self.clone())).clone();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Response { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends a request with a JSON body and without a token.
    pub(crate) async fn open(self: &Arc<Self>, method: Method, path: &str, body: &Value) -> Response {
        self.send(request(method, path, &[], Some(body))).await
    }

    /// Reads something as the owner.
    pub(crate) async fn get(self: &Arc<Self>, path: &str) -> Response {
        self.send(request(Method::GET, path, &[("authorization", BEARER)], None)).await
    }

    /// Reads something with another token.
    pub(crate) async fn get_as(self: &Arc<Self>, token: &str, path: &str) -> Response {
        let bearer = format!("Bearer {token}");
        self.send(request(Method::GET, path, &[("authorization", &bearer)], None)).await
    }

    /// Posts something as the owner.
    pub(crate) async fn post(self: &Arc<Self>, path: &str, body: &Value) -> Response {
        self.send(request(Method::POST, path, &[("authorization", BEARER)], Some(body))).await
    }

    /// Posts something as the owner, with a key that makes a repeat safe.
    pub(crate) async fn post_once(self: &Arc<Self>, path: &str, key: &str, body: &Value) -> Response {
        let headers = [("authorization", BEARER), ("idempotency-key", key)];
        self.send(request(Method::POST, path, &headers, Some(body))).await
    }

    /// Edits something as the owner; `revision` is the `If-Match`, if there is one.
    pub(crate) async fn patch(
        self: &Arc<Self>,
        path: &str,
        revision: Option<&str>,
        body: &Value,
    ) -> Response {
        let mut headers = vec![("authorization", BEARER)];
        headers.extend(revision.map(|revision| ("if-match", revision)));
        self.send(request(Method::PATCH, path, &headers, Some(body))).await
    }

    /// The secret of a fresh one-time link of the owner's.
    pub(crate) async fn sign_in_link(self: &Arc<Self>) -> String {
        let secret = format!("tgp_link_{}", self.draws.load(Ordering::Relaxed));
        let input = DirectoryInput::CreateSignInLink { email: owner().email, sign_in: token_digest(&secret) };
        self.handle(ObjectId::Directory, Input::Directory(input)).await.unwrap();
        secret
    }

    pub(crate) fn root(&self) -> PublicKey {
        self.authority.root
    }

    /// Takes what endpoints tell of themselves into the directory, as a host does after a commit; answers how many told
    /// something.
    pub(crate) fn project(&self) -> usize {
        let context = self.context();
        let projected = self.store.lock().unwrap().transaction(|db| {
            let projections = control::outbox(db, &context, 100)?;
            let input = Input::Directory(DirectoryInput::Project(projections.clone()));
            tidegate_core::handle(db, &context, ObjectId::Directory, input)?;
            control::outbox_done(db, &projections)?;
            Ok::<_, Error>(projections.len())
        });
        projected.unwrap()
    }

    /// Whether a sync of the endpoint is held.
    pub(crate) fn is_holding(&self, endpoint: EndpointId) -> bool {
        self.presence.is_connected(endpoint)
    }

    /// When and how the endpoint was last heard.
    pub(crate) fn last_seen(&self, endpoint: EndpointId) -> Option<Seen> {
        self.presence.last_seen(endpoint)
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
            earlier: &[],
        }
    }

    fn perform(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Wake(endpoint) => self.presence.waiter(*endpoint).send_modify(|count| *count += 1),
                Effect::Tell => {}
                Effect::Project(endpoint) => {
                    let _ = self.changes.send(*endpoint);
                }
            }
        }
    }
}

impl Host for World {
    fn apart(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'_, Result<(), HostError>> {
        work();
        Box::pin(async { Ok(()) })
    }

    fn handle(&self, object: ObjectId, input: Input) -> BoxFuture<'_, Result<Reply, HostError>> {
        assert!(!self.is_broken.load(Ordering::Relaxed), "this world is broken");
        let context = self.context();
        let result =
            self.store.lock().unwrap().transaction(|db| tidegate_core::handle(db, &context, object, input));
        let reply = match result {
            Ok((reply, effects)) => {
                self.perform(&effects);
                Ok(reply)
            }
            Err(WriteError::Job(error)) => Err(HostError::Core(error)),
            Err(error) => panic!("{error}"),
        };
        ready(reply).boxed()
    }

    fn query(&self, object: ObjectId, question: Question) -> BoxFuture<'_, Result<Answer, HostError>> {
        let context = self.context();
        let answer = self
            .store
            .lock()
            .unwrap()
            .read(|db| tidegate_core::query(&Counted(db, &self.statements), &context, object, question));
        ready(answer.map_err(|error: ReadError<Error>| match error {
            ReadError::Job(error) => HostError::Core(error),
            error => panic!("{error}"),
        }))
        .boxed()
    }

    fn watch(&self, endpoint: EndpointId) -> Box<dyn Watch> {
        let changes = self.presence.waiter(endpoint).subscribe();
        Box::new(Waiter { changes, shutdown: self.shutdown.subscribe() })
    }

    fn changes(&self) -> Box<dyn Changes> {
        Box::new(Listener(self.changes.subscribe()))
    }

    fn seen(&self, endpoint: EndpointId, seen: Seen) {
        self.presence.seen.lock().unwrap().insert(endpoint, seen);
    }

    fn ticket_issued(&self, endpoint: EndpointId, ticket: &str) {
        self.tickets.lock().unwrap().entry(endpoint).or_default().issued(ticket);
    }

    fn admits_idle(&self, endpoint: EndpointId, ticket: &str, count: u64) -> bool {
        self.tickets.lock().unwrap().entry(endpoint).or_default().admits(ticket, count)
    }

    fn now(&self) -> Timestamp {
        let elapsed_ms = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Timestamp::from_milliseconds(BEGINNING_MS + elapsed_ms)
    }

    fn entropy(&self) -> [u8; 32] {
        self.draw()
    }

    fn judge_password(&self, password: String, email: String) -> BoxFuture<'_, Result<(), HostError>> {
        ready(tidegate_web::check_password(&password, &email).map_err(HostError::Core)).boxed()
    }

    // Of no worth as a hash: it can be read back in tests.
    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, HostError>> {
        ready(Ok(format!("$argon2id$of {password}"))).boxed()
    }

    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
        _: Option<ClientAddress>,
    ) -> BoxFuture<'_, Result<bool, HostError>> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        ready(Ok(hash == Some(format!("$argon2id$of {password}")))).boxed()
    }

    fn front(&self) -> &Front {
        &self.front
    }

    fn keys(&self) -> &dyn Sign {
        &self.keys
    }

    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn editing(&self, draft: SequenceId, person: &str) -> Vec<String> {
        let mut editors = self.editors.lock().unwrap();
        let people = editors.entry(draft).or_default();
        let others = people.iter().filter(|other| *other != person).cloned().collect();
        people.insert(person.to_owned());
        others
    }

    fn sign_in_refused(&self, attempt: SignInAttempt) {
        self.refused.lock().unwrap().push(attempt);
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
        self.seen.lock().unwrap().get(&endpoint).copied()
    }

    fn start(&self) -> u64 {
        0
    }

    fn is_connected(&self, endpoint: EndpointId) -> bool {
        self.waiter(endpoint).receiver_count() > 0
    }
}

impl Heard {
    fn waiter(&self, endpoint: EndpointId) -> watch::Sender<u64> {
        self.waiters.lock().unwrap().entry(endpoint).or_insert_with(|| watch::Sender::new(0)).clone()
    }
}

/// A database whose statements are counted.
struct Counted<'a>(&'a dyn ReadSql, &'a AtomicU64);

impl ReadSql for Counted<'_> {
    fn query(&self, statement: &'static str, parameters: &[sql::Value]) -> Result<Vec<Row>, SqlError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.query(statement, parameters)
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

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match body {
        None => request.body(Body::empty()).unwrap(),
        Some(body) => {
            let request = request.header("content-type", "application/json");
            request.body(Body::from(body.to_string())).unwrap()
        }
    }
}
