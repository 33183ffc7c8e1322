//! A network path that opens and closes: a small TCP proxy in front of a control plane.
//!
//! It is what the demonstration and the tests of whole programs put between a runtime and its control
//! plane. Nothing else in the product pretends to be offline: a closed link refuses or swallows real bytes.
//!
//! One task owns the listener and the connections; a [`Link`] is a handle on it. When [`Link::close`]
//! returns, the path *is* closed, so nobody has to sleep to be sure.

mod relay;
mod schedule;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

pub use schedule::{InvalidSchedule, Schedule, Span};

/// Connections that may wait for the link to take them; more than a few runtimes ever open at once.
const BACKLOG: u32 = 128;

/// Where a link leads, and how it closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where it leads: `host:port`.
    pub to: String,
    /// What a closed link does.
    pub closed: Closed,
    /// Whether it begins open.
    pub open: bool,
}

/// What a closed link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Closed {
    /// Resets what is established and refuses what is new: an interface that went down.
    Cut,
    /// Swallows: nothing arrives and nobody is told, as behind a firewall that forgot. What was established
    /// goes on where it stood when the link opens again.
    Silent,
}

/// A state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Bytes pass.
    Open,
    /// None do.
    Closed,
}

/// What has passed a link since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections it took.
    pub connections: u64,
    /// Bytes towards [`LinkOptions::to`].
    pub up_bytes: u64,
    /// Bytes back.
    pub down_bytes: u64,
}

/// A running link. Dropping it ends the link and every connection through it.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    path: watch::Receiver<Path>,
    counters: Arc<Counters>,
    orders: mpsc::Sender<(Path, oneshot::Sender<io::Result<()>>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    pub(crate) up_bytes: AtomicU64,
    pub(crate) down_bytes: AtomicU64,
}

impl Link {
    /// Starts a link.
    ///
    /// # Errors
    ///
    /// The error of the bind: the address is taken or not of this computer.
    pub async fn start(options: LinkOptions) -> io::Result<Self> {
        // Bound and never listening, it keeps the port while the link is closed, so that connections are
        // refused by the kernel and nobody else can take the port.
        let placeholder = bind(options.listen)?;
        let address = placeholder.local_addr()?;
        let (path_sender, path) = watch::channel(Path::Closed);
        let (orders, orders_receiver) = mpsc::channel(1);
        let counters = Arc::new(Counters::default());
        let mut owner = Owner {
            address,
            to: options.to,
            closed: options.closed,
            _placeholder: placeholder,
            listener: None,
            path: path_sender,
            relays: JoinSet::new(),
            counters: Arc::clone(&counters),
        };
        // A silent link keeps listening while it is closed: who connects is not told.
        if options.closed == Closed::Silent {
            owner.listener = Some(bind(address)?.listen(BACKLOG)?);
        }
        if options.open {
            owner.open()?;
        }
        tokio::spawn(owner.run(orders_receiver));
        Ok(Self { address, path, counters, orders })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether bytes pass.
    pub fn is_open(&self) -> bool {
        *self.path.borrow() == Path::Open
    }

    /// Lets bytes pass. Returns when they do.
    ///
    /// # Errors
    ///
    /// The error of the listen; the link stays closed.
    pub async fn open(&self) -> io::Result<()> {
        self.order(Path::Open).await
    }

    /// Lets none pass. Returns when none do, and with [`Closed::Cut`] when every connection is reset.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] where the link has ended.
    pub async fn close(&self) -> io::Result<()> {
        self.order(Path::Closed).await
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            up_bytes: self.counters.up_bytes.load(Ordering::Relaxed),
            down_bytes: self.counters.down_bytes.load(Ordering::Relaxed),
        }
    }

    async fn order(&self, path: Path) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.orders.send((path, done)).await.map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }
}

/// Owns the listener and the connections.
struct Owner {
    address: SocketAddr,
    to: String,
    closed: Closed,
    _placeholder: TcpSocket,
    listener: Option<TcpListener>,
    path: watch::Sender<Path>,
    relays: JoinSet<()>,
    counters: Arc<Counters>,
}

impl Owner {
    async fn run(mut self, mut orders: mpsc::Receiver<(Path, oneshot::Sender<io::Result<()>>)>) {
        loop {
            let is_open = *self.path.borrow() == Path::Open;
            tokio::select! {
                order = orders.recv() => match order {
                    Some((Path::Open, done)) => { let _ = done.send(self.open()); }
                    Some((Path::Closed, done)) => { self.close().await; let _ = done.send(Ok(())); }
                    None => return,
                },
                // A silent link does not take connections while it is closed: the kernel keeps them.
                taken = accept(self.listener.as_ref()), if is_open => if let Ok(stream) = taken {
                    self.relay(stream);
                },
                Some(_) = self.relays.join_next() => {}
            }
        }
    }

    fn open(&mut self) -> io::Result<()> {
        if self.listener.is_none() {
            self.listener = Some(bind(self.address)?.listen(BACKLOG)?);
        }
        self.path.send_replace(Path::Open);
        Ok(())
    }

    async fn close(&mut self) {
        self.path.send_replace(Path::Closed);
        if self.closed == Closed::Cut {
            if let Some(listener) = self.listener.take() {
                end_listening(&listener);
            }
            while self.relays.join_next().await.is_some() {}
        }
    }

    fn relay(&mut self, stream: TcpStream) {
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let (to, closed) = (self.to.clone(), self.closed);
        let (path, counters) = (self.path.subscribe(), Arc::clone(&self.counters));
        self.relays.spawn(relay::relay(stream, to, closed, path, counters));
    }
}

/// Refuses from here on, also where a process that is just being started still holds a copy of the socket.
#[cfg(unix)]
fn end_listening(listener: &TcpListener) {
    // Closing it refuses too, only later: nothing to do about an error.
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

#[cfg(not(unix))]
fn end_listening(_listener: &TcpListener) {}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
