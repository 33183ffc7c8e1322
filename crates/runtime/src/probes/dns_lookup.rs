//! Asks what a name stands for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;

use super::connect::{self, HOST_BYTES_MAX, Unreached};
use super::dns::exchange::{self, ExchangeError, Told, Transport};
use super::dns::message::{Kind, Question};
use super::dns::name::Name;
use super::platform::{self, Resolver};
use super::words::{limit, milliseconds};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;

/// Longest address with a port, in bytes.
const SERVER_BYTES_MAX: u32 = 64;
/// Both kinds of addresses.
const BOTH: &str = "both";
/// Port of DNS.
const PORT: u16 = 53;
/// How many values a summary names.
const VALUES_SHOWN: usize = 4;

/// `dns_lookup`: the addresses or records of a name.
///
/// Addresses without a server are asked of the system's resolver, as every program on the machine does: with its hosts
/// file and search domains, and without time to live. Anything else is a question of our own to the given server, or to
/// each of the machine's until one answers; the name is then complete as it stands. No such name, no such record, a
/// server that refuses or says nothing: the finding is `attention`.
#[derive(Debug)]
pub(super) struct DnsLookup;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    name: String,
    #[serde(default = "kind_default")]
    kind: String,
    #[serde(default)]
    server: Option<String>,
    #[serde(default = "timeout_ms_default")]
    timeout_ms: u64,
}

fn kind_default() -> String {
    BOTH.to_owned()
}

fn timeout_ms_default() -> u64 {
    3_000
}

#[derive(Debug, Default, Serialize)]
struct Data {
    name: String,
    kind: String,
    /// `system`, or `server` where questions of our own were sent.
    via: &'static str,
    resolver: Resolver,
    /// What the name stands for, aliases left out.
    values: BTreeSet<String>,
    /// Everything that the answers hold; empty with `system`.
    records: Vec<RecordData>,
    /// Each question; empty with `system`.
    exchanges: Vec<Exchange>,
    /// Of the system's resolver.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RecordData {
    name: String,
    kind: String,
    ttl_seconds: u32,
    value: String,
}

/// One question to one server.
#[derive(Debug, Serialize)]
struct Exchange {
    server: SocketAddr,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    /// `NOERROR`, `NXDOMAIN`, …; absent where no answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authoritative: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Probe for DnsLookup {
    fn spec(&self) -> ProbeSpec {
        let kinds = [BOTH, "A", "AAAA", "PTR", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"];
        ProbeSpec {
            name: "dns_lookup".into(),
            about: "Asks what a name stands for (DNS).".into(),
            risk: Risk::Observe,
            arguments: vec![
                required(
                    "name",
                    ArgumentKind::Text { bytes_max: HOST_BYTES_MAX },
                    "The name; with PTR also an address.",
                ),
                optional(
                    "kind",
                    ArgumentKind::Choice { options: kinds.map(Into::into).into() },
                    kind_default(),
                    "Which records; `both` are A and AAAA.",
                ),
                optional(
                    "server",
                    ArgumentKind::Text { bytes_max: SERVER_BYTES_MAX },
                    Value::Null,
                    "Address of the server to ask, with a port if it is not 53; else the machine's own.",
                ),
                optional(
                    "timeout_ms",
                    ArgumentKind::Integer { min: 100, max: 30_000 },
                    timeout_ms_default(),
                    "How long to wait for each server, in milliseconds.",
                ),
            ],
            example: example(json!({ "name": "plc7.plant.example", "server": "10.20.0.1" })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        _: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move { look_up(arguments(with)?, platform::resolver()).await })
    }
}

async fn look_up(arguments: Arguments, resolver: Resolver) -> Result<Report, Refusal> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let servers = match &arguments.server {
        Some(server) => vec![server_address(server)?],
        None => resolver.addresses(),
    };
    let kinds: Vec<&str> = match arguments.kind.as_str() {
        BOTH => vec!["A", "AAAA"],
        kind => vec![kind],
    };
    let is_addresses = kinds.iter().all(|kind| ["A", "AAAA"].contains(kind));
    let mut data =
        Data { name: arguments.name.clone(), kind: arguments.kind.clone(), resolver, ..Data::default() };
    if arguments.server.is_none() && is_addresses {
        return Ok(ask_system(data, &kinds, patience).await);
    }
    let name = name_asked(&arguments)?;
    if servers.is_empty() {
        data.via = "server";
        let words = "this machine has no name server in /etc/resolv.conf: give one with `server`";
        return Ok(Report::done(Finding::Attention, words).data(&data));
    }
    ask_servers(data, &name, &kinds, &servers, patience).await.map_err(Refusal)
}

fn server_address(text: &str) -> Result<SocketAddr, Refusal> {
    let alone = connect::bare(text).parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT));
    alone.or_else(|_| text.parse()).map_err(|_| {
        Refusal(format!("`{text}` is not an address of a server, such as 10.20.0.1 or [2001:db8::1]:5353"))
    })
}

fn name_asked(arguments: &Arguments) -> Result<Name, Refusal> {
    let text = &arguments.name;
    match connect::bare(text).parse() {
        Ok(address) if arguments.kind == "PTR" => Ok(Name::reverse(address)),
        Ok(_) | Err(_) => {
            Name::parse(text).map_err(|error| Refusal(format!("`{text}` is not a name: {error}")))
        }
    }
}

async fn ask_system(mut data: Data, kinds: &[&str], patience: Duration) -> Report {
    data.via = "system";
    let resolved = match connect::look_up(&data.name, 0, patience).await {
        Ok(resolved) => resolved,
        Err(Unreached { words, .. }) => return Report::done(Finding::Attention, words).data(&data),
    };
    data.ms = resolved.dns_ms;
    let is_asked = |address: &IpAddr| kinds.contains(if address.is_ipv4() { &"A" } else { &"AAAA" });
    let addresses = resolved.addresses.iter().map(SocketAddr::ip).filter(is_asked);
    data.values = addresses.map(|address| address.to_string()).collect();
    let summary = match (data.values.is_empty(), data.ms) {
        (true, _) => format!("`{}` has no {} record", data.name, data.kind),
        (false, Some(ms)) => format!("`{}` is {} ({ms} ms)", data.name, listed(&data.values)),
        (false, None) => format!("`{}` is an address already", data.name),
    };
    let finding = if data.values.is_empty() { Finding::Attention } else { Finding::Ok };
    Report::done(finding, summary).data(&data)
}

async fn ask_servers(
    mut data: Data,
    name: &Name,
    kinds: &[&str],
    servers: &[SocketAddr],
    patience: Duration,
) -> Result<Report, String> {
    data.via = "server";
    // The last answer of each kind decides what is said.
    let mut told = None;
    for kind in kinds.iter().filter_map(|kind| Kind::named(kind)) {
        for server in servers {
            let mut random = [0; 2];
            getrandom::fill(&mut random).map_err(|error| error.to_string())?;
            let question = Question { id: u16::from_be_bytes(random), name: name.clone(), kind };
            let result = exchange::ask(*server, &question, patience).await;
            data.exchanges.push(exchange_data(*server, kind, &result));
            if let Ok(answer) = result {
                data.take(kind, &answer);
                told = Some(*server);
                break;
            }
        }
    }
    let summary = match told {
        Some(server) => data.summary(name, server),
        None => silence(&data, servers, patience),
    };
    let finding = if data.values.is_empty() { Finding::Attention } else { Finding::Ok };
    let text = data.lines();
    Ok(Report::done(finding, summary).data(&data).text(text))
}

fn exchange_data(server: SocketAddr, kind: Kind, result: &Result<Told, ExchangeError>) -> Exchange {
    let told = result.as_ref().ok();
    Exchange {
        server,
        kind: kind.name(),
        transport: told.map(|told| told.transport),
        ms: told.map(|told| milliseconds(told.time)),
        rcode: told.map(|told| told.answer.rcode_name()),
        authoritative: told.map(|told| told.answer.is_authoritative),
        error: result.as_ref().err().map(ToString::to_string),
    }
}

fn silence(data: &Data, servers: &[SocketAddr], patience: Duration) -> String {
    let named: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let errors = data.exchanges.iter().filter_map(|exchange| exchange.error.as_deref());
    let silent = ExchangeError::Silent.to_string();
    match errors.into_iter().find(|error| *error != silent) {
        Some(error) => format!("no answer from {}: {error}", named.join(", ")),
        None => format!("no answer from {} within {}", named.join(", "), limit(patience)),
    }
}

impl Data {
    fn take(&mut self, kind: Kind, told: &Told) {
        for record in &told.answer.records {
            if record.kind == kind {
                self.values.insert(record.value.clone());
            }
            self.records.push(RecordData {
                name: record.name.clone(),
                kind: record.kind.name(),
                ttl_seconds: record.ttl_seconds,
                value: record.value.clone(),
            });
        }
    }

    fn summary(&self, name: &Name, server: SocketAddr) -> String {
        let answered = || self.exchanges.iter().filter(|exchange| exchange.rcode.is_some());
        let rcode =
            answered().filter_map(|exchange| exchange.rcode.as_deref()).next_back().unwrap_or_default();
        let ms = answered().filter_map(|exchange| exchange.ms).fold(0.0, f64::max);
        let (asked, kind) = (name.text(), &self.kind);
        match (self.values.is_empty(), rcode) {
            (false, _) => format!("`{asked}` is {} ({ms} ms)", listed(&self.values)),
            (true, "NXDOMAIN") => format!("`{asked}` does not exist, says {server} (NXDOMAIN)"),
            (true, "NOERROR") if kind == BOTH => format!("`{asked}` has no address, says {server}"),
            (true, "NOERROR") => format!("`{asked}` has no {kind} record, says {server}"),
            (true, rcode) => format!("{server} did not say what `{asked}` is: {rcode}"),
        }
    }

    /// The records as a zone file has them, then the questions.
    fn lines(&self) -> String {
        let mut text = String::new();
        for record in &self.records {
            let _ = writeln!(text, "{} {} {} {}", record.name, record.ttl_seconds, record.kind, record.value);
        }
        for exchange in &self.exchanges {
            let outcome = exchange.rcode.as_ref().or(exchange.error.as_ref());
            let outcome = outcome.map(String::as_str).unwrap_or_default();
            let _ = writeln!(text, "; {} of {}: {outcome}", exchange.kind, exchange.server);
        }
        text
    }
}

/// The first values, and how many more there are.
fn listed(values: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = values.iter().take(VALUES_SHOWN).map(String::as_str).collect();
    match values.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};

    /// One A record of 10.20.0.5, good for a minute, for the name asked.
    const A_RECORD: &[u8] = b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\x0A\x14\0\x05";

    async fn asked(with: Value) -> Report {
        let with: Map<String, Value> = example(with);
        DnsLookup.spec().check(&with).unwrap();
        let with = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
        look_up(with, Resolver::default()).await.unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    /// The question made into an answer with these flags and records.
    fn answer(question: &[u8], flags: [u8; 2], count: u8, records: &[u8]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&flags);
        message[7] = count;
        message.extend(records);
        message
    }

    /// A name server for as many questions as come; `reply` makes the datagrams for each.
    async fn server(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut question = [0; 512];
            loop {
                let (count, from) = socket.recv_from(&mut question).await.unwrap();
                for datagram in reply(&question[..count]) {
                    socket.send_to(&datagram, from).await.unwrap();
                }
            }
        });
        address
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_server_is_asked_for_both_kinds_of_addresses() {
        let is_a = |question: &[u8]| question[question.len() - 3] == 1;
        let server = server(move |question| {
            let has = is_a(question);
            vec![answer(question, [0x81, 0x80], u8::from(has), if has { A_RECORD } else { b"" })]
        })
        .await;
        let report = asked(json!({ "name": "plc7.plant", "server": server.to_string() })).await;
        assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
        assert!(report.result.summary.starts_with("`plc7.plant` is 10.20.0.5 ("), "{report:?}");
        assert_eq!(report.result.data["records"][0]["ttl_seconds"], 60);
        assert_eq!(report.result.data["exchanges"].as_array().unwrap().len(), 2);
        assert!(report.result.output.head.starts_with("plc7.plant 60 A 10.20.0.5\n"), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_server_refuses_is_told_in_words() {
        for (rcode, words) in
            [(3, "does not exist"), (2, "SERVFAIL"), (5, "REFUSED"), (0, "has no MX record")]
        {
            let server = server(move |question| vec![answer(question, [0x81, 0x80 | rcode], 0, b"")]).await;
            let with = json!({ "name": "plc7.plant", "kind": "MX", "server": server.to_string() });
            let report = asked(with).await;
            assert_eq!((report.succeeded, report.result.finding), (true, Finding::Attention));
            assert!(report.result.summary.contains(words), "{report:?}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn garbage_and_forged_answers_do_not_keep_the_true_one_out() {
        let server = server(|question| {
            let mut forged =
                answer(question, [0x81, 0x80], 1, b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\x01\x01\x01\x01");
            forged[0] ^= 0xFF;
            let truth = answer(question, [0x81, 0x80], 1, A_RECORD);
            vec![
                b"garbage".to_vec(),
                question[..7].to_vec(),
                truth[..truth.len() - 3].to_vec(),
                forged,
                truth,
            ]
        })
        .await;
        let report = asked(json!({ "name": "plc7", "kind": "A", "server": server.to_string() })).await;
        assert!(report.result.summary.starts_with("`plc7` is 10.20.0.5 ("), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_but_garbage_is_not_dns_and_nothing_at_all_is_silence() {
        let garbage = server(|_| vec![b"HTTP/1.1 400 Bad Request".to_vec()]).await;
        let with = |server: SocketAddr| json!({ "name": "plc7", "kind": "A", "server": server.to_string(), "timeout_ms": 300 });
        let report = asked(with(garbage)).await;
        let words = format!("no answer from {garbage}: what answered does not speak DNS");
        assert_eq!((report.result.summary, report.result.finding), (words, Finding::Attention));
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let report = asked(with(address)).await;
        assert_eq!(report.result.summary, format!("no answer from {address} within 300 ms"));
        drop(silent);
        let report = asked(with(address)).await;
        assert!(report.result.summary.contains("Connection refused"), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_cut_answer_is_fetched_over_tcp() {
        let cut = server(|question| vec![answer(question, [0x83, 0x80], 0, b"")]).await;
        let listener = TcpListener::bind(cut).await.unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let records = b"\xC0\x0C\0\x10\0\x01\0\0\0\x3C\0\x04\x03abc".repeat(100);
            let answer = answer(&question, [0x81, 0x80], 100, &records);
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        let report = asked(json!({ "name": "plc7", "kind": "TXT", "server": cut.to_string() })).await;
        assert_eq!(report.result.data["exchanges"][0]["transport"], "tcp", "{report:?}");
        assert_eq!(report.result.data["records"].as_array().unwrap().len(), 100);
        assert!(report.result.summary.starts_with("`plc7` is \"abc\" ("), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_address_is_asked_for_by_its_reverse_name() {
        let server = server(|question| {
            vec![answer(question, [0x81, 0x80], 1, b"\xC0\x0C\0\x0C\0\x01\0\0\0\x05\0\x06\x04plc7\0")]
        })
        .await;
        let report = asked(json!({ "name": "10.20.0.5", "kind": "PTR", "server": server.to_string() })).await;
        assert!(report.result.summary.starts_with("`5.0.20.10.in-addr.arpa` is plc7 ("), "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_system_knows_localhost_and_not_what_cannot_be() {
        let report = asked(json!({ "name": "localhost", "kind": "A" })).await;
        assert_eq!((report.result.finding, &report.result.data["via"]), (Finding::Ok, &json!("system")));
        assert!(report.result.summary.starts_with("`localhost` is 127.0.0.1 ("), "{report:?}");
        let report = asked(json!({ "name": "no-such-machine.invalid" })).await;
        assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_server_that_is_no_address_is_refused_and_none_at_all_is_found() {
        let with = |server: Option<&str>, name: &str| Arguments {
            name: name.into(),
            kind: "MX".into(),
            server: server.map(Into::into),
            timeout_ms: 100,
        };
        let refused = look_up(with(Some("dns.example"), "a"), Resolver::default()).await;
        assert!(matches!(refused, Err(Refusal(_))));
        assert!(matches!(look_up(with(Some("::1"), "a..b"), Resolver::default()).await, Err(Refusal(_))));
        let report = look_up(with(None, "a"), Resolver::default()).await.unwrap_or_else(|_| panic!());
        assert_eq!(report.result.finding, Finding::Attention);
        assert!(report.result.summary.contains("/etc/resolv.conf"));
    }
}
