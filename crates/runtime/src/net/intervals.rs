//! Every interval of the path in one place, so that a test can shorten them all alike.

use std::time::Duration;

/// How long things may take, and how long is waited in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intervals {
    divisor: u32,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { divisor: 1 }
    }
}

impl Intervals {
    /// All of them divided by `divisor`; 0 counts as 1.
    pub(crate) fn divided_by(divisor: u32) -> Self {
        Self { divisor: divisor.max(1) }
    }

    /// An interval as this program lives it.
    pub(crate) fn of(self, usual: Duration) -> Duration {
        usual / self.divisor
    }

    /// A name is looked up for at most this long.
    pub(crate) fn resolve(self) -> Duration {
        self.of(Duration::from_secs(10))
    }

    /// A TCP connection is tried for at most this long. The kernel asks after 1, 3 and 7 s; then asking anew is sooner
    /// than its next time, and a window that opens meanwhile is short.
    pub(crate) fn connect(self) -> Duration {
        self.of(Duration::from_secs(8))
    }

    /// A proxy answers `CONNECT` within this: it may itself wait for a connection.
    pub(crate) fn tunnel(self) -> Duration {
        self.of(Duration::from_secs(20))
    }

    /// TLS and the greeting of HTTP take at most this long: 10 KB over a congested 32 kbit/s line.
    pub(crate) fn handshake(self) -> Duration {
        self.of(Duration::from_secs(30))
    }

    /// Beyond what it may be held and what its bytes need, an answer takes at most this long.
    pub(crate) fn answer(self) -> Duration {
        self.of(Duration::from_secs(45))
    }

    /// An idle TCP connection is probed after this long.
    pub(crate) fn keep_alive(self) -> Duration {
        self.of(Duration::from_secs(90))
    }

    /// And then as often as this.
    pub(crate) fn keep_alive_every(self) -> Duration {
        self.of(Duration::from_secs(10))
    }

    /// Sent and not acknowledged for this long means that the path is gone, although nobody said so.
    pub(crate) fn unacknowledged(self) -> Duration {
        self.of(Duration::from_secs(110))
    }
}
