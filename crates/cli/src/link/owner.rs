//! The one task that owns a link's listener and connections.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use super::conditions::{Closed, Conditions, Told};
use super::relay::{Connection, Ending, Shared};
use super::{Path, State, socket};

/// Connections at once; who comes beyond that waits with the kernel.
const CONNECTIONS_MAX: usize = 1024;
/// Sockets kept for ends that believe they are connected; beyond that the oldest is reset.
const KEPT_MAX: usize = 1024;

/// What is asked of the owner; it answers when it is so.
#[derive(Debug)]
pub(super) enum Order {
    Open,
    Close,
    Set(Conditions),
    End(Told),
}

/// An order and where its outcome goes.
pub(super) type Ask = (Order, oneshot::Sender<io::Result<()>>);

/// Owns the listener and the connections.
pub(super) struct Owner {
    pub(super) address: SocketAddr,
    /// Bound and never listening, it keeps the port while the link is closed, so that connections are refused by
    /// the kernel and nobody else can take the port.
    pub(super) _placeholder: TcpSocket,
    pub(super) shared: Arc<Shared>,
    pub(super) state: watch::Sender<State>,
    pub(super) listener: Option<TcpListener>,
    pub(super) relays: JoinSet<Ending>,
    pub(super) connections: HashMap<Id, Arc<Connection>>,
    /// Ended without their other ends being told.
    pub(super) kept: VecDeque<TcpStream>,
}

impl Owner {
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Ask>) {
        loop {
            // Who connects while the link is closed is left to the kernel.
            let takes = self.state.borrow().path == Path::Open && self.connections.len() < CONNECTIONS_MAX;
            tokio::select! {
                ask = orders.recv() => match ask {
                    Some((order, done)) => { let _ = done.send(self.obey(order).await); }
                    None => return,
                },
                taken = accept(self.listener.as_ref()), if takes => if let Ok(stream) = taken {
                    self.relay(stream);
                },
                Some(ended) = self.relays.join_next_with_id() => match ended {
                    Ok((id, ending)) => self.ended(id, ending),
                    Err(error) => self.ended(error.id(), Ending::Cut(Told::Both)),
                },
            }
        }
    }

    async fn obey(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Open => self.open(),
            Order::Close => {
                self.state.send_modify(|state| state.path = Path::Closed);
                self.impose().await
            }
            Order::Set(conditions) => self.set(conditions).await,
            Order::End(told) => {
                self.end_connections(told).await;
                Ok(())
            }
        }
    }

    pub(super) fn open(&mut self) -> io::Result<()> {
        self.lift()?;
        self.state.send_modify(|state| state.path = Path::Open);
        Ok(())
    }

    async fn set(&mut self, conditions: Conditions) -> io::Result<()> {
        if conditions.closed.drops_packets() {
            socket::check_dropping()?;
        }
        let before = *self.state.borrow();
        self.state.send_modify(|state| state.conditions = conditions);
        if before.path == Path::Closed && before.conditions.closed != conditions.closed {
            self.lift()?;
            self.impose().await?;
        }
        Ok(())
    }

    /// Takes back what [`impose`](Self::impose) did.
    fn lift(&mut self) -> io::Result<()> {
        match &self.listener {
            Some(listener) => socket::drop_packets(listener, false)?,
            None => self.listener = Some(socket::listen(self.address)?),
        }
        self.connections.values().try_for_each(|connection| connection.drop_packets(false))
    }

    /// Makes the closed link do what it does to those who use it.
    pub(super) async fn impose(&mut self) -> io::Result<()> {
        let closed = self.state.borrow().conditions.closed;
        match closed {
            Closed::Cut => {
                if let Some(listener) = self.listener.take() {
                    socket::end_listening(&listener);
                }
                self.end_connections(Told::Both).await;
                Ok(())
            }
            // It keeps listening: who connects is not told.
            Closed::Silent => match &self.listener {
                Some(_) => Ok(()),
                None => socket::listen(self.address).map(|listener| self.listener = Some(listener)),
            },
            Closed::Drop => self.drop_packets(),
            Closed::Forget => {
                self.drop_packets()?;
                self.end_connections(Told::Nobody).await;
                Ok(())
            }
        }
    }

    fn drop_packets(&mut self) -> io::Result<()> {
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => socket::listen(self.address)?,
        };
        socket::drop_packets(&listener, true)?;
        // The kernel may have completed connections that nobody took yet: they are established like the others.
        while let Some(stream) = socket::take_waiting(&listener) {
            self.relay(stream);
        }
        self.listener = Some(listener);
        self.connections.values().try_for_each(|connection| connection.drop_packets(true))
    }

    /// Ends every connection there is.
    async fn end_connections(&mut self, told: Told) {
        self.relays.shutdown().await;
        let ids: Vec<_> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.ended(id, Ending::Cut(told)));
    }

    fn relay(&mut self, stream: TcpStream) {
        let number = self.shared.counters.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(stream));
        let relay = Arc::clone(&connection).relay(Arc::clone(&self.shared), self.state.subscribe(), number);
        let id = self.relays.spawn(relay).id();
        self.connections.insert(id, connection);
    }

    /// A relay's task is over: what remains are its sockets.
    fn ended(&mut self, id: Id, ending: Ending) {
        let connection = self.connections.remove(&id).and_then(Arc::into_inner);
        if let (Some(connection), Ending::Cut(told)) = (connection, ending) {
            self.kept.extend(connection.end(told));
        }
        while self.kept.len() > KEPT_MAX {
            self.kept.pop_front().into_iter().for_each(socket::reset);
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}
