//! HTTP to the control plane: three routes, bodies compressed, everything bounded.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;

use crate::clock;
use crate::enrol::TIME_PATH;
use crate::net::{
    Answer, Connection, Intervals, KeepAlive, Meter, NetError, PostRequest, ServerAddress, TlsClock, Trust,
    Way,
};

/// Largest answer, as it travels and once decompressed: orders of one answer and what surrounds them.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A clock that is off by less judges a certificate's dates well enough.
const CLOCK_TOLERANCE_MS: u64 = 3_600_000;
/// Longest words of a stranger that are repeated, in characters: they go to logs and to whoever reads them.
const WORDS_MAX: usize = 500;
/// Bodies below this travel as they are: compressing them saves nothing.
const COMPRESS_FROM_BYTES: usize = 512;

/// The control plane, as this machine reaches it: one connection, kept while it lasts.
pub(crate) struct Transport {
    server: ServerAddress,
    trust: Option<Trust>,
    tls_clock: Arc<TlsClock>,
    keep_alive: KeepAlive,
    intervals: Intervals,
    meter: Meter,
    kept: RefCell<Option<Connection>>,
}

/// Why there is no answer to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// No path: no connection, a cut one, or no answer in time.
    #[error("failed to reach the control plane")]
    Unreachable(#[from] NetError),
    /// The machine's clock is so wrong that the certificate's dates do not fit: the time must be asked first.
    #[error(
        "the certificate's dates do not fit this machine's clock, and the control plane's signed time is not known yet"
    )]
    TimeFirst,
    /// The control plane answered that it will not.
    #[error("the control plane refused: {detail} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// The sentence beside it.
        detail: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Something answered, and not as a control plane does.
    #[error("what answered is not a control plane: {problem}")]
    Strange {
        /// What was wrong with it.
        problem: String,
        /// Whether it is how a gateway says that it waited long enough (status 502, 503 or 504).
        is_gateway: bool,
    },
}

/// What to do where something else answers than a control plane.
pub(crate) const NOT_A_CONTROL_PLANE: &str = "a captive portal, a gateway or another server answers in its place: open the address in a browser and look";

/// What a person at the machine can do about a refusal with this code of the control plane's.
pub(crate) fn after_refusal(code: &str) -> &'static str {
    match code {
        "revoked" => {
            "nothing here, if that is meant. Otherwise have a code made for this very machine (`tidegate \
             enrolment-codes create --site SITE --endpoint MACHINE`) and enrol it with another --state"
        }
        "invalid_code" => {
            "have another code made: `tidegate enrolment-codes create --site SITE`; nothing was kept of this one"
        }
        "rate_limited" => {
            "nothing: it waits and sends again. If it stays, look at the machine's page: it reports too much, or \
             something at this address asks too often"
        }
        "unavailable" => "nothing: it is tried again shortly; repeat a command that was typed",
        "storage_full" => {
            "make room on the control plane's disk; nothing is lost here, and it is tried again"
        }
        "invalid_signature" => {
            "compare this machine's state with what the control plane shows: was it copied?"
        }
        "conflict" => "do what the sentence says, in the control plane; it is tried again",
        "internal" => "look into the control plane's log, and report it; it is tried again",
        _ => "compare the versions of this runtime and the control plane; it is tried again",
    }
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Transport {
    /// Prepares to reach `server`; `ca_pem` is a private CA, trusted beside the usual ones.
    pub(crate) fn new(
        server: &str,
        ca_pem: Option<&str>,
        keep_alive: KeepAlive,
        intervals: Intervals,
    ) -> anyhow::Result<Self> {
        let server = ServerAddress::parse(server)?;
        let tls_clock = Arc::<TlsClock>::default();
        let trust = server.is_tls.then(|| Trust::new(ca_pem, Arc::clone(&tls_clock))).transpose()?;
        let (meter, kept) = (Meter::default(), RefCell::new(None));
        Ok(Self { server, trust, tls_clock, keep_alive, intervals, meter, kept })
    }

    /// Bytes sent and received so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.meter.bytes()
    }

    /// Takes in that it is `time` now, by the control plane's signature. Certificates are judged by it from here on,
    /// so a connection that was let through to ask the time is ended, and one that a wrong clock judged too.
    pub(crate) fn confirm_time(&self, time: Timestamp) {
        let is_clock_wrong = clock::wall().milliseconds().abs_diff(time.milliseconds()) > CLOCK_TOLERANCE_MS;
        self.tls_clock.confirm(time);
        self.kept.borrow_mut().take_if(|connection| {
            connection.is_time_only || (connection.is_judged_by_clock && is_clock_wrong)
        });
    }

    /// Posts a JSON document and reads one.
    pub(crate) async fn post_json<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, TransportError> {
        let body = serde_json::to_vec(question)
            .map_err(|error| strange(&format!("a question is not JSON: {error}")))?;
        self.post(path, body, Duration::ZERO).await
    }

    /// Posts bytes and reads a JSON document; `hold` is how long the answer may be held.
    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        hold: Duration,
    ) -> Result<A, TransportError> {
        let request = self.request(path, body, hold)?;
        let connection = self.connection().await?;
        if connection.is_time_only && path != TIME_PATH {
            return Err(TransportError::TimeFirst);
        }
        let answer = connection.post(request, self.intervals).await;
        if !matches!(answer, Ok(Answer { body: Some(_), .. })) {
            self.kept.take();
        }
        judge(answer?)
    }

    /// The kept connection, or a new one.
    pub(crate) async fn connection(&self) -> Result<Connection, NetError> {
        if let Some(kept) = self.kept.borrow().as_ref().filter(|kept| kept.is_usable()) {
            return Ok(kept.clone());
        }
        self.kept.take();
        let way = Way {
            server: &self.server,
            trust: self.trust.as_ref(),
            keep_alive: self.keep_alive,
            intervals: self.intervals,
            meter: &self.meter,
        };
        let connection = Connection::open(&way).await?;
        self.kept.replace(Some(connection.clone()));
        Ok(connection)
    }

    fn request(&self, path: &str, body: Vec<u8>, hold: Duration) -> Result<PostRequest, TransportError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("deflate"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("tidegate-runtime/", env!("CARGO_PKG_VERSION"))),
        );
        let uri =
            self.server.uri(path).map_err(|error| strange(&format!("its address is not one: {error}")))?;
        let body = if body.len() < COMPRESS_FROM_BYTES {
            body
        } else {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("deflate"));
            deflate(&body).map_err(|error| strange(&format!("a question does not compress: {error}")))?
        };
        Ok(PostRequest { uri, headers, body, hold, answer_bytes_max: ANSWER_BYTES_MAX })
    }
}

fn judge<A: DeserializeOwned>(answer: Answer) -> Result<A, TransportError> {
    let Answer { status, headers, body } = answer;
    let mut bytes = body.ok_or_else(|| strange("its answer has no end"))?;
    if status == StatusCode::NO_CONTENT {
        bytes = b"null".to_vec();
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value == "deflate") {
        bytes = inflate(&bytes)?;
    }
    if status.is_success() {
        return serde_json::from_slice(&bytes)
            .map_err(|error| strange(&format!("its answer does not read: {}", shown(&error.to_string()))));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Problem { code, detail }) => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let (code, detail) = (shown(&code), shown(&detail));
            Err(TransportError::Refused { code, detail, retry_after: seconds.map(Duration::from_secs) })
        }
        Err(_) => Err(TransportError::Strange {
            problem: format!("it answered with status {status}"),
            is_gateway: matches!(status.as_u16(), 502..=504),
        }),
    }
}

/// The peer's text, bounded, on one line and with visible escapes for what a terminal obeys or what reorders or hides text.
fn shown(text: &str) -> String {
    let first: String = text.chars().take(WORDS_MAX).collect();
    one_line(&first).chars().take(WORDS_MAX).collect()
}

fn strange(problem: &str) -> TransportError {
    TransportError::Strange { problem: problem.to_owned(), is_gateway: false }
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
        Ok(_) => Err(strange("its answer has no end")),
        Err(_) => Err(strange("its answer is damaged")),
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
        assert!(matches!(inflate(&bomb), Err(TransportError::Strange { .. })));
        assert!(matches!(inflate(b"garbage"), Err(TransportError::Strange { .. })));
    }

    #[test]
    fn what_reorders_or_hides_text_in_an_answer_is_made_visible() {
        let detail = "the code is for exe.\u{202e}gpj\u{200b}\u{3164}\u{1b}[2J";
        let refusal = serde_json::json!({ "code": "forbidden", "detail": detail }).to_string().into_bytes();
        let answer = Answer { status: StatusCode::FORBIDDEN, headers: HeaderMap::new(), body: Some(refusal) };
        let error = judge::<u64>(answer).unwrap_err().to_string();
        assert!(!error.contains(tidegate_core::words::is_unsafe), "{error:?}");
        assert!(error.contains(r"exe.\u{202e}gpj"), "{error}");
    }

    #[test]
    fn what_a_stranger_says_is_repeated_in_part_and_without_control_characters() {
        let long = format!("\u{1b}[2J{}\n", "a".repeat(1 << 20));
        let refusal = serde_json::json!({ "code": long, "detail": long }).to_string();
        let unreadable = serde_json::json!(long).to_string();
        for (status, body) in [(403, &refusal), (200, &unreadable)] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers: HeaderMap::new(), body: Some(body.clone().into_bytes()) };
            let error = judge::<u64>(answer).unwrap_err().to_string();
            assert!(error.len() < 1_200 && !error.contains(char::is_control), "{} bytes", error.len());
        }
    }
}
