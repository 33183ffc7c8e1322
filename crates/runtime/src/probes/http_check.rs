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
use tidegate_core::wire::Policy;

use super::connect;
use super::http::exchange::{self, Answer, Phases, Target, Unanswered};
use super::http::trust::{CertificateFacts, Witness, date, machine_roots};
use super::masked::{masked_url, masked_urls};
use super::words::{counted, limit};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;
use crate::executor::output::{Capture, Undecodable};
use crate::files::secret_in;

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
/// Most lines with the text that are brought back, and most bytes of each, around the text.
const LINES_MAX: usize = 10;
const LINE_BYTES_MAX: usize = 300;

/// `http_check`: one request to a web server, without following where it sends one on, and without a proxy.
///
/// The status expected (or any below 400) with the text expected, and a certificate that is trusted for two weeks more:
/// `ok`. Anything else, no answer included: `attention`. A certificate is told about whether or not it is trusted; where
/// it is not, nothing is asked unless `insecure` says so. It goes by this machine's clock and its own trusted roots.
///
/// Of the body only the lines with the expected text come back, because a machine reaches pages that its technician may
/// not read. URLs come back without passwords and values.
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
                    "Text that must be in the answer's first 256 KiB; up to 10 lines with it come back.",
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
            check(&arguments, &target, roots, cx.policy(), cx.capture(), cx.undecodable()).await
        })
    }
}

fn target(arguments: &Arguments) -> Result<Target, Refusal> {
    let url = &arguments.url;
    let shown = masked_url(url);
    let refused = |why: &str| Refusal(format!("`{shown}` is not an address to ask: {why}"));
    let uri: Uri =
        url.parse().map_err(|_| refused("it cannot be parsed; write other letters as xn--… and %…"))?;
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
    policy: &Policy,
    mut capture: Capture,
    undecodable: Undecodable,
) -> Result<Report, Refusal> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let witness = Arc::new(Witness::new(roots, arguments.insecure));
    let method = if arguments.method == "HEAD" { Method::HEAD } else { Method::GET };
    let mut phases = Phases::default();
    let asked = exchange::ask(target, method, &witness, patience, policy, &mut phases);
    let answered = match tokio::time::timeout(patience, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(Unanswered::Silent(silence(target, &phases, patience))),
    };
    let certificate = witness.facts(&target.host);
    let mut problems = certificate.as_ref().map(certificate_problems).unwrap_or_default();
    let is_refused_by_us =
        answered.is_err() && certificate.as_ref().is_some_and(|facts| !facts.trusted) && !arguments.insecure;
    let (said, answer) = match answered {
        Ok(answer) => {
            capture.push(&matching_lines(&answer.body, arguments.contains.as_deref())?);
            problems.splice(0..0, answer_problems(arguments, &answer));
            (spoken(&answer, &phases), Some(answer_data(arguments, &answer)))
        }
        // The handshake ended because of the certificate, which the problems tell better.
        Err(Unanswered::Silent(_)) if is_refused_by_us => ("not asked".to_owned(), None),
        Err(Unanswered::Silent(words)) => (words, None),
        Err(Unanswered::Denied(refusal)) => return Err(refusal),
    };
    let is_fine = answer.is_some() && problems.is_empty();
    problems.insert(0, said);
    let data = Data { url: masked_url(&arguments.url), phases, answer, certificate };
    let finding = if is_fine { Finding::Ok } else { Finding::Attention };
    Ok(Report::done(finding, problems.join("; ")).data(&data).output(capture.finish(undecodable)))
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
    for letter in String::from_utf8_lossy(value.as_bytes()).chars() {
        let _ = write!(text, "{}", if letter.is_control() { '?' } else { letter });
    }
    // Masked before it is cut: a URL without its end is not masked whole.
    let masked = if name == LOCATION.as_str() { masked_url(&text) } else { masked_urls(&text) };
    Some(masked.chars().take(HEADER_CHARACTERS_MAX).collect())
}

/// The lines that contain the text, bounded in number and length; nothing where none was asked for.
///
/// # Errors
///
/// Where the answer holds a private key or the like: line by line it would come home.
fn matching_lines(body: &[u8], contains: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let Some(text) = contains.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    if let Some(secret) = secret_in(body) {
        let words =
            format!("the answer holds {}: no check reads it, and no policy can allow it", secret.holds);
        return Err(Refusal(words));
    }
    let mut lines = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| has(line, text)).take(LINES_MAX) {
        // Masked before it is cut: a URL without its beginning is not known as one.
        let shown = masked_urls(&String::from_utf8_lossy(line));
        let start =
            shown.find(text).unwrap_or(0).saturating_sub(LINE_BYTES_MAX.saturating_sub(text.len()) / 2);
        let part = &shown.as_bytes()[start.min(shown.len())..shown.len().min(start + LINE_BYTES_MAX)];
        lines.extend_from_slice(String::from_utf8_lossy(part.trim_ascii_end()).as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

fn has(body: &[u8], text: &str) -> bool {
    body.windows(text.len().max(1)).any(|part| part == text.as_bytes())
}

#[cfg(test)]
mod tests;
