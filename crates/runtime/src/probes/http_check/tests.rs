//! The check against servers of its own.

use super::*;
use std::net::SocketAddr;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const FINE: &str = "HTTP/1.1 200 OK\r\nserver: plc\r\nset-cookie: secret\r\ncontent-length: 6\r\n\r\nhello\n";

async fn asked(with: Value, roots: RootCertStore) -> Report {
    let with: Map<String, Value> = example(with);
    HttpCheck.spec().check(&with).unwrap();
    let arguments: Arguments = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
    let target = target(&arguments).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
    let policy = Policy::default();
    let checked = check(&arguments, &target, roots, &policy, Capture::new(1_024), Undecodable::Escape);
    checked.await.unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
}

async fn answer_with(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    let mut question = Vec::new();
    while !question.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => question.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A web server that answers everybody with these bytes.
async fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            answer_with(listener.accept().await.unwrap().0, answer).await;
        }
    });
    address
}

/// An authority, and what signs with it.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Plant CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name`, from `since` to `until` in days from today.
fn params(name: &str, since: i64, until: i64) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let day = |days: i64| {
        let at = crate::clock::wall().shifted_by_ms(days * 86_400_000).to_string();
        let number = |range: std::ops::Range<usize>| at[range].parse::<i32>().unwrap();
        rcgen::date_time_ymd(number(0..4), number(5..7) as u8, number(8..10) as u8)
    };
    (params.not_before, params.not_after) = (day(since), day(until));
    params
}

/// A TLS server with that certificate.
async fn tls_server(certificate: Vec<u8>, key: &KeyPair) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_with(stream, FINE).await;
            }
        }
    });
    address
}

/// What is said of a server with a certificate signed by an authority that is trusted.
async fn said_of(params: CertificateParams, more: &[(&str, Value)]) -> Report {
    let (authority, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params.signed_by(&key, &authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let address = tls_server(certificate.der().to_vec(), &key).await;
    let mut with = example(json!({ "url": format!("https://localhost:{}/", address.port()) }));
    with.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    asked(Value::Object(with), roots).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_trusted_server_is_fine_and_its_certificate_is_told() {
    let report = said_of(params("localhost", -1, 90), &[("contains", json!("hello"))]).await;
    assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
    assert!(report.result.summary.starts_with("200 OK in "), "{report:?}");
    let data = &report.result.data;
    let certificate = &data["certificate"];
    assert_eq!((&certificate["trusted"], &certificate["issuer"]), (&json!(true), &json!("CN=Plant CA")));
    assert_eq!(certificate["names"], json!(["localhost"]));
    assert!((88..=90).contains(&certificate["days_left"].as_i64().unwrap()), "{certificate}");
    assert_eq!(certificate["sha256"].as_str().unwrap().len(), 64);
    for phase in ["dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms"] {
        assert!(data[phase].is_number(), "{phase}");
    }
    assert_eq!(report.result.output.head, "hello\n");
}

#[tokio::test(flavor = "current_thread")]
async fn a_certificate_that_expires_soon_needs_attention() {
    let report = said_of(params("localhost", -80, 10), &[]).await;
    assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
    assert!(report.result.summary.contains("; the certificate expires in "), "{report:?}");
    assert_eq!(report.result.data["certificate"]["trusted"], true);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_wrong_with_a_certificate_is_told_and_nothing_is_asked() {
    for (params, words) in [
        (params("localhost", -90, -3), "it expired on "),
        (params("localhost", 3, 90), "it is not valid before "),
        (params("other.plant", -1, 90), "it is not for localhost but for other.plant"),
    ] {
        let report = said_of(params, &[]).await;
        assert_eq!((report.succeeded, report.result.finding), (true, Finding::Attention));
        let start = format!("not asked; the certificate is not trusted: {words}");
        assert!(report.result.summary.starts_with(&start), "{report:?}");
        assert_eq!(report.result.data["certificate"]["trusted"], false);
        assert!(!report.result.data.contains_key("status"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn everything_that_is_wrong_is_told_at_once() {
    let report = said_of(params("other.plant", -90, -3), &[]).await;
    let reasons = report.result.data["certificate"]["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(report.result.data["certificate"]["days_left"].as_i64().unwrap() < 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_self_signed_server_is_asked_only_when_told_to() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost", -1, 90).self_signed(&key).unwrap();
    let address = tls_server(certificate.der().to_vec(), &key).await;
    let url = format!("https://localhost:{}/", address.port());
    let mut roots = RootCertStore::empty();
    roots.add(authority().der().clone()).unwrap();
    let report = asked(json!({ "url": &url }), roots.clone()).await;
    assert!(report.result.summary.ends_with("is not trusted: it is self-signed"), "{report:?}");
    let report = asked(json!({ "url": &url, "insecure": true }), roots).await;
    assert!(report.result.summary.starts_with("200 OK in "), "{report:?}");
    assert_eq!((report.result.finding, &report.result.data["status"]), (Finding::Attention, &json!(200)));
    let report = asked(json!({ "url": &url }), RootCertStore::empty()).await;
    assert!(report.result.summary.contains("no certificates of authorities"), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_authority_is_named() {
    let (authority, key) = (authority(), KeyPair::generate().unwrap());
    let certificate = params("localhost", -1, 90).signed_by(&key, &authority).unwrap();
    let address = tls_server(certificate.der().to_vec(), &key).await;
    let mut roots = RootCertStore::empty();
    roots.add(self::authority().der().clone()).unwrap();
    let report = asked(json!({ "url": format!("https://localhost:{}", address.port()) }), roots).await;
    let reasons = report.result.data["certificate"]["reasons"].to_string();
    assert!(reasons.contains("Plant CA") || reasons.contains("signature"), "{reasons}");
    assert_eq!(report.result.finding, Finding::Attention);
}

#[tokio::test(flavor = "current_thread")]
async fn statuses_texts_and_redirects_are_judged() {
    let roots = RootCertStore::empty;
    let fine = server(FINE).await;
    let with = |more: Value| {
        let mut with = example(json!({ "url": format!("http://{fine}/a?b") }));
        with.extend(example(more));
        Value::Object(with)
    };
    let report = asked(with(json!({ "method": "HEAD" })), roots()).await;
    assert_eq!((report.result.finding, &report.result.data["body_bytes"]), (Finding::Ok, &json!(0)));
    assert_eq!(report.result.data["headers"], json!({ "server": "plc", "content-length": "6" }));
    let report = asked(with(json!({ "expect_status": 204, "contains": "bye" })), roots()).await;
    assert!(report.result.summary.ends_with(" ms; expected 204; without \"bye\""), "{report:?}");
    assert_eq!(report.result.finding, Finding::Attention);
    let moved = server("HTTP/1.1 301 x\r\nlocation: https://a.example/\r\ncontent-length: 0\r\n\r\n").await;
    let report = asked(json!({ "url": format!("http://{moved}") }), roots()).await;
    assert!(report.result.summary.starts_with("301 Moved Permanently to https://a.example/ in "));
    assert_eq!(report.result.finding, Finding::Ok);
    let broken = server("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").await;
    let report = asked(json!({ "url": format!("http://{broken}") }), roots()).await;
    assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
    let report = asked(json!({ "url": format!("http://{broken}"), "expect_status": 503 }), roots()).await;
    assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_redirect_is_told_without_its_secrets() {
    let moved = "HTTP/1.1 302 x\r\nlocation: http://user:hunter2@plc7/in?token=hunter2#hunter2\r\n\
                 via: http://user:hunter2@proxy/\r\ncontent-length: 0\r\n\r\n";
    let url = format!("http://{}/a?key=hunter2", server(moved).await);
    let report = asked(json!({ "url": url }), RootCertStore::empty()).await;
    assert!(
        report.result.summary.starts_with("302 Found to http://•••@plc7/in?token=•••#••• in "),
        "{report:?}"
    );
    assert!(!serde_json::to_string(&report.result).unwrap().contains("hunter2"), "{report:?}");
    let long = format!("http://user:{}@plc7/", "hunter2".repeat(100));
    let long: &'static str =
        format!("HTTP/1.1 302 x\r\nlocation: {long}\r\ncontent-length: 0\r\n\r\n").leak();
    let report =
        asked(json!({ "url": format!("http://{}", server(long).await) }), RootCertStore::empty()).await;
    assert!(!serde_json::to_string(&report.result).unwrap().contains("hunter2"), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn of_a_body_only_the_lines_with_the_text_come_back() {
    let long = format!("{}mark{}", "x".repeat(1_000), "y".repeat(1_000));
    let many = "mark here\n".repeat(50);
    let body = format!("hidden\nmark http://a:pw@b/?k=v\n{long}\nhidden too\n{many}");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let url = format!("http://{}", server(answer.leak()).await);
    let report = asked(json!({ "url": url.clone(), "contains": "mark" }), RootCertStore::empty()).await;
    let text = &report.result.output.head;
    assert!(text.starts_with("mark http://•••@b/?k=•••\nxxx"), "{text}");
    assert!(!text.contains("hidden") && text.contains("xmarky"), "{text}");
    assert_eq!((text.lines().count(), text.lines().nth(1).unwrap().len()), (LINES_MAX, LINE_BYTES_MAX));
    let report = asked(json!({ "url": url }), RootCertStore::empty()).await;
    assert_eq!((report.result.output.bytes, &report.result.data["body_bytes"]), (0, &json!(body.len())));
}

async fn refusal(with: Value, policy: &Policy) -> Option<String> {
    let arguments: Arguments = arguments(example(with)).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
    let target = target(&arguments).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
    let (roots, capture) = (RootCertStore::empty(), Capture::new(1_024));
    let checked = check(&arguments, &target, roots, policy, capture, Undecodable::Escape).await;
    checked.err().map(|Refusal(reason)| reason)
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_does_not_come_back_line_by_line() {
    let key = "HTTP/1.1 200 OK\r\ncontent-length: 34\r\n\r\n-----BEGIN PRIVATE KEY-----\nMC4CAQ";
    let url = format!("http://{}", server(key).await);
    let words = refusal(json!({ "url": url, "contains": "MC" }), &Policy::default()).await.unwrap();
    assert!(words.contains("a private key"), "{words}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_that_the_policy_does_not_allow_is_never_asked() {
    let fine = server(FINE).await;
    let only = |net: &str| Policy { net: Some(vec![net.to_owned()]), ..Policy::default() };
    let url = json!({ "url": format!("http://localhost:{}/", fine.port()) });
    for net in ["127.0.0.0/8".to_owned(), "localhost".to_owned(), fine.to_string()] {
        assert_eq!(refusal(url.clone(), &only(&net)).await, None, "{net}");
    }
    for net in ["10.0.0.0/8", "127.0.0.1:1", "other.example"] {
        let words = refusal(url.clone(), &only(net)).await.unwrap();
        assert!(words.contains("--allow-net") && words.contains(net), "{words}");
    }
    for host in ["169.254.169.254", "0xA9FEA9FE", "2852039166", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"]
    {
        let words = refusal(json!({ "url": format!("http://{host}/") }), &Policy::default()).await;
        assert!(words.unwrap().contains("metadata service"), "{host}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_body_without_end_is_read_to_its_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    });
    let report = asked(json!({ "url": format!("http://{address}") }), RootCertStore::empty()).await;
    let data = &report.result.data;
    assert_eq!(
        (&data["body_bytes"], &data["body_is_whole"]),
        (&json!(exchange::BODY_BYTES_MAX), &json!(false))
    );
    assert_eq!(report.result.output.bytes, 0, "nothing of a body comes back unasked");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_web_server_is_told_apart() {
    let roots = RootCertStore::empty;
    let garbage = server("\0\u{1}nonsense").await;
    let report = asked(json!({ "url": format!("http://{garbage}") }), roots()).await;
    assert!(report.result.summary.starts_with(&format!("no HTTP answer from {garbage}: ")), "{report:?}");
    let report = asked(json!({ "url": format!("https://{garbage}"), "timeout_ms": 300 }), roots()).await;
    assert!(report.result.summary.contains("TLS"), "{report:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let report = asked(json!({ "url": format!("http://{address}"), "timeout_ms": 200 }), roots()).await;
    let words = format!("connected to {address}, but no answer within 200 ms");
    assert_eq!((report.result.summary, report.result.finding), (words, Finding::Attention));
    drop(silent);
    let report = asked(json!({ "url": format!("http://{address}") }), roots()).await;
    assert_eq!(report.result.summary, format!("{address} refused the connection"));
}

#[test]
fn addresses_that_cannot_be_asked_are_refused() {
    let refused = |url: &str| {
        let with = example(json!({ "url": url }));
        let Err(Refusal(reason)) = target(&arguments(with).unwrap_or_else(|_| panic!())) else {
            panic!("{url}")
        };
        reason
    };
    for url in ["ftp://a", "plc7", "http://", "/path", "http://bücher.example"] {
        assert!(refused(url).contains("is not an address to ask"), "{url}");
    }
    assert!(!refused("http://me:secret@plc7/").contains("secret"));
    let with = example(json!({ "url": "https://[::1]:8443/x" }));
    let target = target(&arguments(with).unwrap_or_else(|_| panic!())).unwrap_or_else(|_| panic!());
    assert_eq!((target.host.as_str(), target.port, target.is_tls), ("::1", 8443, true));
}
