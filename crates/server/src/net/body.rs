//! Bodies of requests that must keep coming, and bodies of answers that say when they end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Answering;
use super::budget::Share;

/// How often a body is looked at: longer than a line needs to repeat what was lost a few times.
const WINDOW: Duration = Duration::from_secs(15);

/// What must have come in between: 273 bytes a second, half of what the slowest modem carries. A body that is slower is
/// given up, so that it cannot hold a connection and its memory for ever.
const WINDOW_BYTES_MIN: u64 = 4 * 1024;

/// How long all of a body may take whose sender has proved nothing. These are small: the largest, a request to enrol,
/// compresses to some 10 KB, and needs three seconds at 32 kbit/s.
const UNPROVED_TIME_MAX: Duration = Duration::from_secs(30);

/// A request's body that is given up when it stops coming.
pub(super) struct SteadyBody<B = Incoming> {
    body: B,
    received_bytes: u64,
    window: Option<(u64, Pin<Box<Sleep>>)>,
    share: Arc<Share>,
    began: Instant,
    proof: Option<Pin<Box<Sleep>>>,
}

/// A body that came too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body stopped coming")]
struct Stalled;

impl<B> SteadyBody<B> {
    /// Wraps a body that begins to come.
    pub(super) fn new(body: B, share: Arc<Share>) -> Self {
        Self { body, received_bytes: 0, window: None, share, began: Instant::now(), proof: None }
    }

    /// Ready when the sender has had its time and proved nothing.
    fn poll_unproved(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.share.is_proved() {
            return Poll::Pending;
        }
        let until = self.began + UNPROVED_TIME_MAX;
        self.proof.get_or_insert_with(|| Box::pin(sleep_until(until))).as_mut().poll(cx)
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

impl<B> HttpBody for SteadyBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
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
                if self.poll_unproved(cx).is_pending() {
                    ready!(self.poll_stalled(cx));
                }
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::stream;
    use http_body_util::BodyExt as _;
    use tidegate_web::Room as _;

    use super::super::budget::Budget;
    use super::*;

    /// How long a body lasts that brings `bytes` every second for ten minutes, and whether it came whole.
    async fn lasts(is_proved: bool, bytes: usize) -> (u64, bool) {
        let share = Arc::new(Budget::default()).open(IpAddr::from([192, 0, 2, 1]));
        if is_proved {
            share.prove();
        }
        let pieces = stream::unfold(0, move |count| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (count < 600).then(|| (Ok::<_, BoxError>(vec![0; bytes]), count + 1))
        });
        let mut body = SteadyBody::new(Body::from_stream(Box::pin(pieces)), share);
        let began = Instant::now();
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                ended => return (began.elapsed().as_secs(), ended.is_none()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let (seconds, is_whole) = lasts(true, 30).await;
        assert!(!is_whole && (15..=16).contains(&seconds), "{seconds}");
        let (seconds, is_whole) = lasts(false, 30).await;
        assert!(!is_whole && (15..=16).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_has_time_once_its_sender_proved_who_it_is() {
        assert_eq!(lasts(true, 300).await, (601, true), "2,400 bit/s");
        let (seconds, is_whole) = lasts(false, 300).await;
        assert!(!is_whole && (30..=31).contains(&seconds), "{seconds}");
    }
}
