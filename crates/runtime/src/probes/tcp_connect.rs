//! Asks whether something listens.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::wire::Policy;

use super::connect::{self, Attempt, HOST_BYTES_MAX, NoWay, Outcome, Unreached};
use super::words::round;
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;

/// Pause between two connections: long enough that a small device is not flooded.
const PAUSE: Duration = Duration::from_millis(200);

/// `tcp_connect`: connects to a port and hangs up, once or several times.
///
/// Connected each time: `ok`. Refused, silent, unreachable, or a name that nobody knows: the probe has done its work
/// and the finding is `attention`. Nothing is sent on the connection. A name's addresses are tried in turn, each for
/// `timeout_ms`; what answered first is asked again by `repeat`.
#[derive(Debug)]
pub(super) struct TcpConnect;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    host: String,
    port: u16,
    #[serde(default = "timeout_ms_default")]
    timeout_ms: u64,
    #[serde(default = "repeat_default")]
    repeat: u32,
}

fn timeout_ms_default() -> u64 {
    5_000
}

fn repeat_default() -> u32 {
    1
}

#[derive(Debug, Serialize)]
struct Data {
    host: String,
    port: u16,
    /// Of the worst connection: `connected` only where all were.
    outcome: Outcome,
    /// Absent where `host` is an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_ms: Option<f64>,
    addresses: Vec<SocketAddr>,
    /// How many connections were asked for, and how many were made.
    asked: u32,
    connected: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ms: Option<f64>,
    /// Each address each time it was tried, in that order.
    attempts: Vec<Attempt>,
}

impl Probe for TcpConnect {
    fn spec(&self) -> ProbeSpec {
        let number = |min, max| ArgumentKind::Integer { min, max };
        ProbeSpec {
            name: "tcp_connect".into(),
            about: "Asks whether something listens on a TCP port.".into(),
            risk: Risk::Observe,
            arguments: vec![
                required("host", ArgumentKind::Text { bytes_max: HOST_BYTES_MAX }, "Name or address."),
                required("port", number(1, 65_535), "TCP port."),
                optional(
                    "timeout_ms",
                    number(100, 60_000),
                    timeout_ms_default(),
                    "How long to wait for each address, in milliseconds.",
                ),
                optional("repeat", number(1, 20), repeat_default(), "How many times to connect."),
            ],
            example: example(json!({ "host": "10.20.0.5", "port": 502 })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move { ask(&arguments(with)?, cx.policy()).await })
    }
}

async fn ask(arguments: &Arguments, policy: &Policy) -> Result<Report, Refusal> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let resolved = match connect::destinations(&arguments.host, arguments.port, patience, policy).await {
        Ok(resolved) => resolved,
        Err(NoWay::Denied(refusal)) => return Err(refusal),
        Err(NoWay::Unreached(Unreached { outcome, words })) => {
            return Ok(Report::done(Finding::Attention, words).data(&data(arguments, outcome, Vec::new())));
        }
    };
    let (mut attempts, mut targets, mut worst) = (Vec::new(), resolved.addresses.clone(), Outcome::Connected);
    for time in 0..arguments.repeat {
        if time > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        // Hung up by being dropped.
        let stream = connect::first_connected(&targets, patience, &mut attempts).await;
        match (stream, attempts.last()) {
            (Some(_), Some(made)) => targets = vec![made.address],
            (None, Some(failed)) => worst = failed.outcome,
            (_, None) => {}
        }
    }
    let mut data = data(arguments, worst, attempts);
    (data.addresses, data.dns_ms) = (resolved.addresses, resolved.dns_ms);
    let finding = if data.connected == data.asked { Finding::Ok } else { Finding::Attention };
    Ok(Report::done(finding, summary(&data, patience)).data(&data).text(lines(&data, patience)))
}

fn data(arguments: &Arguments, outcome: Outcome, attempts: Vec<Attempt>) -> Data {
    let made = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Connected);
    let times: Vec<f64> = made.map(|attempt| attempt.ms).collect();
    let connected = times.len() as u32;
    Data {
        host: arguments.host.clone(),
        port: arguments.port,
        outcome,
        dns_ms: None,
        addresses: Vec::new(),
        asked: arguments.repeat,
        connected,
        min_ms: times.iter().copied().reduce(f64::min),
        avg_ms: (connected > 0).then(|| round(times.iter().sum::<f64>() / f64::from(connected))),
        max_ms: times.iter().copied().reduce(f64::max),
        attempts,
    }
}

/// `connected in 3 ms`, `connected 4 of 5 times, 3 ms; then no answer from 10.0.0.5:502 within 5 s`.
fn summary(data: &Data, patience: Duration) -> String {
    let failed = data.attempts.iter().rev().find(|attempt| attempt.outcome != Outcome::Connected);
    let failed = failed.map(|attempt| attempt.words(patience)).unwrap_or_default();
    match (data.avg_ms, data.asked) {
        (None, _) if data.addresses.len() > 1 => {
            format!("{failed} ({} addresses tried)", data.addresses.len())
        }
        (None, _) => failed,
        (Some(ms), 1) => format!("connected in {ms} ms"),
        (Some(ms), asked) if data.connected == asked => {
            format!("connected {asked} times, {ms} ms on average")
        }
        (Some(ms), asked) => format!("connected {} of {asked} times, {ms} ms; else {failed}", data.connected),
    }
}

/// A line for each try, for people.
fn lines(data: &Data, patience: Duration) -> String {
    let mut text = String::new();
    for attempt in &data.attempts {
        let _ = writeln!(text, "{}", attempt.words(patience));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn asked(with: Value) -> Report {
        let with: Map<String, Value> = example(with);
        TcpConnect.spec().check(&with).unwrap();
        let arguments = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
        ask(&arguments, &Policy::default()).await.unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_listener_is_connected_to_as_often_as_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let report = asked(json!({ "host": "127.0.0.1", "port": port })).await;
        assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
        assert!(report.result.summary.starts_with("connected in "), "{report:?}");
        assert_eq!(report.result.data.get("dns_ms"), None);
        let report = asked(json!({ "host": "localhost", "port": port, "repeat": 3 })).await;
        assert!(report.result.summary.starts_with("connected 3 times, "), "{report:?}");
        assert!(report.result.data["dns_ms"].is_number());
        for _ in 0..4 {
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_connection_that_the_policy_does_not_allow_is_never_made() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let with = |host: &str| {
            arguments(example(json!({ "host": host, "port": port }))).unwrap_or_else(|_| panic!())
        };
        let policy =
            Policy { net: Some(vec!["127.0.0.1:9".into(), "10.0.0.0/8".into()]), ..Policy::default() };
        for host in ["127.0.0.1", "localhost", "::1"] {
            let Err(Refusal(words)) = ask(&with(host), &policy).await else { panic!("{host}") };
            assert!(words.contains("--allow-net"), "{words}");
        }
        let Err(Refusal(words)) = ask(&with("169.254.169.254"), &Policy::default()).await else { panic!() };
        assert!(words.contains("metadata service"), "{words}");
        let waiting = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(waiting.is_err(), "nobody connected");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_closed_port_refuses() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let report = asked(json!({ "host": "127.0.0.1", "port": address.port() })).await;
        assert!(report.succeeded && report.result.finding == Finding::Attention);
        assert_eq!(report.result.summary, format!("{address} refused the connection"));
        assert_eq!(report.result.data["outcome"], "refused");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_listener_with_a_full_queue_does_not_answer() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // Linux drops what asks for a full queue, which holds one more than it is told.
        let mut held = Vec::new();
        for _ in 0..8 {
            let connecting = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(300), connecting).await {
                Ok(stream) => held.push(stream.unwrap()),
                Err(_) => break,
            }
        }
        let with = json!({ "host": "127.0.0.1", "port": address.port(), "timeout_ms": 100 });
        let report = asked(with).await;
        assert_eq!(report.result.summary, format!("no answer from {address} within 100 ms"));
        assert_eq!(report.result.data["outcome"], "no_answer");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_unknown_name_and_an_address_without_a_way_are_findings() {
        let report = asked(json!({ "host": "no-such-machine.invalid", "port": 80 })).await;
        assert!(report.succeeded && report.result.finding == Finding::Attention, "{report:?}");
        assert!(report.result.summary.contains("`no-such-machine.invalid`"), "{report:?}");
        // Linux makes no TCP connection to a broadcast address, whatever its routes.
        let report = asked(json!({ "host": "255.255.255.255", "port": 80 })).await;
        assert!(report.result.summary.starts_with("no way to 255.255.255.255:80: "), "{report:?}");
        assert_eq!(report.result.data["outcome"], "unreachable");
        assert_eq!(report.result.finding, Finding::Attention);
    }
}
