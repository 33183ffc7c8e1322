//! The client against a control plane of a few lines that answers what each test says.

use std::sync::{Arc, Mutex};

use tidegate_core::api::ClientView;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connection::parse_base;
use crate::exit::Exit;

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_repeated_with_the_same_key() {
    let server = Server::start(vec![Script::Hang, Script::Answer(201, r#"{"id":"x"}"#)]).await;
    let answer = server.api().post(&["clients"], &serde_json::json!({"name": "Acme"})).await.unwrap();
    assert_eq!(answer.text, r#"{"id":"x"}"#);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    let key = header(&seen[0], "idempotency-key").unwrap();
    assert_eq!(key.len(), 36);
    assert_eq!(header(&seen[1], "idempotency-key"), Some(key));
    assert_eq!(header(&seen[1], "authorization").as_deref(), Some("Bearer tgt_test"));
    assert!(seen[1].starts_with("POST /api/v1/clients HTTP/1.1"));
}

#[tokio::test]
async fn an_edit_whose_answer_is_lost_is_not_repeated() {
    let server = Server::start(vec![Script::Hang, Script::Answer(200, "{}")]).await;
    let failure = server.api().patch(&["endpoints", "e"], 7, &serde_json::json!({})).await.unwrap_err();
    assert_eq!(failure.exit, Exit::NotReachable);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(header(&server.seen()[0], "if-match").as_deref(), Some("\"7\""));
}

#[tokio::test]
async fn not_now_is_asked_again_and_a_refusal_is_final() {
    let refusal = r#"{"detail":"there is no client `x`","code":"not_found","title":"Not found"}"#;
    let server = Server::start(vec![Script::Answer(503, "{}"), Script::Answer(404, refusal)]).await;
    let failure = server.api().get(&["clients", "a/b c"], &[]).await.unwrap_err();
    assert_eq!((failure.exit, failure.what.as_str()), (Exit::Refused, "there is no client `x`"));
    assert!(server.seen()[1].starts_with("GET /api/v1/clients/a%2Fb%20c HTTP/1.1"), "{:?}", server.seen());
}

#[tokio::test]
async fn a_listing_of_several_pages_is_one_document_with_its_items_unchanged() {
    let first = r#"{"items":[{"id": "0000000000000001","name":"A","created_at":"2026-11-23T14:03:00.000Z","extra":1.50}],"next":"c1"}"#;
    let second = r#"{"items":[{"id":"0000000000000002","name":"B","created_at":"2026-11-23T14:03:00.000Z"}],"next":null}"#;
    let server = Server::start(vec![Script::Answer(200, first), Script::Answer(200, second)]).await;
    let listing = server.api().list(&["clients"], &[("q", "a&b")], 1_000).await.unwrap();
    assert!(listing.to_json().starts_with(r#"{"items":[{"id": "0000000000000001","name":"A","#));
    assert!(listing.to_json().contains("1.50") && listing.to_json().ends_with(r#"],"next":null}"#));
    assert_eq!(listing.parse::<ClientView>().unwrap().len(), 2);
    assert!(server.seen()[0].starts_with("GET /api/v1/clients?q=a%26b&limit=500 "));
    assert!(server.seen()[1].contains("cursor=c1"));
}

#[tokio::test]
async fn a_control_plane_that_is_not_there_is_not_reachable() {
    // Bound and never listening: connections are refused, and nobody else can take the port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let failure = api(&url).post_with(&["x"], &(), Retry::WhileUnsent).await.unwrap_err();
    assert_eq!(failure.exit, Exit::NotReachable);
    assert!(failure.why.iter().any(|why| why.contains("refused")), "{failure:?}");
}

enum Script {
    /// Reads the request and ends the connection.
    Hang,
    Answer(u16, &'static str),
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            for step in script {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                log.lock().unwrap().push(request);
                if let Script::Answer(status, body) = step {
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
        });
        Self { url, seen }
    }

    fn api(&self) -> Api {
        api(&self.url)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn api(url: &str) -> Api {
    crate::install_crypto();
    let base = parse_base(url).unwrap();
    let api = Api::new(Target { base, token: Some("tgt_test".into()), ca: None }).unwrap();
    Api { delay_first: Duration::from_millis(1), ..api }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            if body.len() >= length || count == 0 {
                return text;
            }
        }
        assert_ne!(count, 0, "the request is cut off");
    }
}

fn header(request: &str, name: &str) -> Option<String> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}
