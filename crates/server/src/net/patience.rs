//! A connection's bytes, and how long they may take.
//!
//! hyper's own limit for the head of a request also runs between requests, and would end every connection that
//! checks in less often. So the limit is here: it runs only while a head is begun and not whole.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// From the first byte of a request, or from the connection's start, to the end of the request's head. A head is
/// a packet or two, also over the worst line.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a client may take no byte of an answer. TCP's keepalive does not end a client that lives and does not
/// read.
const STALL_TIME_MAX: Duration = Duration::from_secs(60);

/// A connection with deadlines.
pub(super) struct PatientStream<I> {
    io: I,
    activity: Arc<Activity>,
    /// Requests that had begun when bytes of the next one's head came; `None`: none came.
    head_after: Option<u64>,
    head: Deadline,
    stall: Deadline,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    /// Frames that belong to no request come at any time, so only the first head has a deadline.
    Http2,
}

impl<I> PatientStream<I> {
    /// Wraps a connection that was just made.
    pub(super) fn new(io: I, activity: Arc<Activity>) -> Self {
        Self {
            io,
            activity,
            head_after: Some(0),
            head: Deadline::default(),
            stall: Deadline::default(),
            protocol: Protocol::Unknown,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.protocol == Protocol::Unknown {
            // The preface of HTTP/2 (RFC 9113, section 3.4) is no method of HTTP/1.
            self.protocol = if bytes.starts_with(b"PRI") { Protocol::Http2 } else { Protocol::Http1 };
        }
        if self.protocol == Protocol::Http1 && !self.activity.is_answering() {
            self.head_after.get_or_insert(self.activity.begun());
        }
    }

    fn awaits_head(&mut self) -> bool {
        let begun = self.activity.begun();
        let awaits = !self.activity.is_answering() && self.head_after == Some(begun);
        if !awaits {
            self.head_after = None;
        }
        awaits
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for PatientStream<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(answer) = Pin::new(&mut self.io).poll_read(cx, buffer) {
            self.received(&buffer.filled()[before..]);
            return Poll::Ready(answer);
        }
        // Whatever came since was not the end of a head, or a request would have begun.
        if !self.awaits_head() {
            self.head.clear();
            return Poll::Pending;
        }
        ready!(self.head.poll_over(cx, HEAD_TIME_MAX));
        Poll::Ready(Err(too_slow("the head of a request did not arrive in time")))
    }
}

impl<I: AsyncWrite + Unpin> PatientStream<I> {
    fn poll_moving<T>(&mut self, cx: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.stall.clear();
            return moved;
        }
        ready!(self.stall.poll_over(cx, STALL_TIME_MAX));
        Poll::Ready(Err(too_slow("the client did not take its answer")))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for PatientStream<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.poll_moving(cx, moved)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.poll_moving(cx, moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.io).poll_flush(cx);
        self.poll_moving(cx, moved)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.io).poll_shutdown(cx);
        self.poll_moving(cx, moved)
    }
}

/// A time that is over some while after it was first asked for.
#[derive(Debug, Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    fn clear(&mut self) {
        self.0 = None;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>, span: Duration) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(sleep(span))).as_mut().poll(cx)
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test]
    async fn a_head_that_drips_is_ended() {
        tokio::time::pause();
        let (mut client, server) = duplex(1024);
        let mut server = PatientStream::new(server, Activity::new());
        let started = Instant::now();
        tokio::spawn(async move {
            while client.write_all(b"G").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let mut buffer = [0; 64];
        let ended = loop {
            if let Err(error) = server.read(&mut buffer).await {
                break error;
            }
        };
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_connection_between_requests_and_one_that_is_held_have_time() {
        tokio::time::pause();
        let (mut client, server) = duplex(1024);
        let activity = Activity::new();
        let mut server = PatientStream::new(server, Arc::clone(&activity));
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut buffer = [0; 64];
        server.read_exact(&mut buffer[..18]).await.unwrap();
        let answering = activity.begin();
        assert!(timeout(Duration::from_secs(300), server.read(&mut buffer)).await.is_err(), "held");
        drop(answering);
        assert!(timeout(Duration::from_secs(300), server.read(&mut buffer)).await.is_err(), "idle");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_ended() {
        tokio::time::pause();
        let (_client, server) = duplex(16);
        let mut server = PatientStream::new(server, Activity::new());
        let ended = server.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    }
}
