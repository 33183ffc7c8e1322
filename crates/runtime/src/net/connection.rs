//! One HTTP connection to the control plane, kept for as long as it lasts.

use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::gather::Gathered;
use super::tls::handshake_error;
use super::{
    Intervals, KeepAlive, Meter, NetError, Proxy, ProxyChoice, ServerAddress, Trust, dial, open_tunnel,
    resolve,
};

/// Slower than this no link is taken for alive: 16 kbit/s.
const SLOWEST_BYTES_PER_SECOND: u64 = 2_000;

/// How the control plane is reached.
pub(crate) struct Way<'a> {
    pub(crate) server: &'a ServerAddress,
    /// Absent for `http://`.
    pub(crate) trust: Option<&'a Trust>,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) intervals: Intervals,
    pub(crate) meter: &'a Meter,
}

/// A connection that stands. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: Sender,
    driver: Rc<Driver>,
    /// The certificate's dates do not fit the clock: only the time may be asked.
    pub(crate) is_time_only: bool,
    /// Its dates were judged by the machine's own clock.
    pub(crate) is_judged_by_clock: bool,
}

/// How requests are handed over.
#[derive(Clone)]
enum Sender {
    /// HTTP/1.1: one at a time, and a dropped one ends the connection.
    One(Rc<tokio::sync::Mutex<http1::SendRequest<Full<Bytes>>>>),
    /// HTTP/2: a dropped request costs a frame.
    Two(http2::SendRequest<Full<Bytes>>),
}

/// The task that moves the bytes; ended with this value, so that nothing half-open stays behind.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A request to send.
pub(crate) struct PostRequest {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// How long its answer may be held.
    pub(crate) hold: Duration,
    /// Largest answer in bytes, as it travels.
    pub(crate) answer_bytes_max: usize,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `None`: more than was allowed.
    pub(crate) body: Option<Vec<u8>>,
}

impl Connection {
    /// Connects: directly or through a proxy, with TLS where the address says so.
    ///
    /// # Errors
    ///
    /// Whatever stood in the way.
    pub(crate) async fn open(way: &Way<'_>) -> Result<Self, NetError> {
        let stream = match ProxyChoice::from_environment(way.server)? {
            ProxyChoice::Direct => {
                let addresses = resolve(&way.server.host, way.server.port, way.intervals).await?;
                way.meter.count(dial(&way.server.host, &addresses, way.keep_alive, way.intervals).await?)
            }
            ProxyChoice::Through(proxy) => Self::through(&proxy, way).await?,
        };
        let limit = way.intervals.handshake();
        match timeout(limit, Self::greet(stream, way)).await {
            Ok(connection) => connection,
            Err(_) => Err(NetError::NoAnswer { seconds: limit.as_secs() }),
        }
    }

    async fn through(
        proxy: &Proxy,
        way: &Way<'_>,
    ) -> Result<super::meter::Metered<tokio::net::TcpStream>, NetError> {
        let unreachable = |cause| NetError::ProxyUnreachable {
            proxy: proxy.name(),
            setting: proxy.setting.clone(),
            cause: Box::new(cause),
        };
        let addresses = resolve(&proxy.host, proxy.port, way.intervals).await.map_err(unreachable)?;
        let stream =
            dial(&proxy.host, &addresses, way.keep_alive, way.intervals).await.map_err(unreachable)?;
        let mut stream = way.meter.count(stream);
        let limit = way.intervals.tunnel();
        match timeout(limit, open_tunnel(&mut stream, proxy, &way.server.authority())).await {
            Ok(opened) => opened.map(|()| stream),
            Err(_) => Err(unreachable(NetError::NoAnswer { seconds: limit.as_secs() })),
        }
    }

    async fn greet<S>(stream: S, way: &Way<'_>) -> Result<Self, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(trust) = way.trust else { return Self::one(stream).await };
        let host = &way.server.host;
        let name = ServerName::try_from(host.clone())
            .map_err(|error| NetError::Tls { host: host.clone(), problem: error.to_string() })?;
        let judgement = trust.judge();
        let connector = TlsConnector::from(judgement.config.clone());
        let stream = connector.connect(name, stream).await.map_err(|error| handshake_error(host, &error))?;
        let is_time_only = judgement.is_time_only();
        let connection = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Self::two(stream).await
        } else {
            Self::one(stream).await
        };
        let is_judged_by_clock = judgement.is_by_clock();
        connection.map(|connection| Self { is_time_only, is_judged_by_clock, ..connection })
    }

    async fn one<S>(stream: S) -> Result<Self, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) =
            http1::handshake(TokioIo::new(Gathered::new(stream))).await.map_err(|error| cut(&error))?;
        let driver = Rc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Self::new(Sender::One(Rc::new(tokio::sync::Mutex::new(sender))), driver))
    }

    async fn two<S>(stream: S) -> Result<Self, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let greeting = http2::handshake(TokioExecutor::new(), TokioIo::new(Gathered::new(stream)));
        let (sender, driver) = greeting.await.map_err(|error| cut(&error))?;
        let driver = Rc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Self::new(Sender::Two(sender), driver))
    }

    fn new(sender: Sender, driver: Rc<Driver>) -> Self {
        Self { sender, driver, is_time_only: false, is_judged_by_clock: false }
    }

    /// Whether another request may be tried on it.
    pub(crate) fn is_usable(&self) -> bool {
        let is_open = match &self.sender {
            // Locked: a request that was given up is still under way, and its answer would come first.
            Sender::One(sender) => sender.try_lock().is_ok_and(|sender| sender.is_ready()),
            Sender::Two(sender) => !sender.is_closed(),
        };
        is_open && !self.driver.0.is_finished()
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    ///
    /// [`NetError::Cut`] or [`NetError::NoAnswer`]: the connection is not to be used again.
    pub(crate) async fn post(self, request: PostRequest, intervals: Intervals) -> Result<Answer, NetError> {
        let PostRequest { uri, headers, body, hold, answer_bytes_max } = request;
        let travel = Duration::from_secs(body.len() as u64 / SLOWEST_BYTES_PER_SECOND);
        let limit = hold + intervals.answer() + travel;
        let mut request = Request::post(uri)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| NetError::Cut(format!("the request could not be made: {error}")))?;
        request.headers_mut().extend(headers);
        let too_late = |limit: Duration| NetError::NoAnswer { seconds: limit.as_secs() };
        match self.sender {
            Sender::One(sender) => {
                let mut sender = sender.lock().await;
                let (mut parts, body) = request.into_parts();
                origin_form(&mut parts)?;
                let sent = sender.send_request(Request::from_parts(parts, body));
                let response = timeout(limit, sent).await.map_err(|_| too_late(limit))?;
                read(response.map_err(|error| cut(&error))?, answer_bytes_max, intervals).await
            }
            Sender::Two(mut sender) => {
                let sent = async {
                    sender.ready().await?;
                    sender.send_request(request).await
                };
                let response = timeout(limit, sent).await.map_err(|_| too_late(limit))?;
                read(response.map_err(|error| cut(&error))?, answer_bytes_max, intervals).await
            }
        }
    }
}

/// HTTP/1.1 names the host in a header and the path alone in its first line (RFC 9112, section 3.2.1).
fn origin_form(parts: &mut hyper::http::request::Parts) -> Result<(), NetError> {
    let strange = |_| NetError::Cut("the address cannot be written".to_owned());
    let authority = parts.uri.authority().map(ToString::to_string).unwrap_or_default();
    parts.headers.insert(hyper::header::HOST, authority.parse().map_err(strange)?);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| NetError::Cut("the address cannot be written".to_owned()))?;
    Ok(())
}

async fn read(
    response: Response<Incoming>,
    bytes_max: usize,
    intervals: Intervals,
) -> Result<Answer, NetError> {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let started = Instant::now();
    loop {
        // Of the whole and not of each piece: else one byte now and then would keep results waiting for ever.
        let travel = Duration::from_secs(bytes.len() as u64 / SLOWEST_BYTES_PER_SECOND);
        let limit = intervals.answer() + travel;
        let frame = timeout(limit.saturating_sub(started.elapsed()), body.frame()).await;
        match frame.map_err(|_| NetError::NoAnswer { seconds: limit.as_secs() })? {
            None => return Ok(Answer { status: parts.status, headers: parts.headers, body: Some(bytes) }),
            Some(Err(error)) => return Err(cut(&error)),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > bytes_max {
                    return Ok(Answer { status: parts.status, headers: parts.headers, body: None });
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}

/// What hyper says, with its cause: `connection error: Connection reset by peer (os error 104)`.
fn cut(error: &hyper::Error) -> NetError {
    use std::error::Error as _;
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = inner.source();
    }
    NetError::Cut(words)
}
