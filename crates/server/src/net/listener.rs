//! A listening socket and the connections it accepted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::obstacle::{Obstacle, Obstructed};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use super::connection::Serving;
use super::connection::serve;
pub(crate) use super::gate::{CONNECTIONS_MAX, Gate};
use crate::stop::stopped;

/// How long a shutdown waits for answers that are under way. Held syncs are answered at once, so what is left is
/// bodies that are still coming.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// How long accepting rests when the system has no room for another connection.
const REST: Duration = Duration::from_millis(100);

/// Listens on `address`.
///
/// # Errors
///
/// When the address is taken, not this machine's, or not allowed, saying which.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let obstructed = unbindable(address, error.kind());
        anyhow::Error::new(error).context(obstructed)
    })
}

fn unbindable(address: SocketAddr, kind: io::ErrorKind) -> Obstructed {
    if kind == io::ErrorKind::AddrInUse {
        let what = format!("failed to listen on `{address}`: another program listens there already");
        let next = format!(
            "end the other program, or choose another address with --listen or --runtime-listen; who it is:\nss -ltnp \
             'sport = :{}'",
            address.port()
        );
        return Obstructed::new(Obstacle::PortInUse, what, next);
    }
    Obstructed::new(
        Obstacle::AddressUnusable,
        format!("failed to listen on `{address}`"),
        "choose an address of this machine (`ip address`), or 0.0.0.0 for all of them; below port 1024 it takes root, \
         or CAP_NET_BIND_SERVICE",
    )
}

/// One listener with what it serves.
pub(crate) struct Listener {
    /// The socket.
    pub(crate) socket: TcpListener,
    /// How its connections are served.
    pub(crate) serving: Serving,
    /// Shared with the other listener.
    pub(crate) gate: Arc<Gate>,
}

impl Listener {
    /// Serves until `stopping`, then until every answer under way is sent, for at most [`DRAIN_TIME_MAX`].
    pub(crate) async fn run(self) {
        let Self { socket, serving, gate } = self;
        let mut stopping = serving.stopping.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopped(&mut stopping) => break,
                Some(_) = connections.join_next() => {}
                (accepted, room) = accept(&socket, &gate) => match accepted {
                    Ok((stream, peer)) => {
                        let (peer, mut pass) = (peer.ip().to_canonical(), gate.enter(room));
                        // A trusted proxy has as many as it needs: whose they are it says on each.
                        if serving.proxies.trust(peer) || pass.count(peer) {
                            connections.spawn(serve(stream, peer, pass, serving.clone()));
                        } else {
                            tracing::warn!(address = %peer, "too many connections from one address");
                        }
                    }
                    Err(error) => rest(&error).await,
                },
            }
        }
        drop(socket);
        let drained =
            timeout(DRAIN_TIME_MAX, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "connections were cut at shutdown");
        }
        connections.shutdown().await;
    }
}

/// Accepts once there is room, so that those without wait in the kernel's queue.
async fn accept(
    socket: &TcpListener,
    gate: &Gate,
) -> (io::Result<(TcpStream, SocketAddr)>, OwnedSemaphorePermit) {
    let room = gate.room().await;
    (socket.accept().await, room)
}

async fn rest(error: &io::Error) {
    // These are about the one connection, which its client gave up before it was accepted.
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "accepting connections rests");
    sleep(REST).await;
}
