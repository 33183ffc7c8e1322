//! Proxies in front, names, and limits on those who guess.

use std::net::SocketAddr;

use tidegate_server::{ServeOptions, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::plane::Home;

#[tokio::test]
async fn behind_a_trusted_proxy_each_sender_has_limits_of_its_own() {
    let home = Home::new();
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let running = Server::start(ServeOptions { trusted_proxies, ..home.options() }).await.unwrap();
    let address = running.addresses().people;
    let guess = |sender: &'static str| post_link(address, sender, "tgp_wrong");
    for _ in 0..20 {
        assert_eq!(guess("x-forwarded-for: 198.51.100.1\r\n").await, 422);
    }
    assert_eq!(guess("x-forwarded-for: 198.51.100.1\r\n").await, 429);
    assert_eq!(
        guess("x-forwarded-for: 203.0.113.9, 198.51.100.1\r\n").await,
        429,
        "an invented hop does not help"
    );
    assert_eq!(guess("forwarded: for=198.51.100.1\r\n").await, 429);
    assert_eq!(guess("x-forwarded-for: 198.51.100.2\r\n").await, 422, "somebody else");
    assert_eq!(guess("").await, 422, "the proxy itself");
    running.shutdown().await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let home = Home::new();
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let running = Server::start(ServeOptions { trusted_proxies, ..home.options() }).await.unwrap();
    let address = running.addresses().people;
    let mut statuses = Vec::new();
    for number in 0..25 {
        let header = format!("x-forwarded-for: 198.51.100.{number}\r\n");
        statuses.push(post_link(address, &header, "tgp_wrong").await);
    }
    assert_eq!(statuses[..20], [422; 20]);
    assert_eq!(statuses[21..], [429; 4]);
    running.shutdown().await;
}

#[tokio::test]
async fn the_proxy_protocol_says_whose_connection_it_is() {
    let home = Home::new();
    let options = ServeOptions {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        proxy_protocol: true,
        ..home.options()
    };
    let running = Server::start(options).await.unwrap();
    let address = running.addresses().people;
    let guess = |header: &'static str| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(header.as_bytes()).await.unwrap();
        status(stream, &link_request("", "tgp_wrong")).await
    };
    for _ in 0..20 {
        assert_eq!(guess("PROXY TCP4 198.51.100.1 127.0.0.1 4711 443\r\n").await, Some(422));
    }
    assert_eq!(guess("PROXY TCP4 198.51.100.1 127.0.0.1 4711 443\r\n").await, Some(429));
    assert_eq!(guess("PROXY TCP4 198.51.100.2 127.0.0.1 4711 443\r\n").await, Some(422));
    assert_eq!(guess("PROXY UNKNOWN\r\n").await, Some(422));
    assert_eq!(guess("").await, None, "a trusted proxy that does not say is not served");
    running.shutdown().await;
}

#[tokio::test]
async fn good_sign_ins_are_not_counted_and_wrong_links_close_no_other_door() {
    let home = Home::new();
    let running = home.serve().await;
    let address = running.addresses().people;
    for _ in 0..30 {
        assert_eq!(post_link(address, "", &home.token).await, 303, "a good one");
    }
    while post_link(address, "", "tgp_wrong").await != 429 {}
    let body = "email=kim%40msp.example&password=not+this+one";
    assert_eq!(post_form(address, "/sign-in", "", body).await, 422, "passwords have a bucket of their own");
    for _ in 0..50 {
        let stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert_eq!(status(stream, request).await, Some(200), "to look at the form is no attempt");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_request_names_one_host_and_it_is_ours() {
    let home = Home::new();
    let running = home.serve().await;
    let address = running.addresses().people;
    let get = |path: &'static str, hosts: String| async move {
        let stream = TcpStream::connect(address).await.unwrap();
        status(stream, &format!("GET {path} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")).await
    };
    for path in ["/sign-in", "/api/openapi.json", "/metrics", "/readyz"] {
        assert_eq!(get(path, format!("host: {address}\r\n")).await, Some(200), "{path}");
        assert_eq!(get(path, "host: localhost:1\r\n".into()).await, Some(200), "{path}");
        assert_eq!(get(path, "host: evil.example\r\n".into()).await, Some(421), "{path}");
        assert_eq!(get(path, String::new()).await, Some(400), "{path}");
        assert_eq!(get(path, "host: localhost\r\nhost: localhost\r\n".into()).await, Some(400), "{path}");
    }
    assert_eq!(get("/healthz", "host: evil.example\r\n".into()).await, Some(200), "it says nothing");
    running.shutdown().await;

    let public_url = Some("https://desk.example".parse().unwrap());
    let running = Server::start(ServeOptions { public_url, ..home.options() }).await.unwrap();
    let address = running.addresses().people;
    let get = |path: &'static str, host: String| async move {
        let stream = TcpStream::connect(address).await.unwrap();
        status(stream, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
    };
    assert_eq!(get("/sign-in", "desk.example".into()).await, Some(200));
    assert_eq!(get("/sign-in", address.to_string()).await, Some(421));
    assert_eq!(get("/metrics", address.to_string()).await, Some(200), "the operator's tools look here");
    running.shutdown().await;
}

async fn post_link(address: SocketAddr, headers: &str, secret: &str) -> u16 {
    post_form(address, "/sign-in/link", headers, &format!("secret={secret}")).await
}

async fn post_form(address: SocketAddr, path: &str, headers: &str, body: &str) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    status(stream, &form_request(path, headers, body)).await.unwrap()
}

fn link_request(headers: &str, secret: &str) -> String {
    form_request("/sign-in/link", headers, &format!("secret={secret}"))
}

fn form_request(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\ncontent-type: \
         application/x-www-form-urlencoded\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The status of the answer; `None`: the connection ended without one.
async fn status(mut stream: TcpStream, request: &str) -> Option<u16> {
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}
