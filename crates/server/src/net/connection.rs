//! One connection, from the accepted socket to its end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use hyper::body::Incoming;
use hyper::header::{DATE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{SockRef, TcpKeepalive};
use tidegate_web::{BodyRoom, ClientAddress, ListenerAddress, Room};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tower::Service as _;

use super::ARRIVED;
use super::activity::Activity;
use super::body::{SteadyBody, TrackedBody};
use super::budget::Budget;
use super::forwarded::Proxies;
use super::gate::Pass;
use super::patience::PatientStream;
use super::proxy_protocol;
use super::tls::Tls;
use crate::stop::stopped;
use crate::system::bound_retry_pause;

/// A handshake is two round trips; ten seconds are enough for the worst line.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Without a request for this long a connection is ended: twice the longest hold, so never between the check-ins
/// of a living endpoint.
const IDLE_TIME_MAX: Duration = Duration::from_secs(600);

/// A connection that was asked to end and does not is dropped.
const END_TIME_MAX: Duration = Duration::from_secs(10);

/// Requests at once on one HTTP/2 connection: a browser's page, or a runtime, which needs two.
const STREAMS_MAX: u32 = 32;

/// The same from a trusted proxy, which sends the requests of many on one.
const PROXY_STREAMS_MAX: u32 = 256;

/// Bytes of one request that are buffered before anything reads them.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The same for all requests of a connection. On a path of 600 ms a full batch of results still moves at 400 KB/s.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of an answer that are buffered for a client that does not read.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Largest head of a request, in bytes: paths, a token and what proxies add.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Clients that are gone without a word are found in the end. An endpoint speaks more often than this and watches its
/// path itself (design, section 7), so that no probe from here is on the bill of its line.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(tidegate_web::HOLD_MAX)
    .with_interval(Duration::from_secs(10))
    .with_retries(2);

/// What every connection of a listener is served with.
#[derive(Clone)]
pub(crate) struct Serving {
    /// The routes.
    pub(crate) router: Router,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Memory for bodies, shared with the other listener.
    pub(crate) budget: Arc<Budget>,
    /// The proxies that are believed.
    pub(crate) proxies: Arc<Proxies>,
    /// Whether these begin each connection with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// When to end.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The two ends of a connection.
#[derive(Clone, Copy)]
struct Ends {
    peer: IpAddr,
    /// The address of this machine.
    own: IpAddr,
}

/// Serves one connection until it ends.
pub(super) async fn serve(mut stream: TcpStream, mut peer: IpAddr, mut pass: Pass, serving: Serving) {
    let Ok(own) = prepare(&stream) else { return };
    if serving.proxy_protocol && serving.proxies.trust(peer) {
        match timeout(HANDSHAKE_TIME_MAX, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(source)) => peer = source.map_or(peer, |source| source.to_canonical()),
            Ok(Err(error)) => {
                return tracing::warn!(%error, %peer, "a proxy did not say whose connection it is");
            }
            Err(_) => return tracing::debug!("a PROXY header took too long"),
        }
        if !serving.proxies.trust(peer) && !pass.count(peer) {
            return tracing::warn!(address = %peer, "too many connections from one address");
        }
    }
    let ends = Ends { peer, own };
    let Some(tls) = serving.tls.as_ref().map(|tls| tls.acceptor()) else {
        return http(stream, ends, serving).await;
    };
    match timeout(HANDSHAKE_TIME_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, ends, serving).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    drop(pass);
}

/// Sets the socket up; the address at which the connection arrived.
fn prepare(stream: &TcpStream) -> std::io::Result<IpAddr> {
    let socket = SockRef::from(stream);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&KEEPALIVE));
    let prepared = set.and_then(|()| stream.local_addr());
    // The peer is gone already, as a rule.
    let own = prepared.inspect_err(|error| tracing::debug!(%error, "a connection could not be set up"))?;
    bound_retry_pause(stream);
    Ok(own.ip().to_canonical())
}

async fn http<I>(io: I, ends: Ends, serving: Serving)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stopping = serving.stopping.clone();
    let streams_max = if serving.proxies.trust(ends.peer) { PROXY_STREAMS_MAX } else { STREAMS_MAX };
    let activity = Activity::new();
    let io = TokioIo::new(PatientStream::new(io, Arc::clone(&activity)));
    let (answering, serving) = (Arc::clone(&activity), Arc::new(serving));
    let service =
        service_fn(move |request| answer(request, ends, Arc::clone(&serving), Arc::clone(&answering)));
    let builder = builder(streams_max);
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = activity.idle_for(IDLE_TIME_MAX) => None,
        () = stopped(&mut stopping) => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(END_TIME_MAX, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = &*error, "a connection ended badly"),
        Err(_) => tracing::debug!("a connection did not end and was dropped"),
    }
}

fn builder(streams_max: u32) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // hyper's own limit would run between requests too; `patience` has ours.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        // `answer` dates them.
        .auto_date_header(false)
        .max_concurrent_streams(streams_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

async fn answer(
    request: Request<Incoming>,
    ends: Ends,
    serving: Arc<Serving>,
    activity: Arc<Activity>,
) -> Result<Response<TrackedBody>, Infallible> {
    let answering = activity.begin();
    let mut router = serving.router.clone();
    let address = serving.proxies.client(ends.peer, request.headers());
    let share = serving.budget.open(address);
    let mut request = request.map(|body| SteadyBody::new(body, Arc::clone(&share)));
    let extensions = request.extensions_mut();
    extensions.insert(ClientAddress(address));
    extensions.insert(ListenerAddress(ends.own));
    extensions.insert(BodyRoom(Arc::clone(&share) as Arc<dyn Room>));
    let mut response = ARRIVED.scope(Instant::now(), router.call(request)).await?;
    // The handler has let go of the body by now, and of what it made of it.
    drop(share);
    // An idle endpoint hears 204 all day, and a date that differs each time is two fifths of it.
    if response.status() != StatusCode::NO_CONTENT {
        date(&mut response);
    }
    Ok(response.map(|body| TrackedBody::new(body, answering)))
}

/// Says when the answer was made (RFC 9110, section 6.6.1).
fn date<B>(response: &mut Response<B>) {
    let now = httpdate::fmt_http_date(SystemTime::now());
    if let Ok(now) = HeaderValue::from_str(&now) {
        response.headers_mut().entry(DATE).or_insert(now);
    }
}
