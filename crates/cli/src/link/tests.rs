//! Links on loopback with real sockets; nothing here waits for time to pass.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

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
async fn a_link_to_nowhere_resets_who_connects() {
    let nowhere = bind("127.0.0.1:0".parse().unwrap()).unwrap();
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

async fn pair(closed: Closed, open: bool) -> (Link, TcpListener) {
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link::start(options(far.local_addr().unwrap(), closed, open)).await.unwrap();
    (link, far)
}

fn options(to: SocketAddr, closed: Closed, open: bool) -> LinkOptions {
    LinkOptions { listen: "127.0.0.1:0".parse().unwrap(), to: to.to_string(), closed, open }
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
