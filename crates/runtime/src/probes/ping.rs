//! Asks a machine for a sign of life.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::wire::Policy;

use super::connect::{self, HOST_BYTES_MAX};
use super::platform::{Icmp, IcmpError};
use super::words::{milliseconds, reason, round};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;

/// How many addresses of a name are tried for one that has a route.
const ADDRESSES_MAX: usize = 8;

/// `ping`: ICMP echo requests to a name or address, version 4 or 6, one after the other.
///
/// All replies there: `ok`. One lost, none at all, a name that is not found or no route: the probe has done its
/// work and the finding is `attention`. It fails only where this machine does not let it ask. Takes at most
/// `count × (timeout_ms + interval_ms)`, and looking up the name.
#[derive(Debug)]
pub(super) struct Ping;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    host: String,
    #[serde(default = "count_default")]
    count: u16,
    #[serde(default = "timeout_ms_default")]
    timeout_ms: u64,
    #[serde(default = "interval_ms_default")]
    interval_ms: u64,
    #[serde(default = "size_bytes_default")]
    size_bytes: usize,
}

fn count_default() -> u16 {
    4
}

fn timeout_ms_default() -> u64 {
    1_000
}

fn interval_ms_default() -> u64 {
    200
}

fn size_bytes_default() -> usize {
    56
}

#[derive(Debug, Default, Serialize)]
struct Data {
    host: String,
    /// The address that was asked; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    sent: u16,
    received: u16,
    loss_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ms: Option<f64>,
    /// In the order sent.
    replies: Vec<Reply>,
}

/// What became of one request.
#[derive(Debug, Serialize)]
struct Reply {
    /// From 1.
    sequence: u16,
    /// Round trip; absent where no reply came in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    /// What came instead of a reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Probe for Ping {
    fn spec(&self) -> ProbeSpec {
        let number = |min, max| ArgumentKind::Integer { min, max };
        ProbeSpec {
            name: "ping".into(),
            about: "Asks a machine for a sign of life (ICMP echo).".into(),
            risk: Risk::Observe,
            arguments: vec![
                required("host", ArgumentKind::Text { bytes_max: HOST_BYTES_MAX }, "Name or address."),
                optional("count", number(1, 20), count_default(), "How many requests."),
                optional(
                    "timeout_ms",
                    number(100, 10_000),
                    timeout_ms_default(),
                    "How long to wait for each reply, in milliseconds.",
                ),
                optional(
                    "interval_ms",
                    number(10, 10_000),
                    interval_ms_default(),
                    "Shortest time from one request to the next, in milliseconds.",
                ),
                optional(
                    "size_bytes",
                    number(16, 1_400),
                    size_bytes_default(),
                    "Content of each request, in bytes.",
                ),
            ],
            example: example(json!({ "host": "10.20.0.5", "count": 4 })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move { ask(arguments(with)?, cx.policy()).await })
    }
}

async fn ask(arguments: Arguments, policy: &Policy) -> Result<Report, Refusal> {
    let host = arguments.host.clone();
    let unasked = |summary: String| {
        Report::done(Finding::Attention, summary).data(&Data { host: host.clone(), ..Data::default() })
    };
    let addresses: Vec<SocketAddr> = match tokio::net::lookup_host((connect::bare(&host), 0)).await {
        Ok(addresses) => addresses.take(ADDRESSES_MAX).collect(),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.rsplit_once(": ").map_or(reason.as_str(), |(_, reason)| reason);
            return Ok(unasked(format!("`{host}` was not found: {reason}")));
        }
    };
    let mut no_route = None;
    for address in connect::allowed(&host, addresses, None, policy)? {
        match Icmp::open(address) {
            Ok(icmp) => return Ok(report(&arguments, address.ip(), echo(&icmp, &arguments).await)),
            Err(IcmpError::NoRoute(error)) => no_route = Some((address.ip(), error)),
            Err(error) => return Ok(Report::failed(error.to_string())),
        }
    }
    Ok(match no_route {
        Some((address, error)) => unasked(format!("no route to {address}: {}", reason(&error))),
        None => unasked(format!("`{host}` has no address")),
    })
}

async fn echo(icmp: &Icmp, arguments: &Arguments) -> Vec<Reply> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let interval = Duration::from_millis(arguments.interval_ms);
    let mut replies = Vec::new();
    for sequence in 1..=arguments.count {
        let begin = Instant::now();
        let (ms, error) = match icmp.echo(sequence, arguments.size_bytes, patience).await {
            Ok(time) => (time.map(milliseconds), None),
            Err(error) => (None, Some(reason(&error))),
        };
        replies.push(Reply { sequence, ms, error });
        if sequence < arguments.count {
            tokio::time::sleep_until((begin + interval).into()).await;
        }
    }
    replies
}

fn report(arguments: &Arguments, address: IpAddr, replies: Vec<Reply>) -> Report {
    let times: Vec<f64> = replies.iter().filter_map(|reply| reply.ms).collect();
    let (sent, received) = (replies.len() as u16, times.len() as u16);
    let avg_ms = (received > 0).then(|| round(times.iter().sum::<f64>() / f64::from(received)));
    let (summary, finding) = match (avg_ms, replies.iter().find_map(|reply| reply.error.as_ref())) {
        (Some(avg), _) => {
            let finding = if received == sent { Finding::Ok } else { Finding::Attention };
            (format!("{received} of {sent} replies, {avg} ms"), finding)
        }
        (None, Some(error)) => {
            (format!("no reply from {address} ({sent} sent): {error}"), Finding::Attention)
        }
        (None, None) => (format!("no reply from {address} ({sent} sent)"), Finding::Attention),
    };
    let data = Data {
        host: arguments.host.clone(),
        address: Some(address),
        sent,
        received,
        loss_percent: round(100.0 * f64::from(sent - received) / f64::from(sent.max(1))),
        min_ms: times.iter().copied().reduce(f64::min),
        avg_ms,
        max_ms: times.iter().copied().reduce(f64::max),
        replies,
    };
    Report::done(finding, summary).data(&data).text(lines(&data))
}

/// A line for each request, for people.
fn lines(data: &Data) -> String {
    let mut text = String::new();
    for reply in &data.replies {
        let _ = match (reply.ms, &reply.error) {
            (Some(ms), _) => writeln!(text, "{}: reply after {ms} ms", reply.sequence),
            (None, Some(error)) => writeln!(text, "{}: {error}", reply.sequence),
            (None, None) => writeln!(text, "{}: no reply", reply.sequence),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pinged(with: Value) -> Report {
        let with: Map<String, Value> = example(with);
        Ping.spec().check(&with).unwrap();
        let arguments = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
        ask(arguments, &Policy::default()).await.unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    /// False where this machine lets nobody ping: then there is one thing to see, the clear failure.
    fn may_ping(report: &Report) -> bool {
        assert!(report.succeeded || report.result.summary.contains("CAP_NET_RAW"), "{report:?}");
        report.succeeded
    }

    #[tokio::test(flavor = "current_thread")]
    async fn this_machine_answers_in_both_versions() {
        for host in ["127.0.0.1", "::1", "[::1]", "localhost"] {
            let report =
                pinged(json!({ "host": host, "count": 3, "interval_ms": 10, "size_bytes": 1400 })).await;
            if may_ping(&report) && report.result.data["sent"] == 3 {
                assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
                assert!(report.result.summary.starts_with("3 of 3 replies, "), "{report:?}");
                assert!(report.result.data["min_ms"].as_f64() <= report.result.data["max_ms"].as_f64());
                assert_eq!(report.result.output.head.lines().count(), 3);
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_address_that_the_policy_does_not_allow_is_not_pinged() {
        let policy =
            Policy { net: Some(vec!["127.0.0.1:80".into(), "10.0.0.0/8".into()]), ..Policy::default() };
        for (host, policy) in
            [("127.0.0.1", &policy), ("::1", &policy), ("169.254.169.254", &Policy::default())]
        {
            let with = arguments(example(json!({ "host": host, "count": 1 }))).unwrap_or_else(|_| panic!());
            let Err(Refusal(words)) = ask(with, policy).await else { panic!("{host}") };
            assert!(words.contains("--allow-net"), "{words}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn silence_is_a_finding() {
        // TEST-NET-3 (RFC 5737) belongs to nobody.
        let report = pinged(json!({ "host": "203.0.113.77", "count": 2, "timeout_ms": 100 })).await;
        if may_ping(&report) {
            assert_eq!(report.result.finding, Finding::Attention);
            assert!(report.result.summary.contains("203.0.113.77"), "{report:?}");
            assert_eq!(report.result.data["received"], 0);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_name_that_does_not_exist_is_a_finding() {
        let report = pinged(json!({ "host": "no-such-machine.invalid" })).await;
        assert!(report.succeeded && report.result.finding == Finding::Attention, "{report:?}");
        assert!(report.result.summary.starts_with("`no-such-machine.invalid` was not found: "), "{report:?}");
    }

    #[test]
    fn a_lost_reply_needs_attention() {
        let reply = |sequence, ms| Reply { sequence, ms, error: None };
        let with = arguments(example(json!({ "host": "a" }))).unwrap_or_else(|_| panic!());
        let report = report(&with, [10, 0, 0, 1].into(), vec![reply(1, Some(1.5)), reply(2, None)]);
        assert_eq!(report.result.summary, "1 of 2 replies, 1.5 ms");
        assert_eq!(
            (report.result.finding, &report.result.data["loss_percent"]),
            (Finding::Attention, &json!(50.0))
        );
        assert_eq!(report.result.output.head, "1: reply after 1.5 ms\n2: no reply\n");
    }
}
