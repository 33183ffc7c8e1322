//! The client of the JSON API: requests that are safe to repeat, answers as text and as values.
//!
//! Every POST carries an idempotency key and is repeated with the same key when its answer is lost, so
//! nothing is queued twice. Answers keep their text, because `--json` prints it unchanged.

mod pages;
mod path;
mod problem;
mod retry;

use std::time::Duration;

use reqwest::{Client, Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use pages::{LISTING_ITEMS_MAX, Listing};
pub(crate) use retry::Retry;

use tidegate_core::obstacle::Obstacle;

use crate::connection::Target;
use crate::failure::Failure;

/// How long a connection may take. A control plane that is there answers within a round trip or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long may pass without a byte arriving; exports of any length stay within it.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer read into memory, in bytes. A control plane bounds its pages to a few MiB; exports are streamed
/// instead.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A control plane to ask.
pub(crate) struct Api {
    http: Client,
    target: Target,
    delay_first: Duration,
}

/// What a control plane answered with 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The body as it came.
    pub text: String,
}

impl Api {
    /// Prepares to ask `target`; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] where the certificate authority does not read.
    pub(crate) fn new(target: Target) -> Result<Self, Failure> {
        let mut builder = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        if target.is_loopback() {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &target.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| {
                Failure::usage("failed to read the certificate authority")
                    .of(Obstacle::FileUnreadable)
                    .caused_by(&error)
            })?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::refused("failed to prepare the HTTP client").caused_by(&error))?;
        Ok(Self { http, target, delay_first: retry::DELAY_FIRST })
    }

    /// The control plane.
    pub(crate) fn base(&self) -> &Url {
        &self.target.base
    }

    /// Asks for what is at `path` under `/api/v1`.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::NotReachable`] or what the control plane refused with.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let url = self.url(path, query);
        let response = self.send(Method::GET, url, Body::default(), Retry::Always).await?;
        self.read(response).await
    }

    /// Posts `body` with a fresh idempotency key.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::NotReachable`] or what the control plane refused with.
    pub(crate) async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Answer, Failure> {
        self.post_with(path, body, Retry::Always).await
    }

    /// Posts `body`, repeating it as `retry` allows.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::NotReachable`] or what the control plane refused with.
    pub(crate) async fn post_with(
        &self,
        path: &[&str],
        body: &impl Serialize,
        retry: Retry,
    ) -> Result<Answer, Failure> {
        let body = Body { json: Some(to_json(body)?), idempotency_key: Some(fresh_key()?), if_match: None };
        let response = self.send(Method::POST, self.url(path, &[]), body, retry).await?;
        self.read(response).await
    }

    /// Edits what is at `path` if its revision still is `revision`.
    ///
    /// It is repeated only while nothing was sent: a second try after a lost answer would name a revision
    /// that the first one made old.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::NotReachable`] or what the control plane refused with.
    pub(crate) async fn patch(
        &self,
        path: &[&str],
        revision: u64,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let body = Body {
            json: Some(to_json(body)?),
            idempotency_key: None,
            if_match: Some(format!("\"{revision}\"")),
        };
        let response = self.send(Method::PATCH, self.url(path, &[]), body, Retry::WhileUnsent).await?;
        self.read(response).await
    }

    /// Asks for what is at `path` and leaves the body to be read piece by piece.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::NotReachable`] or what the control plane refused with.
    pub(crate) async fn stream(&self, path: &[&str]) -> Result<Response, Failure> {
        self.send(Method::GET, self.url(path, &[]), Body::default(), Retry::Always).await
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.target.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(&self, method: Method, url: Url, body: Body, retry: Retry) -> Result<Response, Failure> {
        let mut attempt = 1;
        loop {
            let mut request =
                self.http.request(method.clone(), url.clone()).header("accept", "application/json");
            if let Some(token) = &self.target.token {
                request = request.bearer_auth(token);
            }
            if let Some(json) = &body.json {
                request = request.header("content-type", "application/json").body(json.clone());
            }
            if let Some(key) = &body.idempotency_key {
                request = request.header("idempotency-key", key);
            }
            if let Some(if_match) = &body.if_match {
                request = request.header("if-match", if_match);
            }
            let outcome = request.send().await;
            match retry.delay_before_next(attempt, self.delay_first, &outcome) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return self.judge(outcome).await,
            }
            attempt += 1;
        }
    }

    async fn judge(&self, outcome: reqwest::Result<Response>) -> Result<Response, Failure> {
        match outcome {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => {
                let status = response.status().as_u16();
                let location = response.headers().get("location").and_then(|value| value.to_str().ok());
                let location = location.map(str::to_owned);
                let text = read_bounded(response, problem::BYTES_MAX).await.unwrap_or_default();
                Err(problem::failure(&self.target.base, status, location.as_deref(), &text))
            }
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    async fn read(&self, response: Response) -> Result<Answer, Failure> {
        let text = read_bounded(response, ANSWER_BYTES_MAX).await.map_err(|error| match error {
            ReadError::Transport(error) => self.unreachable(&error),
            ReadError::TooLong => Failure::refused(format!("the answer is over {ANSWER_BYTES_MAX} bytes"))
                .of(Obstacle::Usage)
                .next("ask for less, with a filter or --limit"),
            ReadError::NotText => Failure::refused("the answer is not text: is this a control plane?")
                .of(Obstacle::NotAControlPlane),
        })?;
        Ok(Answer { text })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let (obstacle, next) = path::obstacle(error);
        let failure = Failure::unreachable(obstacle, format!("failed to reach {}", self.target.base));
        // The error's own text repeats the URL, and those below name layers of libraries; the last says what happened.
        let mut last: &dyn std::error::Error = error;
        while let Some(cause) = last.source() {
            last = cause;
        }
        failure.because(last).next(next)
    }
}

impl Answer {
    /// The body as a value.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::Refused`] where it is another one.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text).map_err(|error| {
            Failure::refused("the control plane answered something this program does not read")
                .of(Obstacle::NotAControlPlane)
                .caused_by(&error)
                .next("check the URL, and any proxy in between; else compare the versions of the two: `--json` shows the answer as it came")
        })
    }
}

#[derive(Default)]
struct Body {
    json: Option<String>,
    idempotency_key: Option<String>,
    if_match: Option<String>,
}

enum ReadError {
    Transport(reqwest::Error),
    TooLong,
    NotText,
}

async fn read_bounded(mut response: Response, bytes_max: usize) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Transport)? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(ReadError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}

fn to_json(body: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(body)
        .map_err(|error| Failure::refused("failed to write the request").caused_by(&error))
}

/// A fresh key in the shape of a random UUID (RFC 9562, section 5.4).
fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::refused("failed to get random bytes").because(error))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests;
