//! Asks what a name stands for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::wire::Policy;

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
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move { look_up(arguments(with)?, platform::resolver(), cx.policy()).await })
    }
}

async fn look_up(arguments: Arguments, resolver: Resolver, policy: &Policy) -> Result<Report, Refusal> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    let servers = match &arguments.server {
        // The machine's own servers are asked by every program on it; another one is a place like any.
        Some(server) => {
            let address = server_address(server)?;
            connect::allowed(&address.ip().to_string(), vec![address], Some(address.port()), policy)?
        }
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
mod tests;
