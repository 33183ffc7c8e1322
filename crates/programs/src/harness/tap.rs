//! Where the exchanges between machines and a control plane can be seen: a relay that alters nothing and notes each
//! request and answer as it passes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What a request of a machine begins with; bodies are JSON or compressed and hold no such thing.
const REQUEST: &[u8] = b"POST /runtime/v1/";
/// What an answer begins with.
const ANSWER: &[u8] = b"HTTP/1.1 ";

/// One request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// When the request passed.
    pub at: SystemTime,
    /// When the answer began to pass; `None`: it has not.
    pub answered_at: Option<SystemTime>,
}

/// A running tap; it ends with this value.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) address: SocketAddr,
    notes: Notes,
    task: AbortHandle,
}

type Notes = Arc<Mutex<Vec<Exchange>>>;

impl Tap {
    /// Starts one that leads to a port of loopback.
    pub(super) async fn start(to: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, notes) = (listener.local_addr()?, Notes::default());
        let task = tokio::spawn(listen(listener, to, Arc::clone(&notes))).abort_handle();
        Ok(Self { address, notes, task })
    }

    /// What has passed so far, in order.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, to: u16, notes: Notes) {
    let mut connections = tokio::task::JoinSet::new();
    let mut number = 0;
    while let Ok((near, _)) = listener.accept().await {
        let notes = Arc::clone(&notes);
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { return reset(&near) };
            let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            let request = |notes: &mut Vec<Exchange>| {
                notes.push(Exchange { connection: number, at: SystemTime::now(), answered_at: None });
            };
            let answer = |notes: &mut Vec<Exchange>| {
                let open = |exchange: &&mut Exchange| {
                    exchange.connection == number && exchange.answered_at.is_none()
                };
                if let Some(exchange) = notes.iter_mut().find(open) {
                    exchange.answered_at = Some(SystemTime::now());
                }
            };
            tokio::join!(
                carry(near_read, far_write, REQUEST, &notes, request),
                carry(far_read, near_write, ANSWER, &notes, answer),
            );
        });
        number += 1;
    }
}

/// Carries one direction and notes where `wanted` begins, also where it comes in two pieces.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wanted: &[u8],
    notes: &Notes,
    note: impl Fn(&mut Vec<Exchange>),
) {
    let mut buffer = vec![0; 16 * 1024];
    // The end of what passed, one byte shorter than what is wanted.
    let mut seen: Vec<u8> = Vec::new();
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return reset(to.as_ref()) };
        if read == 0 {
            let _ = to.shutdown().await;
            return;
        }
        seen.extend_from_slice(&buffer[..read]);
        for _ in seen.windows(wanted.len()).filter(|window| *window == wanted) {
            note(&mut notes.lock().unwrap_or_else(PoisonError::into_inner));
        }
        seen.drain(..seen.len().saturating_sub(wanted.len() - 1));
        if to.write_all(&buffer[..read]).await.is_err() {
            return reset(from.as_ref());
        }
    }
}

fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
