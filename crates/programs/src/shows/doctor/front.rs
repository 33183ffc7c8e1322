//! What stands where the control plane should be: TLS with a certificate of any kind, and servers that answer wrongly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A private CA.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The name it is for.
    pub(super) name: &'static str,
    /// The last year in which it holds.
    pub(super) until: i32,
}

impl Authority {
    /// A fresh one of that name.
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2090, 1, 1);
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// The CA's certificate, for `--ca`.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn config(&self, kind: Kind) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([kind.name.to_owned()])?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(kind.until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|problem| anyhow::anyhow!(problem))?;
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Arc::new(config))
    }
}

/// TLS in front of a port of loopback; it stops with this value.
pub(super) struct Front {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Listens with a certificate of that kind, and carries what comes to `port`.
    pub(super) fn start(
        tokio: &tokio::runtime::Runtime,
        authority: &Authority,
        kind: Kind,
        port: u16,
    ) -> anyhow::Result<Self> {
        let acceptor = tokio_rustls::TlsAcceptor::from(authority.config(kind)?);
        let listener = tokio.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let accepting = tokio.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens, by name.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A server that says one thing to everybody who has said something, for as long as the program runs.
pub(super) fn always(answer: &'static str) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr().context("a listener has an address")?;
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut heard = [0; 4096];
                let _ = client.read(&mut heard);
                let _ = client.write_all(answer.as_bytes());
            });
        }
    });
    Ok(address)
}
