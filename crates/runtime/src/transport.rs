//! HTTP to the control plane: three routes, bodies compressed, everything bounded.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest answer, as it travels and once decompressed: orders of one answer and what surrounds them.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bodies below this travel as they are: compressing them saves nothing.
const COMPRESS_FROM_BYTES: usize = 256;
/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may take beyond what it may be held: a slow link needs time for a full batch.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// The control plane, as this machine reaches it.
pub(crate) struct Transport {
    client: reqwest::Client,
    server: String,
}

/// Why there is no answer to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// No path: no connection, a cut one, or no answer in time.
    #[error("failed to reach the control plane")]
    Unreachable(#[source] anyhow::Error),
    /// The control plane answered that it will not.
    #[error("the control plane refused: {detail} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// The sentence beside it.
        detail: String,
    },
    /// Something answered, and not as a control plane does.
    #[error("what answered is not a control plane: {0}")]
    Strange(String),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Transport {
    /// Prepares to reach `server`; `ca_pem` is a private CA, trusted beside the usual ones.
    pub(crate) fn new(server: &str, ca_pem: Option<&str>) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(90))
            .tcp_keepalive_interval(Duration::from_secs(10))
            .tcp_keepalive_retries(2)
            .pool_idle_timeout(Duration::from_secs(600))
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tidegate-runtime/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .context("failed to read the CA certificates: they must be PEM")?;
            builder = certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        Ok(Self { client: builder.build()?, server: server.trim_end_matches('/').to_owned() })
    }

    /// Posts a JSON document and reads one.
    pub(crate) async fn post_json<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, TransportError> {
        let body = serde_json::to_vec(question).map_err(|error| TransportError::Unreachable(error.into()))?;
        self.post(path, body, ANSWER_TIMEOUT).await
    }

    /// Posts bytes and reads a JSON document; `timeout` bounds the whole.
    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<A, TransportError> {
        let mut request = self
            .client
            .post(format!("{}{path}", self.server))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "deflate")
            .timeout(timeout);
        if body.len() < COMPRESS_FROM_BYTES {
            request = request.body(body);
        } else {
            let compressed = deflate(&body).map_err(|error| TransportError::Unreachable(error.into()))?;
            request = request.header(CONTENT_ENCODING, "deflate").body(compressed);
        }
        let unreachable = |error: reqwest::Error| TransportError::Unreachable(error.without_url().into());
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let is_compressed = response.headers().get(CONTENT_ENCODING).is_some_and(|value| value == "deflate");
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(TransportError::Strange("its answer has no end".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_compressed {
            bytes = inflate(&bytes)?;
        }
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| TransportError::Strange(format!("its answer does not read: {error}")));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Problem { code, detail }) => Err(TransportError::Refused { code, detail }),
            Err(_) => Err(TransportError::Strange(format!("it answered with status {status}"))),
        }
    }
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, TransportError> {
    let mut inflated = Vec::new();
    let read = ZlibDecoder::new(bytes).take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut inflated);
    match read {
        Ok(read) if read <= ANSWER_BYTES_MAX => Ok(inflated),
        Ok(_) => Err(TransportError::Strange("its answer has no end".to_owned())),
        Err(_) => Err(TransportError::Strange("its answer is damaged".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_answer_reads_back_and_a_bomb_is_refused() {
        let text = vec![b'a'; 10_000];
        assert_eq!(inflate(&deflate(&text).unwrap()).unwrap(), text);
        let bomb = deflate(&vec![0; ANSWER_BYTES_MAX + 1]).unwrap();
        assert!(matches!(inflate(&bomb), Err(TransportError::Strange(_))));
        assert!(matches!(inflate(b"garbage"), Err(TransportError::Strange(_))));
    }
}
