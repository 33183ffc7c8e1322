//! A real machine whose work is timed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::harness::{Connection, World, loopback, request_bytes};

/// How long one sequence may take, whatever else goes on.
const ROUND_MAX: Duration = Duration::from_secs(30);

/// Queues a sequence and asks for it until it has ended.
pub(super) struct Honest {
    tokio: tokio::runtime::Runtime,
    connection: Connection,
    authorization: String,
    endpoint: String,
}

/// How long rounds took, in order of length.
pub(super) struct Took(Vec<Duration>);

impl Honest {
    /// A person at the console of `endpoint`.
    pub(super) fn open(world: &World, endpoint: &str) -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let to = ([127, 0, 0, 1], world.plane.port()).into();
        let connection = tokio.block_on(Connection::open(to, loopback(0)))?;
        let authorization = format!("Bearer {}", world.plane.token);
        Ok(Self { tokio, connection, authorization, endpoint: endpoint.to_owned() })
    }

    /// Times one sequence after the other for `span`, or until `is_over`.
    pub(super) fn rounds(&mut self, span: Duration, is_over: &AtomicBool) -> anyhow::Result<Took> {
        let (began, mut took) = (Instant::now(), Vec::new());
        while took.is_empty() || (began.elapsed() < span && !is_over.load(Ordering::Relaxed)) {
            took.push(self.round()?);
            std::thread::sleep(Duration::from_millis(20));
        }
        took.sort();
        Ok(Took(took))
    }

    fn round(&mut self) -> anyhow::Result<Duration> {
        let Self { tokio, connection, authorization, endpoint } = self;
        tokio.block_on(async {
            let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
            let body = json!({ "title": "look", "steps": [{ "probe": "system_info" }] }).to_string();
            let path = format!("/api/v1/endpoints/{endpoint}/sequences");
            let queue = request_bytes("POST", &path, &headers, body.as_bytes());
            let started = Instant::now();
            let answer = connection.exchange(&queue).await?;
            let said = String::from_utf8_lossy(answer.body).into_owned();
            ensure!(answer.status == 201, "queueing answered {}: {said}", answer.status);
            let queued: Value = serde_json::from_str(&said)?;
            let id = queued["id"].as_str().context("a sequence has an id")?;
            let look = request_bytes("GET", &format!("/api/v1/sequences/{id}"), &headers[..1], b"");
            loop {
                let answer = connection.exchange(&look).await?;
                let sequence: Value = serde_json::from_slice(answer.body)?;
                if sequence["state"] == "succeeded" {
                    return Ok(started.elapsed());
                }
                ensure!(started.elapsed() < ROUND_MAX, "it does not come back: {sequence:#}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    }
}

impl Took {
    /// The 99th percentile; of fewer than a hundred rounds the longest.
    pub(super) fn p99_ms(&self) -> f64 {
        self.at(0.99)
    }

    fn at(&self, share: f64) -> f64 {
        let place = ((self.0.len() - 1) as f64 * share).round() as usize;
        self.0[place].as_secs_f64() * 1e3
    }
}

impl fmt::Display for Took {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.at(0.5), self.p99_ms());
        write!(formatter, "p50 {p50:.1}, p99 {p99:.1}, most {:.1} ms, {} rounds", self.at(1.0), self.0.len())
    }
}
