//! Bodies of requests that must keep coming, and bodies of answers that say when they end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Answering;

/// How often a body is looked at.
const WINDOW: Duration = Duration::from_secs(30);

/// What must have come in between: 34 bytes a second, below any line that carries TLS. A body that is slower is
/// given up, so that it cannot hold a connection for ever.
const WINDOW_BYTES_MIN: u64 = 1024;

/// A request's body that is given up when it stops coming.
pub(super) struct SteadyBody {
    body: Incoming,
    received_bytes: u64,
    window: Option<(u64, Pin<Box<Sleep>>)>,
}

/// A body that came too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body stopped coming")]
struct Stalled;

impl SteadyBody {
    /// Wraps a body that begins to come.
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, received_bytes: 0, window: None }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let received = self.received_bytes;
            let (before, sleep) =
                self.window.get_or_insert_with(|| (received, Box::pin(sleep_until(Instant::now() + WINDOW))));
            ready!(sleep.as_mut().poll(cx));
            if received - *before < WINDOW_BYTES_MIN {
                return Poll::Ready(());
            }
            *before = received;
            sleep.as_mut().reset(Instant::now() + WINDOW);
        }
    }
}

impl HttpBody for SteadyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.received_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.poll_stalled(cx));
                Poll::Ready(Some(Err(Stalled.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body; the request is answered when it is dropped.
pub(super) struct TrackedBody {
    body: Body,
    _answering: Answering,
}

impl TrackedBody {
    /// Ties the end of `answering` to that of `body`.
    pub(super) fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
