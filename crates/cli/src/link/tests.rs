//! Links on loopback with real sockets. Nothing here measures time: what must not happen yet is held up for an hour,
//! and let go.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn an_open_link_carries_and_counts_bytes_each_way() {
    let (link, far) = pair(Closed::Cut, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"question", b"an answer").await;
    near.shutdown().await.unwrap();
    assert_eq!(end.read(&mut [0; 8]).await.unwrap(), 0, "the end of one side reaches the other");
    drop(end);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(link.counts(), Counts { connections: 1, up_bytes: 8, down_bytes: 9 });
}

#[tokio::test]
async fn a_cut_resets_both_ends_and_refuses_who_comes_after() {
    let (link, far) = pair(Closed::Cut, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"a", b"b").await;

    link.close().await.unwrap();
    assert!(!link.is_open());
    for stream in [&mut near, &mut end] {
        let error = stream.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    let refused = TcpStream::connect(link.address()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_link_opens_again_on_the_same_port_as_often_as_one_likes() {
    let (link, far) = pair(Closed::Cut, false).await;
    assert!(TcpStream::connect(link.address()).await.is_err(), "it began closed");
    for round in 1..=5 {
        link.open().await.unwrap();
        link.open().await.unwrap();
        let (mut near, mut end) = connect(&link, &far).await;
        exchange(&mut near, &mut end, b"a", b"b").await;
        link.close().await.unwrap();
        link.close().await.unwrap();
        assert_eq!(link.counts().connections, round);
    }
}

#[tokio::test]
async fn a_silent_link_tells_nobody_and_goes_on_where_it_stood() {
    let (link, far) = pair(Closed::Silent, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"before", b"before").await;

    link.close().await.unwrap();
    let before = link.counts();
    near.write_all(b"into the dark").await.unwrap();
    // Who connects is not refused either: the kernel completes the handshake, and then nothing comes.
    let mut late = TcpStream::connect(link.address()).await.unwrap();
    late.write_all(b"late").await.unwrap();
    assert_eq!(end.try_read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(link.counts(), before);

    link.open().await.unwrap();
    let mut arrived = [0; 13];
    end.read_exact(&mut arrived).await.unwrap();
    assert_eq!(&arrived, b"into the dark");
    let (mut late_end, _) = far.accept().await.unwrap();
    let mut arrived = [0; 4];
    late_end.read_exact(&mut arrived).await.unwrap();
    assert_eq!(&arrived, b"late");
}

#[tokio::test]
async fn nothing_is_let_out_of_a_closed_link_even_when_its_receiver_makes_room() {
    let (link, far) = pair(Closed::Silent, true).await;
    let (near, end) = connect(&link, &far).await;
    // Until nobody on the way has room left.
    let (block, mut full) = ([0; 64 * 1024], 0);
    while full < 200 {
        full = if near.try_write(&block).is_ok() { 0 } else { full + 1 };
        tokio::task::yield_now().await;
    }
    link.close().await.unwrap();
    let before = link.counts();
    let (mut buffer, mut arrived, mut empty) = (vec![0; 64 * 1024], 0, 0);
    while empty < 200 {
        match end.try_read(&mut buffer) {
            Ok(read) => (arrived, empty) = (arrived + read as u64, 0),
            Err(_) => empty += 1,
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((arrived, link.counts()), (before.up_bytes, before));
}

#[tokio::test]
async fn a_link_to_nowhere_resets_who_connects() {
    let nowhere = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let options = options(nowhere.local_addr().unwrap(), Closed::Cut, true);
    let link = Link::start(options).await.unwrap();
    let mut near = TcpStream::connect(link.address()).await.unwrap();
    assert_eq!(near.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn dropping_the_handle_ends_every_connection() {
    let (link, far) = pair(Closed::Cut, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"a", b"b").await;
    drop(link);
    assert!(matches!(near.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    assert!(matches!(end.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn what_is_under_way_arrives_as_soon_as_the_latency_ends() {
    let (link, far) = pair(Closed::Cut, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    let slow = Shape { latency: HOUR, ..Shape::default() };
    link.set(Conditions { up: slow, ..Conditions::default() }).await.unwrap();
    near.write_all(b"under way").await.unwrap();
    // The other direction is as quick as before, and by then the link has long read what came before.
    for _ in 0..20 {
        end.write_all(b"b").await.unwrap();
        near.read_exact(&mut [0]).await.unwrap();
    }
    assert_eq!(end.try_read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(link.counts(), Counts { connections: 1, up_bytes: 0, down_bytes: 20 });

    link.set(Conditions::default()).await.unwrap();
    arrives(&mut end, b"under way").await;
}

#[tokio::test]
async fn a_handshake_has_a_round_trip_of_its_own() {
    let (link, far) = pair(Closed::Cut, true).await;
    let slow = Shape { latency: HOUR, ..Shape::default() };
    link.set(Conditions { down: slow, ..Conditions::default() }).await.unwrap();
    let mut near = TcpStream::connect(link.address()).await.unwrap();
    near.write_all(b"up is quick").await.unwrap();
    while link.counts().connections == 0 {
        tokio::task::yield_now().await;
    }
    let none = std::pin::pin!(far.accept());
    assert!(futures_pending(none).await, "the other end does not know of it yet");
    link.set(Conditions::default()).await.unwrap();
    let (mut end, _) = far.accept().await.unwrap();
    arrives(&mut end, b"up is quick").await;
}

#[tokio::test]
async fn a_slow_wire_stops_its_sender_and_goes_on_when_it_is_faster() {
    let (link, far) = pair(Closed::Cut, true).await;
    let (near, mut end) = connect(&link, &far).await;
    let shape = Shape { rate: Some(Rate::bits_per_second(1)), ..Shape::default() };
    link.set(Conditions { up: shape, ..Conditions::default() }).await.unwrap();
    // A sender that is never stopped would be let go on for ever.
    let mut written = 0;
    let block = [7; 64 * 1024];
    for _ in 0..1_000 {
        match near.try_write(&block) {
            Ok(count) => written += count,
            // The link has the processor for a moment, to read whatever it would.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    assert!(written > 0 && written < 50_000_000, "{written} bytes were taken in");
    assert_eq!(link.counts().up_bytes, 0);

    link.set(Conditions::default()).await.unwrap();
    let mut arrived = vec![0; written];
    end.read_exact(&mut arrived).await.unwrap();
    assert!(arrived.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_connection_ends_after_as_many_bytes_as_it_may_carry() {
    let (link, far) = pair(Closed::Cut, true).await;
    let limited = Shape { cut_after_bytes: Some(20_000), ..Shape::default() };
    link.set(Conditions { up: limited, ..Conditions::default() }).await.unwrap();
    for round in 1..=2 {
        let (mut near, mut end) = connect(&link, &far).await;
        exchange(&mut near, &mut end, &[1; 10], &[2; 60]).await;
        let sent: Vec<u8> = (0..30_000_u32).map(|number| number as u8).collect();
        near.write_all(&sent).await.unwrap();
        let mut arrived = Vec::new();
        let error = end.read_to_end(&mut arrived).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(sent.starts_with(&arrived) && arrived.len() <= 19_990, "{}", arrived.len());
        assert!(near.read(&mut [0]).await.is_err(), "the sender is told too");
        assert_eq!(link.counts().up_bytes, round * 20_000);
    }
}

#[tokio::test]
async fn an_idle_or_old_connection_is_ended_and_a_fresh_one_is_not_harmed() {
    let brief = Some(Duration::from_millis(1));
    for conditions in [
        Conditions { cut_idle: brief, ..Conditions::default() },
        Conditions { cut_age: brief, ..Conditions::default() },
    ] {
        let (link, far) = pair(Closed::Cut, true).await;
        let (mut near, mut end) = connect(&link, &far).await;
        exchange(&mut near, &mut end, b"a", b"b").await;
        link.set(conditions).await.unwrap();
        for stream in [&mut near, &mut end] {
            assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
        link.set(Conditions { cut_idle: Some(HOUR), cut_age: Some(HOUR), ..Conditions::default() })
            .await
            .unwrap();
        let (mut near, mut end) = connect(&link, &far).await;
        exchange(&mut near, &mut end, b"a", b"b").await;
    }
}

#[tokio::test]
async fn who_is_not_told_of_an_end_believes_that_it_is_connected() {
    for told in [Told::Both, Told::Server, Told::Client, Told::Nobody] {
        let (link, far) = pair(Closed::Cut, true).await;
        let (mut near, mut end) = connect(&link, &far).await;
        exchange(&mut near, &mut end, b"a", b"b").await;
        link.end_connections(told).await.unwrap();
        let is_told = [matches!(told, Told::Both | Told::Client), matches!(told, Told::Both | Told::Server)];
        for (stream, is_told) in [&mut near, &mut end].into_iter().zip(is_told) {
            if is_told {
                let error = stream.read(&mut [0]).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{told}");
            } else {
                stream.write_all(b"are you there").await.unwrap();
            }
        }
        // The link itself is fine.
        let (mut fresh, mut fresh_end) = connect(&link, &far).await;
        exchange(&mut fresh, &mut fresh_end, b"a", b"b").await;
        for (stream, is_told) in [&near, &end].into_iter().zip(is_told) {
            if !is_told {
                #[cfg(target_os = "linux")]
                is_sent_again(stream).await;
                let nothing = stream.try_read(&mut [0]).unwrap_err();
                assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "{told}");
            }
        }
        assert_eq!(link.counts(), Counts { connections: 2, up_bytes: 2, down_bytes: 2 });
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn lost_packets_are_not_even_acknowledged_and_tcp_goes_on_by_itself() {
    let (link, far) = pair(Closed::Drop, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"before", b"before").await;
    link.close().await.unwrap();
    near.write_all(b"repeated by TCP").await.unwrap();
    is_sent_again(&near).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    let mut late = std::pin::pin!(socket.connect(link.address()));
    assert!(futures_pending(late.as_mut()).await, "no handshake either");

    link.open().await.unwrap();
    arrives(&mut end, b"repeated by TCP").await;
    let mut late = late.await.unwrap();
    late.write_all(b"late").await.unwrap();
    let (mut late_end, _) = far.accept().await.unwrap();
    arrives(&mut late_end, b"late").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn forgotten_connections_stay_dead_when_the_link_opens() {
    let (link, far) = pair(Closed::Forget, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"before", b"before").await;
    link.close().await.unwrap();
    link.open().await.unwrap();
    near.write_all(b"are you there").await.unwrap();
    let (mut fresh, mut fresh_end) = connect(&link, &far).await;
    exchange(&mut fresh, &mut fresh_end, b"a", b"b").await;
    is_sent_again(&near).await;
    assert_eq!(end.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_closed_link_changes_its_way_of_being_closed_at_once() {
    let (link, far) = pair(Closed::Silent, true).await;
    let (mut near, mut end) = connect(&link, &far).await;
    exchange(&mut near, &mut end, b"a", b"b").await;
    link.close().await.unwrap();
    drop(TcpStream::connect(link.address()).await.unwrap());

    link.set(Conditions::closing(Closed::Cut)).await.unwrap();
    assert_eq!(near.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let refused = TcpStream::connect(link.address()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

    link.set(Conditions::closing(Closed::Silent)).await.unwrap();
    let swallowed = TcpStream::connect(link.address()).await.unwrap();
    assert!(!link.is_open());
    drop((swallowed, end));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is set, closed and opened meanwhile: the bytes arrive, all of them, as they were sent.
    #[test]
    fn bytes_arrive_unaltered_and_in_order(
        up in shape(),
        down in shape(),
        later in shape(),
        closed in prop::sample::select(if cfg!(target_os = "linux") {
            vec![Closed::Silent, Closed::Drop]
        } else {
            vec![Closed::Silent]
        }),
        sizes in prop::collection::vec(1_usize..5_000, 1..12),
    ) {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        tokio.block_on(async {
            let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let conditions = Conditions { closed, up, down, ..Conditions::default() };
            let (listen, to) = ("127.0.0.1:0".parse().unwrap(), far.local_addr().unwrap().to_string());
            let link = Link::start(LinkOptions { listen, to, conditions, open: true }).await.unwrap();
            let (near, end) = connect(&link, &far).await;
            let change = async {
                link.close().await.unwrap();
                link.set(Conditions { up: later, ..conditions }).await.unwrap();
                link.open().await.unwrap();
            };
            tokio::join!(
                both_ways(near, &sizes, 3),
                both_ways(end, &sizes, 5),
                change,
            );
            let total = sizes.iter().sum::<usize>() as u64;
            assert_eq!(link.counts(), Counts { connections: 1, up_bytes: total, down_bytes: total });
        });
    }
}

/// Quick enough for a test, slow enough that everything is under way at once.
fn shape() -> impl Strategy<Value = Shape> {
    let rate = prop::option::of(1_000_000_u64..20_000_000);
    (0_u64..20, 0_u64..20, rate).prop_map(|(latency_ms, jitter_ms, rate)| Shape {
        latency: Duration::from_millis(latency_ms),
        jitter: Duration::from_millis(jitter_ms),
        rate: rate.map(Rate::bits_per_second),
        cut_after_bytes: None,
    })
}

/// Sends pieces of the given sizes, made from `seed`, and reads what the other side's seed makes.
async fn both_ways(stream: TcpStream, sizes: &[usize], seed: u8) {
    let (mut read, mut write) = stream.into_split();
    let content = |seed: u8| -> Vec<u8> {
        let total = sizes.iter().sum();
        (0..total).map(|index: usize| (index.wrapping_mul(usize::from(seed)) >> 3) as u8).collect()
    };
    let send = async {
        let mut rest = &content(seed)[..];
        for size in sizes {
            write.write_all(&rest[..*size]).await.unwrap();
            rest = &rest[*size..];
        }
        write.shutdown().await.unwrap();
    };
    let mut arrived = Vec::new();
    let (read, ()) = tokio::join!(read.read_to_end(&mut arrived), send);
    read.unwrap();
    assert!(arrived == content(8 - seed), "what arrived is what was sent");
}

/// Whether a future is still not done after others had the processor.
async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    for _ in 0..20 {
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await;
        if polled.is_ready() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// Returns when the kernel has sent again what nobody acknowledged (the column `retrnsmt` of `/proc/net/tcp`).
#[cfg(target_os = "linux")]
async fn is_sent_again(stream: &TcpStream) {
    let port = format!(":{:04X}", stream.local_addr().unwrap().port());
    loop {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut own = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&port)));
        if own.any(|row| row.get(6).is_some_and(|repeats| *repeats != "00000000")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn arrives(stream: &mut TcpStream, expected: &[u8]) {
    let mut arrived = vec![0; expected.len()];
    stream.read_exact(&mut arrived).await.unwrap();
    assert_eq!(arrived, expected);
}

async fn pair(closed: Closed, open: bool) -> (Link, TcpListener) {
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link::start(options(far.local_addr().unwrap(), closed, open)).await.unwrap();
    (link, far)
}

fn options(to: SocketAddr, closed: Closed, open: bool) -> LinkOptions {
    LinkOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        to: to.to_string(),
        conditions: Conditions::closing(closed),
        open,
    }
}

async fn connect(link: &Link, far: &TcpListener) -> (TcpStream, TcpStream) {
    let near = TcpStream::connect(link.address()).await.unwrap();
    let (end, _) = far.accept().await.unwrap();
    (near, end)
}

async fn exchange(near: &mut TcpStream, end: &mut TcpStream, up: &[u8], down: &[u8]) {
    let mut buffer = [0; 64];
    near.write_all(up).await.unwrap();
    end.read_exact(&mut buffer[..up.len()]).await.unwrap();
    assert_eq!(&buffer[..up.len()], up);
    end.write_all(down).await.unwrap();
    near.read_exact(&mut buffer[..down.len()]).await.unwrap();
    assert_eq!(&buffer[..down.len()], down);
}
