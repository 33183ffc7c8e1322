//! Asks a web server, and looks at its certificate.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderMap, LOCATION};
use hyper::{Method, StatusCode, Uri};
use rustls::RootCertStore;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;

use super::connect;
use super::http::exchange::{self, Answer, Phases, Target, Unanswered};
use super::http::trust::{CertificateFacts, Witness, date, machine_roots};
use super::words::{counted, limit};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;
use crate::executor::output::{Capture, Undecodable};

const URL_BYTES_MAX: u32 = 2_048;
const CONTAINS_BYTES_MAX: u32 = 256;
/// A certificate with fewer days left needs a person: time enough to get another.
const DAYS_LEFT_MIN: i64 = 14;
/// Headers that help to tell what answered; cookies and the like stay out of the record.
const HEADERS: [&str; 10] = [
    "server",
    "date",
    "content-type",
    "content-length",
    "content-encoding",
    "last-modified",
    "location",
    "retry-after",
    "via",
    "www-authenticate",
];
/// Most characters kept of a header.
const HEADER_CHARACTERS_MAX: usize = 300;

/// `http_check`: one request to a web server, without following where it sends one on, and without a proxy.
///
/// The status expected (or any below 400) with the text expected, and a certificate that is trusted for two weeks more:
/// `ok`. Anything else, no answer included: `attention`. A certificate is told about whether or not it is trusted; where
/// it is not, nothing is asked unless `insecure` says so. It goes by this machine's clock and its own trusted roots.
#[derive(Debug)]
pub(super) struct HttpCheck;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    url: String,
    #[serde(default = "method_default")]
    method: String,
    #[serde(default)]
    expect_status: Option<u16>,
    #[serde(default)]
    contains: Option<String>,
    #[serde(default = "timeout_ms_default")]
    timeout_ms: u64,
    #[serde(default)]
    insecure: bool,
}

fn method_default() -> String {
    "GET".to_owned()
}

fn timeout_ms_default() -> u64 {
    10_000
}

#[derive(Debug, Serialize)]
struct Data {
    url: String,
    #[serde(flatten)]
    phases: Phases,
    #[serde(flatten)]
    answer: Option<AnswerData>,
    /// Absent for `http`, and where none was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateFacts>,
}

#[derive(Debug, Serialize)]
struct AnswerData {
    status: u16,
    headers: Map<String, Value>,
    /// How much was read of the body.
    body_bytes: usize,
    /// False where it goes on.
    body_is_whole: bool,
    /// Whether the text was found; absent where none was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<bool>,
}

impl Probe for HttpCheck {
    fn spec(&self) -> ProbeSpec {
        let methods = ["GET", "HEAD"].map(Into::into).into();
        ProbeSpec {
            name: "http_check".into(),
            about: "Asks a web server, and looks at its certificate.".into(),
            risk: Risk::Observe,
            arguments: vec![
                required(
                    "url",
                    ArgumentKind::Text { bytes_max: URL_BYTES_MAX },
                    "Address that begins with http:// or https://.",
                ),
                optional(
                    "method",
                    ArgumentKind::Choice { options: methods },
                    method_default(),
                    "How to ask.",
                ),
                optional(
                    "expect_status",
                    ArgumentKind::Integer { min: 100, max: 599 },
                    Value::Null,
                    "The status that is right; else any below 400 is.",
                ),
                optional(
                    "contains",
                    ArgumentKind::Text { bytes_max: CONTAINS_BYTES_MAX },
                    Value::Null,
                    "Text that must be in the answer's first 256 KiB.",
                ),
                optional(
                    "timeout_ms",
                    ArgumentKind::Integer { min: 100, max: 60_000 },
                    timeout_ms_default(),
                    "How long the whole may take, in milliseconds.",
                ),
                optional(
                    "insecure",
                    ArgumentKind::Boolean,
                    false,
                    "Ask also where the certificate is not trusted.",
                ),
            ],
            example: example(json!({ "url": "https://plc7.plant.example/", "expect_status": 200 })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let arguments: Arguments = arguments(with)?;
            let target = target(&arguments)?;
            let roots = if target.is_tls {
                let roots = tokio::task::spawn_blocking(machine_roots).await;
                roots.map_err(|error| Refusal(error.to_string()))?
            } else {
                RootCertStore::empty()
            };
            Ok(check(&arguments, &target, roots, cx.capture(), cx.undecodable()).await)
        })
    }
}

fn target(arguments: &Arguments) -> Result<Target, Refusal> {
    let url = &arguments.url;
    let refused = |why: &str| Refusal(format!("`{url}` is not an address to ask: {why}"));
    let uri: Uri =
        url.parse().map_err(|_| refused("it does not read; write other letters as xn--… and %…"))?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(refused("it must begin with http:// or https://")),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| refused("it names no machine"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Refusal("the address holds a user name: what is asked stays in the record".to_owned()));
    }
    if arguments.method == "HEAD" && arguments.contains.is_some() {
        return Err(Refusal("an answer to HEAD has no text to look into".to_owned()));
    }
    let host = connect::bare(host).to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    Ok(Target { is_tls, host, port, uri })
}

async fn check(
    arguments: &Arguments,
    target: &Target,
    roots: RootCertStore,
    mut capture: Capture,
    undecodable: Undecodable,
) -> Report {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let witness = Arc::new(Witness::new(roots, arguments.insecure));
    let method = if arguments.method == "HEAD" { Method::HEAD } else { Method::GET };
    let mut phases = Phases::default();
    let asked = exchange::ask(target, method, &witness, patience, &mut phases);
    let answered = match tokio::time::timeout(patience, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(Unanswered(silence(target, &phases, patience))),
    };
    let certificate = witness.facts(&target.host);
    let mut problems = certificate.as_ref().map(certificate_problems).unwrap_or_default();
    let is_refused_by_us =
        answered.is_err() && certificate.as_ref().is_some_and(|facts| !facts.trusted) && !arguments.insecure;
    let (said, answer) = match answered {
        Ok(answer) => {
            capture.push(&answer.body);
            problems.splice(0..0, answer_problems(arguments, &answer));
            (spoken(&answer, &phases), Some(answer_data(arguments, &answer)))
        }
        // The handshake ended because of the certificate, which the problems tell better.
        Err(_) if is_refused_by_us => ("not asked".to_owned(), None),
        Err(Unanswered(words)) => (words, None),
    };
    let is_fine = answer.is_some() && problems.is_empty();
    problems.insert(0, said);
    let data = Data { url: arguments.url.clone(), phases, answer, certificate };
    let finding = if is_fine { Finding::Ok } else { Finding::Attention };
    Report::done(finding, problems.join("; ")).data(&data).output(capture.finish(undecodable))
}

/// What did not come in time.
fn silence(target: &Target, phases: &Phases, patience: Duration) -> String {
    let (place, limit) = (format!("{}:{}", target.host, target.port), limit(patience));
    match phases {
        Phases { connect_ms: None, .. } => format!("no answer from {place} within {limit}"),
        Phases { tls_ms: None, .. } if target.is_tls => {
            format!("connected to {place}, but no TLS within {limit}")
        }
        Phases { first_byte_ms: None, .. } => format!("connected to {place}, but no answer within {limit}"),
        Phases { .. } => format!("the answer of {place} did not end within {limit}"),
    }
}

/// `200 OK in 35 ms`, `301 Moved Permanently to https://… in 12 ms`.
fn spoken(answer: &Answer, phases: &Phases) -> String {
    let towards = header(&answer.headers, LOCATION.as_str()).filter(|_| answer.status.is_redirection());
    let towards = towards.map(|location| format!(" to {location}")).unwrap_or_default();
    format!("{}{towards} in {} ms", status_words(answer.status), phases.total_ms.unwrap_or_default())
}

fn status_words(status: StatusCode) -> String {
    status
        .canonical_reason()
        .map_or_else(|| status.as_str().to_owned(), |words| format!("{} {words}", status.as_str()))
}

fn answer_problems(arguments: &Arguments, answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    match arguments.expect_status {
        Some(expected) if expected != answer.status.as_u16() => problems.push(format!("expected {expected}")),
        None if answer.status.as_u16() >= 400 => problems.push("that is an error".to_owned()),
        Some(_) | None => {}
    }
    if let Some(text) = &arguments.contains
        && !has(&answer.body, text)
    {
        problems.push(format!("without \"{text}\""));
    }
    problems
}

fn certificate_problems(facts: &CertificateFacts) -> Vec<String> {
    if !facts.trusted {
        return vec![format!("the certificate is not trusted: {}", facts.reasons.join(", "))];
    }
    if facts.days_left < DAYS_LEFT_MIN {
        let left = counted(u64::try_from(facts.days_left).unwrap_or(0), "day");
        return vec![format!("the certificate expires in {left}, on {}", date(facts.not_after))];
    }
    Vec::new()
}

fn answer_data(arguments: &Arguments, answer: &Answer) -> AnswerData {
    let told = |name: &&str| Some(((*name).to_owned(), Value::from(header(&answer.headers, name)?)));
    AnswerData {
        status: answer.status.as_u16(),
        headers: HEADERS.iter().filter_map(told).collect(),
        body_bytes: answer.body.len(),
        body_is_whole: answer.is_body_whole,
        contains: arguments.contains.as_ref().map(|text| has(&answer.body, text)),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    let mut text = String::new();
    for letter in String::from_utf8_lossy(value.as_bytes()).chars().take(HEADER_CHARACTERS_MAX) {
        let _ = write!(text, "{}", if letter.is_control() { '?' } else { letter });
    }
    Some(text)
}

fn has(body: &[u8], text: &str) -> bool {
    body.windows(text.len().max(1)).any(|part| part == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    const FINE: &str =
        "HTTP/1.1 200 OK\r\nserver: plc\r\nset-cookie: secret\r\ncontent-length: 6\r\n\r\nhello\n";

    async fn asked(with: Value, roots: RootCertStore) -> Report {
        let with: Map<String, Value> = example(with);
        HttpCheck.spec().check(&with).unwrap();
        let arguments: Arguments = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
        let target = target(&arguments).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
        check(&arguments, &target, roots, Capture::new(1_024), Undecodable::Escape).await
    }

    async fn answer_with(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => question.push(byte),
                Err(_) => return,
            }
        }
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    /// A web server that answers everybody with these bytes.
    async fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                answer_with(listener.accept().await.unwrap().0, answer).await;
            }
        });
        address
    }

    /// An authority, and what signs with it.
    fn authority() -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Plant CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A certificate for `name`, from `since` to `until` in days from today.
    fn params(name: &str, since: i64, until: i64) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let day = |days: i64| {
            let at = crate::clock::wall().shifted_by_ms(days * 86_400_000).to_string();
            let number = |range: std::ops::Range<usize>| at[range].parse::<i32>().unwrap();
            rcgen::date_time_ymd(number(0..4), number(5..7) as u8, number(8..10) as u8)
        };
        (params.not_before, params.not_after) = (day(since), day(until));
        params
    }

    /// A TLS server with that certificate.
    async fn tls_server(certificate: Vec<u8>, key: &KeyPair) -> SocketAddr {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate)], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer_with(stream, FINE).await;
                }
            }
        });
        address
    }

    /// What is said of a server with a certificate signed by an authority that is trusted.
    async fn said_of(params: CertificateParams, more: &[(&str, Value)]) -> Report {
        let (authority, key) = (authority(), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &authority).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let address = tls_server(certificate.der().to_vec(), &key).await;
        let mut with = example(json!({ "url": format!("https://localhost:{}/", address.port()) }));
        with.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        asked(Value::Object(with), roots).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_trusted_server_is_fine_and_its_certificate_is_told() {
        let report = said_of(params("localhost", -1, 90), &[("contains", json!("hello"))]).await;
        assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
        assert!(report.result.summary.starts_with("200 OK in "), "{report:?}");
        let data = &report.result.data;
        let certificate = &data["certificate"];
        assert_eq!((&certificate["trusted"], &certificate["issuer"]), (&json!(true), &json!("CN=Plant CA")));
        assert_eq!(certificate["names"], json!(["localhost"]));
        assert!((88..=90).contains(&certificate["days_left"].as_i64().unwrap()), "{certificate}");
        assert_eq!(certificate["sha256"].as_str().unwrap().len(), 64);
        for phase in ["dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms"] {
            assert!(data[phase].is_number(), "{phase}");
        }
        assert_eq!(report.result.output.head, "hello\n");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_certificate_that_expires_soon_needs_attention() {
        let report = said_of(params("localhost", -80, 10), &[]).await;
        assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
        assert!(report.result.summary.contains("; the certificate expires in "), "{report:?}");
        assert_eq!(report.result.data["certificate"]["trusted"], true);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_wrong_with_a_certificate_is_told_and_nothing_is_asked() {
        for (params, words) in [
            (params("localhost", -90, -3), "it expired on "),
            (params("localhost", 3, 90), "it is not valid before "),
            (params("other.plant", -1, 90), "it is not for localhost but for other.plant"),
        ] {
            let report = said_of(params, &[]).await;
            assert_eq!((report.succeeded, report.result.finding), (true, Finding::Attention));
            let start = format!("not asked; the certificate is not trusted: {words}");
            assert!(report.result.summary.starts_with(&start), "{report:?}");
            assert_eq!(report.result.data["certificate"]["trusted"], false);
            assert!(!report.result.data.contains_key("status"));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn everything_that_is_wrong_is_told_at_once() {
        let report = said_of(params("other.plant", -90, -3), &[]).await;
        let reasons = report.result.data["certificate"]["reasons"].as_array().unwrap();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(report.result.data["certificate"]["days_left"].as_i64().unwrap() < 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_self_signed_server_is_asked_only_when_told_to() {
        let key = KeyPair::generate().unwrap();
        let certificate = params("localhost", -1, 90).self_signed(&key).unwrap();
        let address = tls_server(certificate.der().to_vec(), &key).await;
        let url = format!("https://localhost:{}/", address.port());
        let mut roots = RootCertStore::empty();
        roots.add(authority().der().clone()).unwrap();
        let report = asked(json!({ "url": &url }), roots.clone()).await;
        assert!(report.result.summary.ends_with("is not trusted: it is self-signed"), "{report:?}");
        let report = asked(json!({ "url": &url, "insecure": true }), roots).await;
        assert!(report.result.summary.starts_with("200 OK in "), "{report:?}");
        assert_eq!((report.result.finding, &report.result.data["status"]), (Finding::Attention, &json!(200)));
        let report = asked(json!({ "url": &url }), RootCertStore::empty()).await;
        assert!(report.result.summary.contains("no certificates of authorities"), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_unknown_authority_is_named() {
        let (authority, key) = (authority(), KeyPair::generate().unwrap());
        let certificate = params("localhost", -1, 90).signed_by(&key, &authority).unwrap();
        let address = tls_server(certificate.der().to_vec(), &key).await;
        let mut roots = RootCertStore::empty();
        roots.add(self::authority().der().clone()).unwrap();
        let report = asked(json!({ "url": format!("https://localhost:{}", address.port()) }), roots).await;
        let reasons = report.result.data["certificate"]["reasons"].to_string();
        assert!(reasons.contains("Plant CA") || reasons.contains("signature"), "{reasons}");
        assert_eq!(report.result.finding, Finding::Attention);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn statuses_texts_and_redirects_are_judged() {
        let roots = RootCertStore::empty;
        let fine = server(FINE).await;
        let with = |more: Value| {
            let mut with = example(json!({ "url": format!("http://{fine}/a?b") }));
            with.extend(example(more));
            Value::Object(with)
        };
        let report = asked(with(json!({ "method": "HEAD" })), roots()).await;
        assert_eq!((report.result.finding, &report.result.data["body_bytes"]), (Finding::Ok, &json!(0)));
        assert_eq!(report.result.data["headers"], json!({ "server": "plc", "content-length": "6" }));
        let report = asked(with(json!({ "expect_status": 204, "contains": "bye" })), roots()).await;
        assert!(report.result.summary.ends_with(" ms; expected 204; without \"bye\""), "{report:?}");
        assert_eq!(report.result.finding, Finding::Attention);
        let moved =
            server("HTTP/1.1 301 x\r\nlocation: https://a.example/\r\ncontent-length: 0\r\n\r\n").await;
        let report = asked(json!({ "url": format!("http://{moved}") }), roots()).await;
        assert!(report.result.summary.starts_with("301 Moved Permanently to https://a.example/ in "));
        assert_eq!(report.result.finding, Finding::Ok);
        let broken = server("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").await;
        let report = asked(json!({ "url": format!("http://{broken}") }), roots()).await;
        assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
        let report = asked(json!({ "url": format!("http://{broken}"), "expect_status": 503 }), roots()).await;
        assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_without_end_is_read_to_its_bound() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
        });
        let report = asked(json!({ "url": format!("http://{address}") }), RootCertStore::empty()).await;
        let data = &report.result.data;
        assert_eq!(
            (&data["body_bytes"], &data["body_is_whole"]),
            (&json!(exchange::BODY_BYTES_MAX), &json!(false))
        );
        assert!(report.result.output.dropped_bytes > 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_web_server_is_told_apart() {
        let roots = RootCertStore::empty;
        let garbage = server("\0\u{1}nonsense").await;
        let report = asked(json!({ "url": format!("http://{garbage}") }), roots()).await;
        assert!(report.result.summary.starts_with(&format!("no HTTP answer from {garbage}: ")), "{report:?}");
        let report = asked(json!({ "url": format!("https://{garbage}"), "timeout_ms": 300 }), roots()).await;
        assert!(report.result.summary.contains("TLS"), "{report:?}");
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let report = asked(json!({ "url": format!("http://{address}"), "timeout_ms": 200 }), roots()).await;
        let words = format!("connected to {address}, but no answer within 200 ms");
        assert_eq!((report.result.summary, report.result.finding), (words, Finding::Attention));
        drop(silent);
        let report = asked(json!({ "url": format!("http://{address}") }), roots()).await;
        assert_eq!(report.result.summary, format!("{address} refused the connection"));
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused() {
        let refused = |url: &str| {
            let with = example(json!({ "url": url }));
            let Err(Refusal(reason)) = target(&arguments(with).unwrap_or_else(|_| panic!())) else {
                panic!("{url}")
            };
            reason
        };
        for url in ["ftp://a", "plc7", "http://", "/path", "http://bücher.example"] {
            assert!(refused(url).contains("is not an address to ask"), "{url}");
        }
        assert!(!refused("http://me:secret@plc7/").contains("secret"));
        let with = example(json!({ "url": "https://[::1]:8443/x" }));
        let target = target(&arguments(with).unwrap_or_else(|_| panic!())).unwrap_or_else(|_| panic!());
        assert_eq!((target.host.as_str(), target.port, target.is_tls), ("::1", 8443, true));
    }
}
