//! A network path that opens and closes and is as bad as real ones are: a small TCP proxy in front of a control
//! plane.
//!
//! It is what the demonstration and the tests of whole programs put between a runtime and its control
//! plane. Nothing else in the product pretends to be offline: a closed link refuses, swallows or loses real bytes.
//!
//! One task owns the listener and the connections; a [`Link`] is a handle on it. What its calls ask for *is* so when
//! they return, so nobody has to sleep to be sure.

mod conditions;
mod owner;
mod pump;
mod relay;
mod schedule;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

pub use conditions::{
    Closed, ConditionValue, Conditions, Direction, InvalidCondition, Limit, Rate, Setting, Shape, Sided, Told,
};
pub use schedule::{InvalidSchedule, Schedule, Span};

use owner::{Ask, Order, Owner};
use relay::Shared;
use wire::Wire;

/// Where a link leads, and how it behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where it leads: `host:port`.
    pub to: String,
    /// What it does to what passes, until [`Link::set`] says otherwise.
    pub conditions: Conditions,
    /// Whether it begins open.
    pub open: bool,
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
    /// Bytes that it let out towards [`LinkOptions::to`].
    pub up_bytes: u64,
    /// Bytes that it let out on the way back.
    pub down_bytes: u64,
}

/// A running link. Dropping it ends the link and every connection through it.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: watch::Receiver<State>,
    counters: Arc<Counters>,
    orders: mpsc::Sender<Ask>,
}

/// What every connection goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    path: Path,
    conditions: Conditions,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
}

impl Link {
    /// Starts a link.
    ///
    /// # Errors
    ///
    /// The error of the bind: the address is taken or not of this computer. [`io::ErrorKind::Unsupported`] where
    /// closing it is to lose packets and the system cannot.
    pub async fn start(options: LinkOptions) -> io::Result<Self> {
        let LinkOptions { listen, to, conditions, open } = options;
        if conditions.closed.drops_packets() {
            socket::check_dropping()?;
        }
        let placeholder = socket::bind(listen)?;
        let address = placeholder.local_addr()?;
        let (state_sender, state) = watch::channel(State { path: Path::Closed, conditions });
        let (orders, asks) = mpsc::channel(1);
        let counters = Arc::new(Counters::default());
        let mut owner = Owner {
            address,
            _placeholder: placeholder,
            shared: Arc::new(Shared {
                to,
                up: Wire::new(),
                down: Wire::new(),
                counters: Arc::clone(&counters),
            }),
            state: state_sender,
            listener: None,
            relays: JoinSet::new(),
            connections: HashMap::new(),
            kept: VecDeque::new(),
        };
        if open {
            owner.open()?;
        } else {
            owner.impose().await?;
        }
        tokio::spawn(owner.run(asks));
        Ok(Self { address, state, counters, orders })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether bytes pass.
    pub fn is_open(&self) -> bool {
        self.state.borrow().path == Path::Open
    }

    /// How it behaves.
    pub fn conditions(&self) -> Conditions {
        self.state.borrow().conditions
    }

    /// Lets bytes pass. Returns when they do.
    ///
    /// # Errors
    ///
    /// The error of the listen; the link stays closed.
    pub async fn open(&self) -> io::Result<()> {
        self.order(Order::Open).await
    }

    /// Lets none pass. Returns when none do, and with [`Closed::Cut`] when every connection is reset.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] where the link has ended.
    pub async fn close(&self) -> io::Result<()> {
        self.order(Order::Close).await
    }

    /// Changes how it behaves, also for the connections there are and the bytes under way. A closed link stays
    /// closed, in the new way.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where closing it is to lose packets and the system cannot; nothing changed
    /// then. [`io::ErrorKind::BrokenPipe`] where the link has ended.
    pub async fn set(&self, conditions: Conditions) -> io::Result<()> {
        self.order(Order::Set(conditions)).await
    }

    /// Ends every connection there is; the link itself stays as it is. Bytes under way are lost. With anything but
    /// [`Told::Both`] somebody goes on believing that it is connected: half-open, as after a NAT lost its table.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] where the link has ended.
    pub async fn end_connections(&self, told: Told) -> io::Result<()> {
        self.order(Order::End(told)).await
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            up_bytes: self.counters.up_bytes.load(Ordering::Relaxed),
            down_bytes: self.counters.down_bytes.load(Ordering::Relaxed),
        }
    }

    async fn order(&self, order: Order) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.orders.send((order, done)).await.map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }
}
