//! Certificates of every kind, presented by a real TLS server on loopback.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tidegate_core::obstacle::Obstacle;
use tidegate_core::time::Timestamp;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::connection::Way;
use crate::transport::{Transport, TransportError};

use super::{Connection, Intervals, KeepAlive, Meter, NetError, ServerAddress, TlsClock, Trust};

/// From the first year to the first day of the second.
type Years = (i32, i32);

/// Long past, now, and far ahead of any clock that is right.
const PAST: Years = (2001, 2003);
const PRESENT: Years = (2020, 2500);
const FUTURE: Years = (2500, 2502);

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (ca.not_before, ca.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2600, 1, 1));
    CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap()
}

/// Serves TLS with a certificate of `authority` for `name`; answers its port.
async fn server(authority: &CertifiedIssuer<'static, KeyPair>, name: &str, years: Years) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (leaf.not_before, leaf.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    let leaf = leaf.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(acceptor.accept(stream).await);
        }
    });
    port
}

async fn connect(port: u16, trust: &Trust) -> Result<Connection, NetError> {
    let address = ServerAddress::parse(&format!("https://localhost:{port}")).unwrap();
    let way = Way {
        server: &address,
        trust: Some(trust),
        keep_alive: KeepAlive::Silent,
        intervals: Intervals::default(),
        meter: &Meter::default(),
    };
    Connection::open(&way).await
}

fn trust(authority: &CertifiedIssuer<'static, KeyPair>) -> (Trust, Arc<TlsClock>) {
    let clock = Arc::<TlsClock>::default();
    (Trust::new(Some(&authority.pem()), clock.clone()).unwrap(), clock)
}

fn in_2026() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn before_the_time_is_known_wrong_dates_let_the_time_be_asked_and_afterwards_nothing() {
    let authority = authority();
    for (years, obstacle) in
        [(PAST, Obstacle::CertificateExpired), (FUTURE, Obstacle::CertificateNotYetValid)]
    {
        let port = server(&authority, "localhost", years).await;
        let (trust, clock) = trust(&authority);
        for _ in 0..2 {
            assert!(connect(port, &trust).await.unwrap().is_time_only);
        }
        // A session of before is not resumed: it was never verified.
        clock.confirm(in_2026());
        let error = connect(port, &trust).await.err().unwrap();
        assert_eq!(error.obstacle(), obstacle);
        assert!(
            error.to_string().contains(if years == PAST { "2003-01-01" } else { "2500-01-01" }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_certificate_whose_dates_fit_serves_everything() {
    let authority = authority();
    let port = server(&authority, "localhost", PRESENT).await;
    let (trust, clock) = trust(&authority);
    assert!(!connect(port, &trust).await.unwrap().is_time_only);
    clock.confirm(in_2026());
    assert!(!connect(port, &trust).await.unwrap().is_time_only);
}

#[tokio::test]
async fn once_known_the_signed_time_judges_and_not_the_machines_clock() {
    let authority = authority();
    let port = server(&authority, "localhost", FUTURE).await;
    let (trust, clock) = trust(&authority);
    clock.confirm("2501-06-01T00:00:00Z".parse().unwrap());
    assert!(!connect(port, &trust).await.unwrap().is_time_only);
}

#[tokio::test]
async fn wrong_dates_excuse_neither_another_name_nor_another_authority() {
    let authority = authority();
    for years in [PAST, PRESENT, FUTURE] {
        let (trust, _) = trust(&authority);
        let port = server(&authority, "elsewhere.example", years).await;
        let error = connect(port, &trust).await.err().unwrap();
        assert_eq!(error.obstacle(), Obstacle::CertificateName, "{years:?}: {error}");
        assert!(error.to_string().contains("`elsewhere.example`"), "{error}");
        let port = server(&self::authority(), "localhost", years).await;
        let error = connect(port, &trust).await.err().unwrap();
        assert_eq!(error.obstacle(), Obstacle::CertificateUntrusted, "{years:?}: {error}");
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let (trust, _) = trust(&authority());
    let error = connect(port, &trust).await.err().unwrap();
    assert_eq!(error.obstacle(), Obstacle::TlsFailed, "{error}");
}

#[tokio::test]
async fn a_connection_that_a_wrong_clock_judged_ends_with_the_signed_time() {
    let authority = authority();
    let port = server(&authority, "localhost", PRESENT).await;
    let address = format!("https://localhost:{port}");
    let transport =
        Transport::new(&address, Some(&authority.pem()), KeepAlive::Silent, Intervals::default()).unwrap();
    let connection = transport.connection().await.unwrap();
    while !connection.is_usable() {
        tokio::task::yield_now().await;
    }
    transport.confirm_time("2501-06-01T00:00:00Z".parse().unwrap());
    let error = transport.connection().await.err().unwrap();
    assert_eq!(error.obstacle(), Obstacle::CertificateExpired, "{error}");
}

#[tokio::test]
async fn an_answer_that_comes_by_single_bytes_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n").await.unwrap();
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    // An answer has 450 ms.
    let intervals = Intervals::divided_by(100);
    let transport =
        Transport::new(&format!("http://127.0.0.1:{port}"), None, KeepAlive::Silent, intervals).unwrap();
    let answer = transport.post::<u64>("/", Vec::new(), std::time::Duration::ZERO);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(30), answer).await;
    let error = answer.expect("it is given up").unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(NetError::NoAnswer { .. })), "{error:?}");
}
