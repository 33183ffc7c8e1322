//! TLS from files, with a private CA.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tidegate_server::{ServeOptions, Server, TlsFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Client;
use crate::plane::Home;

#[tokio::test]
async fn a_certificate_of_a_private_ca_serves_both_versions_of_http() {
    let home = Home::new();
    let (files, root) = certificate(&home);
    let running = Server::start(ServeOptions { tls: Some(files), ..home.options() }).await.unwrap();
    let address = running.addresses().people;
    let stream = connect(address, &root, &[b"http/1.1"]).await.unwrap();
    Client::over(stream, None).await.get("/healthz").await.expect(200);

    let stream = connect(address, &root, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut connection, driver) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(driver);
    let request = hyper::Request::get("https://localhost/healthz").body(axum::body::Body::empty()).unwrap();
    assert_eq!(connection.send_request(request).await.unwrap().status(), 200);

    let stranger = certificate(&Home::new()).1;
    assert!(connect(address, &stranger, &[b"http/1.1"]).await.is_err(), "another CA");
    running.shutdown().await;
}

#[tokio::test]
async fn a_renewed_certificate_serves_new_connections_and_those_that_are_open_go_on() {
    let home = Home::new();
    let (files, before) = certificate(&home);
    let running = Server::start(ServeOptions { tls: Some(files.clone()), ..home.options() }).await.unwrap();
    let address = running.addresses().people;
    let stream = connect(address, &before, &[b"http/1.1"]).await.unwrap();
    let mut open = Client::over(stream, None).await;
    open.get("/healthz").await.expect(200);

    // Another CA, so that a client tells the two apart. Half a pair is never used.
    let (_, after) = certificate(&home);
    let mut renewed = Err(std::io::Error::other("never tried"));
    for _ in 0..300 {
        renewed = connect(address, &after, &[b"http/1.1"]).await;
        if renewed.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Client::over(renewed.unwrap(), None).await.get("/healthz").await.expect(200);
    assert!(connect(address, &before, &[b"http/1.1"]).await.is_err(), "the certificate before");
    open.get("/healthz").await.expect(200);
    running.shutdown().await;
}

#[tokio::test]
async fn a_file_that_does_not_read_is_named() {
    let home = Home::new();
    let (files, _) = certificate(&home);
    let swapped = TlsFiles { cert: files.key.clone(), key: files.cert.clone() };
    let refused = Server::start(ServeOptions { tls: Some(swapped), ..home.options() }).await.err().unwrap();
    assert!(format!("{refused:#}").contains("key.pem"), "{refused:#}");
    let missing = TlsFiles { cert: home.beside("none.pem"), ..files };
    let refused = Server::start(ServeOptions { tls: Some(missing), ..home.options() }).await.err().unwrap();
    assert!(format!("{refused:#}").contains("none.pem"), "{refused:#}");
}

fn certificate(home: &Home) -> (TlsFiles, CertificateDer<'static>) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let files = TlsFiles { cert: home.beside("cert.pem"), key: home.beside("key.pem") };
    fs::write(&files.cert, leaf.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    (files, ca.der().clone())
}

async fn connect(
    address: std::net::SocketAddr,
    root: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}
