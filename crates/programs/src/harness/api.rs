//! The JSON API as a script sees it: one request at a time.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

/// A client of the API with one token.
#[derive(Debug)]
pub struct Api {
    client: reqwest::Client,
    tokio: tokio::runtime::Runtime,
    url: String,
    token: String,
}

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} answered {status}: {body}")]
pub struct ApiError {
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The problem document.
    pub body: Value,
}

impl Api {
    /// A client for the control plane at `url`.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        Self::trusting(url, token, None)
    }

    /// The same for one whose TLS a private CA vouches for.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn trusting(url: &str, token: &str, ca_pem: Option<&str>) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = ca_pem.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes())).transpose()?;
        let builder = reqwest::Client::builder();
        let builder = roots.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        let client = builder.timeout(Duration::from_secs(60)).pool_max_idle_per_host(0).no_proxy().build()?;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, tokio, url: url.to_owned(), token: token.to_owned() })
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`ApiError`] for a refusal.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, None, None)
    }

    /// Posts a document.
    ///
    /// # Errors
    ///
    /// [`ApiError`] for a refusal.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("POST", path, Some(body), None)
    }

    /// Edits what was read at `revision`.
    ///
    /// # Errors
    ///
    /// [`ApiError`] for a refusal.
    pub fn patch(&self, path: &str, revision: u64, body: &Value) -> anyhow::Result<Value> {
        self.send("PATCH", path, Some(body), Some(revision))
    }

    /// Reads a body as text.
    ///
    /// # Errors
    ///
    /// When the status is not 200.
    pub fn text(&self, path: &str) -> anyhow::Result<String> {
        self.tokio.block_on(async {
            let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
            let response = request.send().await?.error_for_status()?;
            Ok(response.text().await?)
        })
    }

    /// The status of a path, without credentials.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn status(&self, path: &str) -> anyhow::Result<u16> {
        self.tokio.block_on(async {
            Ok(self.client.get(format!("{}{path}", self.url)).send().await?.status().as_u16())
        })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        revision: Option<u64>,
    ) -> anyhow::Result<Value> {
        self.tokio.block_on(async {
            let mut request = self
                .client
                .request(method.parse()?, format!("{}{path}", self.url))
                .bearer_auth(&self.token)
                .header("accept", "application/json");
            if let Some(revision) = revision {
                request = request.header("if-match", format!("\"{revision}\""));
            }
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(serde_json::to_vec(body)?);
            }
            let response = request.send().await.with_context(|| format!("{method} {path}"))?;
            let status = response.status().as_u16();
            let bytes = response.bytes().await?;
            let body: Value = serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes).into_owned()));
            if (200..300).contains(&status) {
                return Ok(body);
            }
            Err(ApiError { method: method.to_owned(), path: path.to_owned(), status, body }.into())
        })
    }
}

/// A sequence of `shell` commands.
pub fn sequence_of(title: &str, commands: &[String]) -> Value {
    let steps: Vec<_> =
        commands.iter().map(|command| json!({ "probe": "shell", "with": { "command": command } })).collect();
    json!({ "title": title, "stop_on": "never", "steps": steps })
}
