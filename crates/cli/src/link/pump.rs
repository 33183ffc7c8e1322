//! One direction of one connection: what is read enters a wire, is under way for a while, and is let out.
//!
//! Reading and letting out run side by side with a bounded queue between them, so latency costs no throughput
//! and a full queue stops the reading: the sender feels a slow link as it would a real one.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::conditions::{Direction, Rate};
use super::wire::Wire;
use super::{Path, State, socket};

/// Bytes read at once: one piece of a large output.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// The least, so that a very slow link does not spend its time on single bytes.
const PIECE_BYTES_MIN: u64 = 64;
/// How long a piece occupies a slow wire: short, so that several connections share it and bytes trickle.
const PIECE_LASTS: Duration = Duration::from_millis(50);
/// Pieces under way at most: 4 MiB, or 12 seconds of a slow wire. A link faster than that per latency is slowed.
const PIECES_MAX: usize = 256;

/// One direction.
pub(super) struct Pump<'c> {
    pub(super) direction: Direction,
    pub(super) from: &'c TcpStream,
    pub(super) to: &'c TcpStream,
    pub(super) wire: &'c Wire,
    /// Bytes that were let out, of all connections.
    pub(super) passed: &'c AtomicU64,
    /// What is told when something entered or was let out.
    pub(super) activity: &'c Activity,
    pub(super) state: watch::Receiver<State>,
    /// Where randomness begins; the same seed spreads the same way.
    pub(super) seed: u64,
}

/// Why a direction stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// One of the ends failed, or the link ended.
    Broken,
    /// So many bytes have passed as a connection may carry.
    Cut,
}

/// When a connection last carried something.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) began: Instant,
    last_ms: AtomicU64,
}

struct Piece {
    entered: Instant,
    /// Of the jitter, how much it gets.
    fraction: f64,
    what: What,
}

enum What {
    Bytes(Vec<u8>),
    End,
    Broken,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    pub(super) fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    fn now(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }
}

impl Pump<'_> {
    /// Carries everything, and then the end.
    pub(super) async fn run(self) -> Result<(), Stop> {
        let (pieces, out) = mpsc::channel(PIECES_MAX);
        tokio::try_join!(self.take_in(pieces), self.let_out(out)).map(drop)
    }

    async fn take_in(&self, pieces: mpsc::Sender<Piece>) -> Result<(), Stop> {
        let mut state = self.state.clone();
        let mut random = self.seed;
        let mut buffer = vec![0; PIECE_BYTES_MAX];
        loop {
            // What comes while the link is closed stays with the kernel, and so with its sender.
            until_open(&mut state).await?;
            let readable = self.from.readable().await;
            let wanted = self.piece_bytes();
            let what = match readable.and_then(|()| self.from.try_read(&mut buffer[..wanted])) {
                Ok(0) => What::End,
                Ok(read) => What::Bytes(buffer[..read].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => What::Broken,
            };
            self.activity.now();
            let is_last = match &what {
                What::Bytes(bytes) => {
                    self.occupy_wire(bytes.len(), &mut state).await?;
                    false
                }
                What::End | What::Broken => true,
            };
            let piece = Piece { entered: Instant::now(), fraction: fraction(&mut random), what };
            pieces.send(piece).await.map_err(|_| Stop::Broken)?;
            if is_last {
                return Ok(());
            }
        }
    }

    fn piece_bytes(&self) -> usize {
        let most = self.rate().map_or(u64::MAX, |rate| rate.bytes_in(PIECE_LASTS).max(PIECE_BYTES_MIN));
        usize::try_from(most).unwrap_or(usize::MAX).min(PIECE_BYTES_MAX)
    }

    fn rate(&self) -> Option<Rate> {
        self.state.borrow().conditions.shape(self.direction).rate
    }

    /// Waits until the bytes have passed the wire at its rate, also when the rate changes meanwhile.
    async fn occupy_wire(&self, bytes: usize, state: &mut watch::Receiver<State>) -> Result<(), Stop> {
        while let Some(rate) = self.rate() {
            let passed_at = self.wire.reserve(bytes, rate);
            let mut is_changed = false;
            while !is_changed {
                tokio::select! {
                    () = sleep_until(passed_at) => return Ok(()),
                    changed = state.changed() => changed.map_err(|_| Stop::Broken)?,
                }
                is_changed = self.rate() != Some(rate);
            }
        }
        Ok(())
    }

    async fn let_out(&self, mut pieces: mpsc::Receiver<Piece>) -> Result<(), Stop> {
        let mut state = self.state.clone();
        let mut carried = 0;
        while let Some(piece) = pieces.recv().await {
            self.until_due(&piece, &mut state).await?;
            match piece.what {
                What::Bytes(bytes) => self.deliver(&bytes, &mut carried, &mut state).await?,
                What::End => {
                    until_open(&mut state).await?;
                    return socket::end_writing(self.to).map_err(|_| Stop::Broken);
                }
                What::Broken => {
                    until_open(&mut state).await?;
                    return Err(Stop::Broken);
                }
            }
        }
        Ok(())
    }

    async fn until_due(&self, piece: &Piece, state: &mut watch::Receiver<State>) -> Result<(), Stop> {
        let delay = |state: &State| {
            let shape = state.conditions.shape(self.direction);
            shape.latency + shape.jitter.mul_f64(piece.fraction)
        };
        until_passed(piece.entered, delay, state).await
    }

    /// Lets bytes out while the link is open. The state is held meanwhile, so whoever closes the link waits for
    /// what is being written, and nothing passes afterwards.
    async fn deliver(
        &self,
        bytes: &[u8],
        carried: &mut u64,
        state: &mut watch::Receiver<State>,
    ) -> Result<(), Stop> {
        let mut rest = bytes;
        while !rest.is_empty() {
            until_open(state).await?;
            self.to.writable().await.map_err(|_| Stop::Broken)?;
            let held = state.borrow();
            if held.path == Path::Closed {
                continue;
            }
            let limit = held.conditions.shape(self.direction).cut_after_bytes;
            let most = limit.map_or(u64::MAX, |limit| limit.saturating_sub(*carried));
            let now = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
            if now == 0 {
                return Err(Stop::Cut);
            }
            match self.to.try_write(&rest[..now]) {
                Ok(written) => {
                    rest = &rest[written..];
                    *carried += written as u64;
                    self.passed.fetch_add(written as u64, Ordering::Relaxed);
                    self.activity.now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Stop::Broken),
            }
        }
        Ok(())
    }
}

/// Returns when the link is open.
pub(super) async fn until_open(state: &mut watch::Receiver<State>) -> Result<(), Stop> {
    state.wait_for(|state| state.path == Path::Open).await.map(drop).map_err(|_| Stop::Broken)
}

/// Returns when `delay` has passed since `since`, by the conditions as they are then.
pub(super) async fn until_passed(
    since: Instant,
    delay: impl Fn(&State) -> Duration,
    state: &mut watch::Receiver<State>,
) -> Result<(), Stop> {
    loop {
        let due = since + delay(&state.borrow_and_update());
        if due <= Instant::now() {
            return Ok(());
        }
        tokio::select! {
            () = sleep_until(due) => return Ok(()),
            changed = state.changed() => changed.map_err(|_| Stop::Broken)?,
        }
    }
}

/// The next number in 0..1 (SplitMix64: small, and good enough to spread delays).
fn fraction(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 32 bits are exact in an `f64`.
    f64::from((mixed >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}
