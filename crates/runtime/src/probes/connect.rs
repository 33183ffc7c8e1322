//! The way to a machine: its name looked up, its addresses tried in turn, and every failure told apart.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Serialize;
use tidegate_core::wire::Policy;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Refusal;
use super::words::{limit, milliseconds, reason};

/// Longest name in bytes (RFC 1035, section 2.3.4).
pub(super) const HOST_BYTES_MAX: u32 = 253;
/// How many addresses of a name are tried; more than any name of a real service has.
const ADDRESSES_MAX: usize = 8;

/// How trying to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Connected,
    /// Something is there and says no: nothing listens, or a firewall rejects.
    Refused,
    /// Nothing came back in time: off, gone, or a firewall drops.
    NoAnswer,
    /// This machine or a router knows no way.
    Unreachable,
    /// The resolver says that there is no such name.
    NameUnknown,
    /// The resolver says nothing, or that it cannot know.
    NamesUnanswered,
    /// Anything else, in the operating system's words.
    Failed,
}

/// The addresses of a name.
#[derive(Debug)]
pub(super) struct Resolved {
    /// At most [`ADDRESSES_MAX`], in the order of the resolver.
    pub(super) addresses: Vec<SocketAddr>,
    /// How long the resolver took; `None` where the host is an address already.
    pub(super) dns_ms: Option<f64>,
}

/// Why there is nothing to talk to, in words for people.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) outcome: Outcome,
    pub(super) words: String,
}

/// Why there is no address to talk to.
#[derive(Debug)]
pub(super) enum NoWay {
    /// The name has none.
    Unreached(Unreached),
    /// This machine's policy allows none of them.
    Denied(Refusal),
}

/// One address tried once.
#[derive(Debug, Serialize)]
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) outcome: Outcome,
    /// Until it was connected or had failed.
    pub(super) ms: f64,
    /// What the operating system said of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Attempt {
    /// The failure in words; `patience` is how long it was given.
    pub(super) fn words(&self, patience: Duration) -> String {
        let (address, error) = (self.address, self.error.as_deref().unwrap_or_default());
        match self.outcome {
            Outcome::Connected => format!("connected to {address} in {} ms", self.ms),
            Outcome::Refused => format!("{address} refused the connection"),
            Outcome::NoAnswer => format!("no answer from {address} within {}", limit(patience)),
            Outcome::Unreachable => format!("no way to {address}: {error}"),
            Outcome::NameUnknown | Outcome::NamesUnanswered | Outcome::Failed => {
                format!("failed to connect to {address}: {error}")
            }
        }
    }
}

/// The host without the brackets around an address of version 6.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Asks the system's resolver for the addresses of `host`, unless it is one.
pub(super) async fn look_up(host: &str, port: u16, patience: Duration) -> Result<Resolved, Unreached> {
    let name = bare(host);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(Resolved { addresses: vec![SocketAddr::new(address, port)], dns_ms: None });
    }
    let begin = Instant::now();
    let addresses = match timeout(patience, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect::<Vec<_>>(),
        Ok(Err(error)) => return Err(unresolved(host, &error)),
        Err(_) => {
            let words = format!("nobody said within {} what `{host}` is", limit(patience));
            return Err(Unreached { outcome: Outcome::NamesUnanswered, words });
        }
    };
    if addresses.is_empty() {
        let words = format!("`{host}` has no address");
        return Err(Unreached { outcome: Outcome::NameUnknown, words });
    }
    Ok(Resolved { addresses, dns_ms: Some(milliseconds(begin.elapsed())) })
}

/// Like [`look_up`], with only the addresses that the policy allows to connect to. The addresses are judged after the
/// name was resolved, and a check connects to these and to no others.
pub(super) async fn destinations(
    host: &str,
    port: u16,
    patience: Duration,
    policy: &Policy,
) -> Result<Resolved, NoWay> {
    let resolved = look_up(host, port, patience).await.map_err(NoWay::Unreached)?;
    let addresses = allowed(host, resolved.addresses, Some(port), policy).map_err(NoWay::Denied)?;
    Ok(Resolved { addresses, ..resolved })
}

/// The addresses of `host` that the policy allows to reach; no port stands for ICMP.
///
/// # Errors
///
/// Why the first is not allowed, where none is.
pub(super) fn allowed(
    host: &str,
    addresses: Vec<SocketAddr>,
    port: Option<u16>,
    policy: &Policy,
) -> Result<Vec<SocketAddr>, Refusal> {
    let mut first_reason = None;
    let judged = addresses.into_iter().filter(|address| {
        let reason = policy.forbids_address(bare(host), address.ip(), port);
        let is_allowed = reason.is_none();
        first_reason = first_reason.take().or(reason);
        is_allowed
    });
    let kept: Vec<SocketAddr> = judged.collect();
    match first_reason.filter(|_| kept.is_empty()) {
        Some(reason) => Err(Refusal(reason)),
        None => Ok(kept),
    }
}

/// The standard library has no kind for what getaddrinfo(3) says, so its words are read: those of glibc and musl for
/// `EAI_AGAIN`.
fn unresolved(host: &str, error: &io::Error) -> Unreached {
    let text = error.to_string();
    let text = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
    if ["Temporary failure in name resolution", "Try again"].contains(&text) {
        let words = format!("the name servers did not say what `{host}` is: {text}");
        return Unreached { outcome: Outcome::NamesUnanswered, words };
    }
    Unreached { outcome: Outcome::NameUnknown, words: format!("`{host}` was not found: {text}") }
}

/// Tries the addresses in turn, each for `patience` at most, and adds each try to `attempts`.
pub(super) async fn first_connected(
    addresses: &[SocketAddr],
    patience: Duration,
    attempts: &mut Vec<Attempt>,
) -> Option<TcpStream> {
    for address in addresses {
        let (attempt, stream) = connect(*address, patience).await;
        attempts.push(attempt);
        if stream.is_some() {
            return stream;
        }
    }
    None
}

async fn connect(address: SocketAddr, patience: Duration) -> (Attempt, Option<TcpStream>) {
    let begin = Instant::now();
    let connected = timeout(patience, TcpStream::connect(address)).await;
    let ms = milliseconds(begin.elapsed());
    let failed = |outcome, error| (Attempt { address, outcome, ms, error }, None);
    match connected {
        Ok(Ok(stream)) => (Attempt { address, outcome: Outcome::Connected, ms, error: None }, Some(stream)),
        Ok(Err(error)) => failed(outcome_of(&error), Some(reason(&error))),
        Err(_) => failed(Outcome::NoAnswer, None),
    }
}

fn outcome_of(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Outcome::Refused,
        io::ErrorKind::TimedOut => Outcome::NoAnswer,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Outcome::Unreachable,
        _ => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_name_server_is_not_an_unknown_name() {
        let said = |text: &str| unresolved("plc7", &io::Error::other(text.to_owned()));
        let silent = said("failed to lookup address information: Temporary failure in name resolution");
        assert_eq!(silent.outcome, Outcome::NamesUnanswered);
        let unknown = said("failed to lookup address information: Name or service not known");
        assert_eq!(unknown.outcome, Outcome::NameUnknown);
        assert_eq!(unknown.words, "`plc7` was not found: Name or service not known");
    }

    #[test]
    fn each_failure_has_its_own_words() {
        let patience = Duration::from_secs(5);
        let words = |outcome, error: Option<&str>| {
            let address = "10.0.0.5:502".parse().unwrap();
            Attempt { address, outcome, ms: 3.0, error: error.map(Into::into) }.words(patience)
        };
        assert_eq!(words(Outcome::NoAnswer, None), "no answer from 10.0.0.5:502 within 5 s");
        assert_eq!(words(Outcome::Refused, None), "10.0.0.5:502 refused the connection");
        assert_eq!(
            words(Outcome::Unreachable, Some("No route to host")),
            "no way to 10.0.0.5:502: No route to host"
        );
    }
}
