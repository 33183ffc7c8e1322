//! One request on a connection of its own, every phase timed, everything that comes back bounded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tidegate_core::wire::Policy;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::trust::Witness;
use crate::probes::Refusal;
use crate::probes::connect::{self, Attempt, NoWay};
use crate::probes::words::milliseconds;

/// Most bytes read of a body; a check looks at a page and does not load a file.
pub(in crate::probes) const BODY_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Where to ask.
#[derive(Clone, Debug)]
pub(in crate::probes) struct Target {
    pub(in crate::probes) uri: Uri,
    pub(in crate::probes) is_tls: bool,
    /// Without brackets.
    pub(in crate::probes) host: String,
    pub(in crate::probes) port: u16,
}

/// How far a question got. What is absent was not reached, or is not part of it.
#[derive(Debug, Default, Serialize)]
pub(in crate::probes) struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::probes) dns_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::probes) connect_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::probes) tls_ms: Option<f64>,
    /// From the request to the head of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::probes) first_byte_ms: Option<f64>,
    /// All of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::probes) total_ms: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::probes) attempts: Vec<Attempt>,
}

/// What came back.
#[derive(Debug)]
pub(in crate::probes) struct Answer {
    pub(in crate::probes) status: StatusCode,
    pub(in crate::probes) headers: HeaderMap,
    /// At most [`BODY_BYTES_MAX`].
    pub(in crate::probes) body: Vec<u8>,
    pub(in crate::probes) is_body_whole: bool,
}

/// Why there is no answer, in words.
#[derive(Debug)]
pub(in crate::probes) enum Unanswered {
    /// None came.
    Silent(String),
    /// This machine's policy does not allow to ask.
    Denied(Refusal),
}

/// Asks, and notes in `phases` how far it got. To be dropped when `patience` is over.
pub(in crate::probes) async fn ask(
    target: &Target,
    method: Method,
    witness: &Arc<Witness>,
    patience: Duration,
    policy: &Policy,
    phases: &mut Phases,
) -> Result<Answer, Unanswered> {
    let begin = Instant::now();
    let resolved = connect::destinations(&target.host, target.port, patience, policy).await;
    let resolved = resolved.map_err(|no_way| match no_way {
        NoWay::Unreached(unreached) => Unanswered::Silent(unreached.words),
        NoWay::Denied(refusal) => Unanswered::Denied(refusal),
    })?;
    phases.dns_ms = resolved.dns_ms;
    let stream = connect::first_connected(&resolved.addresses, patience, &mut phases.attempts).await;
    let last = phases.attempts.last();
    let words = || last.map(|attempt| attempt.words(patience)).unwrap_or_default();
    let stream = stream.ok_or_else(|| Unanswered::Silent(words()))?;
    phases.connect_ms = last.map(|attempt| attempt.ms);
    let answer = if target.is_tls {
        let handshake = Instant::now();
        let stream = shake_hands(target, stream, witness).await?;
        phases.tls_ms = Some(milliseconds(handshake.elapsed()));
        exchange(target, method, stream, phases).await?
    } else {
        exchange(target, method, stream, phases).await?
    };
    phases.total_ms = Some(milliseconds(begin.elapsed()));
    Ok(answer)
}

async fn shake_hands(
    target: &Target,
    stream: TcpStream,
    witness: &Arc<Witness>,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Unanswered> {
    let config = witness.config().map_err(|error| Unanswered::Silent(error.to_string()))?;
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| Unanswered::Silent(format!("no certificate can be for `{}`", target.host)))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| Unanswered::Silent(format!("no TLS with {}:{}: {error}", target.host, target.port)))
}

async fn exchange(
    target: &Target,
    method: Method,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    phases: &mut Phases,
) -> Result<Answer, Unanswered> {
    let no_http = |error: hyper::Error| {
        Unanswered::Silent(format!("no HTTP answer from {}:{}: {error}", target.host, target.port))
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(no_http)?;
    // Aborted when this future is dropped.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let asked = Instant::now();
    let answer = sender.send_request(request(target, method)?).await.map_err(no_http)?;
    phases.first_byte_ms = Some(milliseconds(asked.elapsed()));
    let (head, mut incoming) = answer.into_parts();
    let (mut body, mut is_body_whole) = (Vec::new(), true);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(no_http)?;
        let data = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            is_body_whole = false;
            break;
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body, is_body_whole })
}

fn request(target: &Target, method: Method) -> Result<Request<Empty<Bytes>>, Unanswered> {
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = target.uri.authority().map_or(target.host.as_str(), |authority| authority.as_str());
    let request = Request::builder()
        .method(method)
        .uri(if path.starts_with('?') { format!("/{path}") } else { path.to_owned() })
        .header(HOST, host)
        .header(USER_AGENT, concat!("tidegate-runtime/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close");
    request.body(Empty::new()).map_err(|error| Unanswered::Silent(error.to_string()))
}
