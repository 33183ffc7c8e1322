//! One connection through a link.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::conditions::{Direction, Told};
use super::pump::{Activity, Pump, Stop, until_open, until_passed};
use super::wire::Wire;
use super::{Counters, Path, State, socket};

/// The two sockets of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// To who connected.
    near: TcpStream,
    /// To where the link leads, once it is connected.
    far: OnceLock<TcpStream>,
}

/// What all connections of a link share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) to: String,
    pub(super) up: Wire,
    pub(super) down: Wire,
    pub(super) counters: Arc<Counters>,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Both sides were done.
    Done,
    /// It ended before that, and this is who learns of it.
    Cut(Told),
}

impl Connection {
    pub(super) fn new(near: TcpStream) -> Self {
        Self { near, far: OnceLock::new() }
    }

    /// Loses, or no longer loses, what either side sends.
    pub(super) fn drop_packets(&self, is_dropping: bool) -> io::Result<()> {
        socket::drop_packets(&self.near, is_dropping)?;
        self.far.get().map_or(Ok(()), |far| socket::drop_packets(far, is_dropping))
    }

    /// Ends it: whoever is told is reset, and what nobody may learn of is handed back, to be kept.
    pub(super) fn end(self, told: Told) -> Vec<TcpStream> {
        let (tells_near, tells_far) = match told {
            Told::Both => (true, true),
            Told::Server => (false, true),
            Told::Client => (true, false),
            Told::Nobody => (false, false),
        };
        let mut kept = Vec::new();
        for (stream, is_told) in [(Some(self.near), tells_near), (self.far.into_inner(), tells_far)] {
            match stream {
                Some(stream) if is_told => socket::reset(stream),
                Some(stream) => kept.push(stream),
                None => {}
            }
        }
        for stream in &kept {
            // Elsewhere than on Linux its kernel goes on acknowledging, and nobody reads.
            let _ = socket::drop_packets(stream, true);
        }
        kept
    }

    /// Carries bytes until both sides are done, one fails, or a limit is reached.
    pub(super) async fn relay(
        self: Arc<Self>,
        shared: Arc<Shared>,
        state: watch::Receiver<State>,
        seed: u64,
    ) -> Ending {
        let activity = Activity::new();
        let carried = async {
            let far = self.connect(&shared, state.clone()).await?;
            let _ = self.near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
            let pump = |direction, from, to, wire, passed, seed| {
                Pump { direction, from, to, wire, passed, activity: &activity, state: state.clone(), seed }
                    .run()
            };
            let counters = &shared.counters;
            tokio::try_join!(
                pump(Direction::Up, &self.near, far, &shared.up, &counters.up_bytes, seed),
                pump(Direction::Down, far, &self.near, &shared.down, &counters.down_bytes, !seed),
            )
        };
        let stopped = tokio::select! {
            carried = carried => carried.err(),
            () = expired(&activity, state.clone()) => Some(Stop::Cut),
        };
        match stopped {
            None => Ending::Done,
            Some(Stop::Broken) => Ending::Cut(Told::Both),
            Some(Stop::Cut) => Ending::Cut(state.borrow().conditions.cut_tells),
        }
    }

    /// Connects to where the link leads, once the handshake has had its round trip.
    async fn connect(&self, shared: &Shared, mut state: watch::Receiver<State>) -> Result<&TcpStream, Stop> {
        until_passed(Instant::now(), |state| state.conditions.round_trip(), &mut state).await?;
        until_open(&mut state).await?;
        let far = socket::connect(&shared.to).await.map_err(|_| Stop::Broken)?;
        // The state is held meanwhile: whoever closes the link either sees this socket or comes before it.
        let held = state.borrow();
        if held.path == Path::Closed && held.conditions.closed.drops_packets() {
            socket::drop_packets(&far, true).map_err(|_| Stop::Broken)?;
        }
        Ok(self.far.get_or_init(|| far))
    }
}

/// Returns when the connection is older than it may be, or idle for longer.
async fn expired(activity: &Activity, mut state: watch::Receiver<State>) {
    loop {
        let conditions = state.borrow_and_update().conditions;
        let too_old = conditions.cut_age.map(|age| activity.began + age);
        let too_idle = conditions.cut_idle.map(|idle| activity.last() + idle);
        let deadline = [too_old, too_idle].into_iter().flatten().min();
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return;
        }
        let passes = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = passes => {}
            // A link that ends takes its connections with it.
            changed = state.changed() => if changed.is_err() { std::future::pending::<()>().await },
        }
    }
}
