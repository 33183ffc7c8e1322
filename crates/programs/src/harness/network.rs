//! Paths between machines and their control plane, each of its own, that can be opened, closed and made bad.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_cli::link::{Conditions, Counts, Link, LinkOptions, Told};
use tokio::runtime::Runtime;

use super::tap::{Exchange, Tap};
use super::wait_for;

/// A request that is not answered for so long is held.
const HELD_AFTER: Duration = Duration::from_millis(500);

/// What carries all paths.
#[derive(Clone, Debug)]
pub struct Network(Arc<Runtime>);

/// One path: a link, and a tap behind it that sees what the control plane sees.
#[derive(Debug)]
pub struct Path {
    link: Link,
    tap: Tap,
    network: Network,
}

impl Network {
    /// One without paths.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn new() -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self(Arc::new(tokio)))
    }

    /// An open path to a port of loopback.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub fn path(&self, to: u16, conditions: Conditions) -> anyhow::Result<Path> {
        self.0.block_on(async {
            let tap = Tap::start(to).await?;
            let (listen, to) = (([127, 0, 0, 1], 0).into(), tap.address.to_string());
            let link = Link::start(LinkOptions { listen, to, conditions, open: true }).await?;
            Ok(Path { link, tap, network: self.clone() })
        })
    }
}

impl Path {
    /// Where a machine reaches its control plane through it.
    pub fn url(&self) -> String {
        format!("http://{}", self.link.address())
    }

    /// Opens it; answers when.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub fn open(&self) -> anyhow::Result<SystemTime> {
        let at = SystemTime::now();
        self.network.0.block_on(self.link.open())?;
        Ok(at)
    }

    /// Closes it; nothing passes once this answered, and answers when that was.
    ///
    /// # Errors
    ///
    /// When the system cannot lose packets and that is asked for.
    pub fn close(&self) -> anyhow::Result<SystemTime> {
        self.network.0.block_on(self.link.close())?;
        Ok(SystemTime::now())
    }

    /// Changes how it is.
    ///
    /// # Errors
    ///
    /// When the system cannot lose packets and that is asked for.
    pub fn set(&self, conditions: Conditions) -> anyhow::Result<()> {
        Ok(self.network.0.block_on(self.link.set(conditions))?)
    }

    /// Ends its connections; the path stays as it is.
    ///
    /// # Errors
    ///
    /// When the link has ended.
    pub fn end_connections(&self, told: Told) -> anyhow::Result<()> {
        Ok(self.network.0.block_on(self.link.end_connections(told))?)
    }

    /// What has passed.
    pub fn counts(&self) -> Counts {
        self.link.counts()
    }

    /// Waits until everything was said and the machine's next request is held.
    ///
    /// # Errors
    ///
    /// When that does not happen within `seconds`.
    pub fn settles(&self, seconds: u64) -> anyhow::Result<()> {
        wait_for("a held sync", seconds, || {
            let last = self.exchanges().last().copied();
            let held = last.filter(|exchange| exchange.answered_at.is_none());
            // Whatever is not held is answered sooner.
            Ok(held.is_some_and(|held| held.at.elapsed().is_ok_and(|age| age > HELD_AFTER)))
        })
    }

    /// The exchanges that reached the control plane, in order.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.tap.exchanges()
    }
}
