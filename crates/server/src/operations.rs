//! What an operator's tools ask: `/healthz`, `/readyz`, `/metrics`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tidegate_core::call::{Answer, Counts, DirectoryQuestion, ObjectId, Question};
use tidegate_core::control;
use tidegate_core::key_end::{KeyEnd, KeyStage, RENEW_COMMAND};
use tidegate_web::{Host as _, refuse_foreign_host};
use tokio::time::timeout;

use crate::host::{Level, LocalHost};
use crate::metrics::Levels;
use crate::net::{Budget, Gate};

/// How long the writer may take to answer a call that stores nothing. A full queue takes a tenth of it.
const READY_TIME_MAX: Duration = Duration::from_secs(1);

/// What the answers are made of.
pub(crate) struct Operations {
    pub(crate) host: Arc<LocalHost>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) database: PathBuf,
}

/// Whether the process lives: for every listener.
pub(crate) fn liveness() -> Router {
    Router::new().route("/healthz", get(async || "ok\n"))
}

/// Whether it is ready, and its figures: for the people's listener.
pub(crate) fn readiness(operations: Arc<Operations>) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .layer(from_fn_with_state(operations.clone(), own_host))
        .with_state(operations)
}

/// Answers only where this control plane is asked for by a name of its own: a page of another site could otherwise have
/// its own name lead here.
async fn own_host(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    match refuse_foreign_host(operations.host.as_ref(), &request) {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

async fn ready(State(operations): State<Arc<Operations>>) -> Response {
    let host = &operations.host;
    if host.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    match timeout(READY_TIME_MAX, host.write(|_, _| Ok(((), Vec::new())))).await {
        Ok(Ok(())) => match (host.storage.level(), host.storage.advice()) {
            (Level::Full, advice) => {
                (StatusCode::SERVICE_UNAVAILABLE, advice.unwrap_or_default() + "\n").into_response()
            }
            (Level::Fine | Level::Low, advice) => {
                let lines = ["ok".to_owned()].into_iter().chain(advice).chain(key_advice(host));
                lines.map(|line| line + "\n").collect::<String>().into_response()
            }
        },
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the writer does not answer\n").into_response()
        }
    }
}

/// The warning that the order key ends. It is still ready then: results arrive, and renewing it is not urgent for them.
fn key_advice(host: &LocalHost) -> Option<String> {
    let end = KeyEnd::of(host.authority(), host.now()).filter(|end| end.stage > KeyStage::Valid)?;
    Some(format!("{}; renew it with `{RENEW_COMMAND}`", end.headline()))
}

async fn metrics(State(operations): State<Arc<Operations>>) -> Response {
    let levels = operations.levels().await;
    let content_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    match operations.host.metrics.text(levels) {
        Ok(text) => ([(CONTENT_TYPE, content_type)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Operations {
    async fn levels(&self) -> Levels {
        let question = Question::Directory(DirectoryQuestion::Counts);
        let counts = match self.host.query(ObjectId::Directory, question).await {
            Ok(Answer::Counts(counts)) => counts,
            Ok(_) | Err(_) => Counts::default(),
        };
        let backlog = self.host.read_long(|db, _| control::outbox_backlog(db)).await.unwrap_or_default();
        let mut wal = self.database.clone().into_os_string();
        wal.push("-wal");
        let wal_bytes = std::fs::metadata(&wal).map_or(0, |metadata| metadata.len());
        let waiters = &self.host.world.waiters;
        let not_after = self.host.authority().not_after();
        Levels {
            syncs_held: waiters.held(),
            endpoints_connected: level(waiters.endpoints_held() as u64),
            endpoints: level(counts.endpoints),
            sequences_live: level(counts.sequences_live),
            connections: level(self.gate.open() as u64),
            body_bytes: level(self.budget.bytes() as u64),
            wal_bytes: level(wal_bytes),
            disk_free_bytes: level(self.host.storage.free_bytes().unwrap_or(0)),
            disk_reserve_bytes: level(self.host.storage.reserve_bytes()),
            disk_full: i64::from(self.host.storage.level() == Level::Full),
            projection_backlog: level(backlog),
            order_key_not_after: not_after.map_or(0, |at| at.milliseconds().div_euclid(1_000)),
        }
    }
}

fn level(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
