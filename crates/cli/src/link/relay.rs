//! One connection through a link.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Closed, Counters, Path};

/// Bytes read at once: one piece of a large output.
const BUFFER_BYTES: usize = 16 * 1024;

/// Carries bytes between `stream` and `to` until both ends are done, one fails, or the link is cut.
pub(super) async fn relay(
    stream: TcpStream,
    to: String,
    closed: Closed,
    path: watch::Receiver<Path>,
    counters: Arc<Counters>,
) {
    let mut cut = path.clone();
    let is_cut = async {
        match closed {
            // An error means that the link itself ended.
            Closed::Cut => drop(cut.wait_for(|path| *path == Path::Closed).await),
            Closed::Silent => std::future::pending().await,
        }
    };
    tokio::pin!(is_cut);
    let connected = tokio::select! {
        connected = TcpStream::connect(&to) => connected,
        () = &mut is_cut => return reset(&stream),
    };
    let (mut near, mut far) = match connected {
        Ok(far) => (stream, far),
        Err(_) => return reset(&stream),
    };
    let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
    let finished = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let both = async {
            tokio::try_join!(
                pump(near_read, far_write, path.clone(), &counters.up_bytes),
                pump(far_read, near_write, path.clone(), &counters.down_bytes),
            )
        };
        tokio::select! {
            finished = both => finished.is_ok(),
            () = &mut is_cut => false,
        }
    };
    if !finished {
        reset(&near);
        reset(&far);
    }
}

/// Carries one direction. What was read while the link is closed waits until it opens: it was on the wire.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut path: watch::Receiver<Path>,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        path.wait_for(|path| *path == Path::Open)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
}

/// Makes the close that follows a reset: the other end learns at once and keeps nothing half-open.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
