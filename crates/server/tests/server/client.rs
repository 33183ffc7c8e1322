//! A small HTTP client: one connection, HTTP/1.1.

use std::net::SocketAddr;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
    token: Option<String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Client {
    /// Connects; `token` goes with every request.
    pub(crate) async fn connect(address: SocketAddr, token: Option<&str>) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), token).await
    }

    /// Speaks over a connection that is there.
    pub(crate) async fn over<I>(io: I, token: Option<&str>) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (connection, driver) = handshake(TokioIo::new(io)).await.unwrap();
        tokio::spawn(driver);
        Self { connection, token: token.map(str::to_owned) }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Response {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Response {
        self.try_send(method, path, body).await.unwrap()
    }

    pub(crate) async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response, hyper::Error> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.connection.ready().await?;
        let response = self.connection.send_request(request.body(Full::new(body)).unwrap()).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Response { status: parts.status, headers: parts.headers, bytes })
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
