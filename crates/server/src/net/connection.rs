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
use tidegate_web::{BodyRoom, ClientAddress, Room};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use super::ARRIVED;
use super::activity::Activity;
use super::body::{SteadyBody, TrackedBody};
use super::budget::{Budget, Share};
use super::gate::Pass;
use super::patience::PatientStream;
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
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) budget: Arc<Budget>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// Serves one connection until it ends.
pub(super) async fn serve(stream: TcpStream, pass: Pass, serving: Serving) {
    let socket = SockRef::from(&stream);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&KEEPALIVE));
    if let Err(error) = set {
        // The peer is gone already, as a rule.
        tracing::debug!(%error, "a connection could not be set up");
        return;
    }
    bound_retry_pause(&stream);
    let Some(tls) = serving.tls.clone() else { return http(stream, pass.address, serving).await };
    match timeout(HANDSHAKE_TIME_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, pass.address, serving).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn http<I>(io: I, address: IpAddr, serving: Serving)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Serving { router, budget, mut stopping, .. } = serving;
    let activity = Activity::new();
    let io = TokioIo::new(PatientStream::new(io, Arc::clone(&activity)));
    let answering = Arc::clone(&activity);
    let service = service_fn(move |request| {
        answer(request, budget.open(address), address, router.clone(), Arc::clone(&answering))
    });
    let builder = builder();
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

fn builder() -> auto::Builder<TokioExecutor> {
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
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

async fn answer(
    request: Request<Incoming>,
    share: Arc<Share>,
    address: IpAddr,
    mut router: Router,
    activity: Arc<Activity>,
) -> Result<Response<TrackedBody>, Infallible> {
    let answering = activity.begin();
    let mut request = request.map(|body| SteadyBody::new(body, Arc::clone(&share)));
    request.extensions_mut().insert(ClientAddress(address));
    request.extensions_mut().insert(BodyRoom(Arc::clone(&share) as Arc<dyn Room>));
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
