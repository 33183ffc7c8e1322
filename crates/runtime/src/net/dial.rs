//! A TCP connection to a name: both families, the first that answers wins (RFC 8305).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Intervals, NetError};

/// After this long the next address is tried beside the one before (RFC 8305, section 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Whether an idle connection is probed, so that a half-open one is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepAlive {
    /// After 90 s, then every 10 s: noticed within two minutes, for some 68 KB a day.
    Probed,
    /// Never: noticed when a held request is over.
    Silent,
}

/// The addresses of `host`, the families by turns, so that one that leads nowhere costs little.
///
/// # Errors
///
/// [`NetError::Name`].
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    intervals: Intervals,
) -> Result<Vec<SocketAddr>, NetError> {
    let name = |cause: String| NetError::Name { host: host.to_owned(), cause };
    let looked_up = timeout(intervals.resolve(), tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<_> = looked_up
        .map_err(|_| name("the name server did not answer".to_owned()))?
        .map_err(|error| name(resolver_words(&error)))?
        .collect();
    if addresses.is_empty() {
        return Err(name("it has no address".to_owned()));
    }
    Ok(interleaved(&addresses))
}

/// What getaddrinfo(3) says, without its own preface.
fn resolver_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for address in addresses {
        if address.is_ipv6() == first_is_v6 { first.push(*address) } else { second.push(*address) }
    }
    let longest = first.len().max(second.len());
    (0..longest)
        .flat_map(|index| [first.get(index), second.get(index)])
        .flatten()
        .take(ADDRESSES_MAX)
        .copied()
        .collect()
}

/// Connects to the first of `addresses` that answers.
///
/// # Errors
///
/// [`NetError::Connect`] with what the last one said, or [`NetError::ConnectTimeout`].
pub(crate) async fn dial(
    host: &str,
    addresses: &[SocketAddr],
    keep_alive: KeepAlive,
    intervals: Intervals,
) -> Result<TcpStream, NetError> {
    let limit = intervals.connect();
    let connected = timeout(limit, first_of(addresses, keep_alive, intervals)).await;
    match connected {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) => Err(NetError::connect(host, addresses, cause)),
        Err(_) => Err(NetError::ConnectTimeout {
            place: format!("{host}:{}", addresses.first().map_or(0, SocketAddr::port)),
            seconds: limit.as_secs(),
        }),
    }
}

async fn first_of(
    addresses: &[SocketAddr],
    keep_alive: KeepAlive,
    intervals: Intervals,
) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(address) => attempts.push(connect(*address, keep_alive, intervals)),
            None if attempts.is_empty() => return Err(last_error),
            None => {}
        }
        let is_last = waiting.as_slice().is_empty();
        tokio::select! {
            ended = attempts.next(), if !attempts.is_empty() => match ended {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last_error = error,
                None => {}
            },
            () = sleep(NEXT_ADDRESS_AFTER), if !is_last => {}
        }
    }
}

async fn connect(address: SocketAddr, keep_alive: KeepAlive, intervals: Intervals) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    watch_for_half_open(&socket, keep_alive, intervals)?;
    socket.connect(address).await
}

/// Lets the kernel notice a peer that is gone without a word: tcp(7), `TCP_KEEPIDLE` and `TCP_USER_TIMEOUT`.
fn watch_for_half_open(socket: &TcpSocket, keep_alive: KeepAlive, intervals: Intervals) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    if keep_alive == KeepAlive::Probed {
        let whole_seconds = |interval: Duration| interval.max(Duration::from_secs(1));
        let probes = socket2::TcpKeepalive::new()
            .with_time(whole_seconds(intervals.keep_alive()))
            .with_interval(whole_seconds(intervals.keep_alive_every()))
            .with_retries(2);
        socket.set_tcp_keepalive(&probes)?;
    }
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(intervals.unacknowledged()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_stays_first() {
        let given = addresses(&["[::1]:1", "[::2]:1", "10.0.0.1:1", "[::3]:1", "10.0.0.2:1"]);
        let turns = addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleaved(&given), turns);
        assert_eq!(interleaved(&vec![given[0]; 100]).len(), ADDRESSES_MAX);
    }

    #[tokio::test]
    async fn a_family_that_leads_nowhere_does_not_keep_the_other_from_connecting() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nobody listens there: 2001:db8::/32 is for documentation and 192.0.2.0/24 too.
        let nowhere: SocketAddr = format!("[2001:db8::1]:{port}").parse().unwrap();
        let dark: SocketAddr = format!("192.0.2.1:{port}").parse().unwrap();
        let all = [nowhere, dark, listener.local_addr().unwrap()];
        let stream = dial("two.example", &all, KeepAlive::Probed, Intervals::default()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_refusal_names_the_place_and_a_missing_name_the_name() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refused =
            dial("plant.example", &[closed], KeepAlive::Silent, Intervals::default()).await.unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("plant.example") && words.contains("refused"), "{words}");
        let unknown = resolve("no.such.name.invalid", 443, Intervals::default()).await.unwrap_err();
        assert_eq!(unknown.obstacle().as_str(), "name_not_resolved");
        assert!(unknown.to_string().contains("`no.such.name.invalid`"), "{unknown}");
    }
}
