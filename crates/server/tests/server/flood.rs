//! Many requests that are never whole, from senders that prove nothing.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::plane::Home;

/// What an address gets that has proved nothing.
const STRANGERS_BYTES_MAX: u64 = 2 << 20;

#[tokio::test]
async fn half_sent_bodies_of_slow_sockets_stay_within_the_share_of_their_address() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut sockets = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(running.addresses().people).await.unwrap();
        let head = "POST /runtime/v1/time HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let _ = socket.write_all(format!("{head}content-length: 16000\r\n\r\n").as_bytes()).await;
        let _ = socket.write_all(&[b' '; 15_999]).await;
        sockets.push(socket);
    }
    let mut refused = 0;
    while refused < 200 - STRANGERS_BYTES_MAX / 15_999 {
        refused = 0;
        for socket in &sockets {
            let mut start = [0; 12];
            let peeked = tokio::time::timeout(Duration::from_millis(1), socket.peek(&mut start)).await;
            refused += u64::from(matches!(peeked, Ok(Ok(_))) && &start == b"HTTP/1.1 429");
        }
    }
    let reserved = reserved_bytes(&mut owner).await;
    assert!((1..=STRANGERS_BYTES_MAX).contains(&reserved), "{reserved}");
    // Who proves who they are has a share of their own, from the same address.
    owner.post("/api/v1/clients", &json!({ "name": "Hartmann" })).await.expect(201);

    let mut answer = Vec::new();
    let mut last = sockets.pop().unwrap();
    last.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("retry-after: 2") && answer.contains("rate_limited"), "{answer}");
    drop(sockets);
    while reserved_bytes(&mut owner).await > 0 {
        tokio::task::yield_now().await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn one_connection_has_32_streams_and_none_of_a_stranger_is_buffered() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let stream = TcpStream::connect(running.addresses().people).await.unwrap();
    let (requests, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    // A first request has the settings of the other side come.
    let first = hyper::Request::get("http://localhost/healthz").body(Body::empty()).unwrap();
    assert_eq!(requests.clone().send_request(first).await.unwrap().status(), 200);
    let mut sending = Vec::new();
    for _ in 0..250 {
        // 8 MiB that never end, as the first line of a sync.
        let pieces =
            stream::iter((0..512).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'['; 16 * 1024]))));
        let body = Body::from_stream(stream::StreamExt::chain(pieces, stream::pending()));
        let request = hyper::Request::post("http://localhost/runtime/v1/sync").body(body).unwrap();
        let mut requests = requests.clone();
        sending.push(tokio::spawn(async move { requests.send_request(request).await }));
    }
    for sent in sending {
        // Refused at once; that the rest is not wanted can reach the client before the answer does.
        match sent.await.unwrap() {
            Ok(response) => assert_eq!(response.status(), 413),
            Err(error) => assert!(!error.is_timeout(), "{error}"),
        }
        let reserved = reserved_bytes(&mut owner).await;
        assert!(reserved <= STRANGERS_BYTES_MAX, "{reserved}");
    }
    running.shutdown().await;
}

async fn reserved_bytes(owner: &mut Client) -> u64 {
    let metrics = owner.get("/metrics").await.expect(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tidegate_request_bodies_bytes "));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}
