//! Syncs that are held: who waits for which endpoint.
//!
//! An endpoint is in the map exactly while somebody waits for it, so the map is bounded by open requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tidegate_core::id::EndpointId;
use tidegate_web::{Watch, Woken};
use tokio::sync::watch;
use tokio::time::timeout;

use super::shards::Shards;
use crate::stop::stopped;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    endpoints: Shards<EndpointId, Waited>,
    held: AtomicI64,
}

/// An endpoint that somebody waits for.
#[derive(Debug)]
struct Waited {
    changes: watch::Sender<()>,
    /// How many of the waiters hold a sync that proved itself.
    held: u32,
}

impl Waiters {
    /// Joins those who wait for `endpoint`; `stopping` becomes true when nobody is to wait any longer.
    pub(crate) fn join(self: &Arc<Self>, endpoint: EndpointId, stopping: watch::Receiver<bool>) -> Waiter {
        let mut part = self.endpoints.of(&endpoint);
        let waited =
            part.entry(endpoint).or_insert_with(|| Waited { changes: watch::Sender::new(()), held: 0 });
        let changes = Some(waited.changes.subscribe());
        Waiter { waiters: Arc::clone(self), endpoint, changes, stopping, is_held: false }
    }

    /// Ends the waits for `endpoint`.
    pub(crate) fn wake(&self, endpoint: EndpointId) {
        if let Some(waited) = self.endpoints.of(&endpoint).get(&endpoint) {
            waited.changes.send_replace(());
        }
    }

    /// Whether a sync of `endpoint` is held.
    pub(crate) fn is_held(&self, endpoint: EndpointId) -> bool {
        self.endpoints.of(&endpoint).get(&endpoint).is_some_and(|waited| waited.held > 0)
    }

    /// How many syncs are held.
    pub(crate) fn held(&self) -> i64 {
        self.held.load(Ordering::Relaxed)
    }

    /// How many endpoints have a sync that is held.
    pub(crate) fn endpoints_held(&self) -> usize {
        self.endpoints.each().map(|part| part.values().filter(|waited| waited.held > 0).count()).sum()
    }
}

/// One who waits; dropping it, as when its client goes away, forgets it.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Arc<Waiters>,
    endpoint: EndpointId,
    /// Present until dropped.
    changes: Option<watch::Receiver<()>>,
    stopping: watch::Receiver<bool>,
    /// Whether it waits for a sync that proved itself.
    is_held: bool,
}

impl Watch for Waiter {
    fn mark_unchanged(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.mark_unchanged();
        }
    }

    fn changed(&mut self, at_most: Duration) -> BoxFuture<'_, Woken> {
        // The routes wait only after the core admitted the sync; before, anybody may have sent it.
        self.hold();
        async move {
            let Some(changes) = &mut self.changes else { return Woken::Elapsed };
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => Woken::ShuttingDown,
                changed = timeout(at_most, changes.changed()) => match changed {
                    Ok(_) => Woken::Changed,
                    Err(_) => Woken::Elapsed,
                },
            }
        }
        .boxed()
    }
}

impl Waiter {
    fn hold(&mut self) {
        if self.is_held {
            return;
        }
        self.is_held = true;
        self.waiters.held.fetch_add(1, Ordering::Relaxed);
        if let Some(waited) = self.waiters.endpoints.of(&self.endpoint).get_mut(&self.endpoint) {
            waited.held += 1;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut part = self.waiters.endpoints.of(&self.endpoint);
        drop(self.changes.take());
        if self.is_held {
            self.waiters.held.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(waited) = part.get_mut(&self.endpoint) else { return };
        waited.held -= u32::from(self.is_held);
        if waited.changes.receiver_count() == 0 {
            part.remove(&self.endpoint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: EndpointId = EndpointId::from_bytes([3; 10]);

    #[tokio::test]
    async fn a_change_between_asking_and_waiting_ends_the_wait() {
        let (_stop, stopping) = watch::channel(false);
        let waiters = Arc::new(Waiters::default());
        let mut waiter = waiters.join(ENDPOINT, stopping);
        waiter.mark_unchanged();
        waiters.wake(ENDPOINT);
        assert_eq!(waiter.changed(Duration::from_secs(60)).await, Woken::Changed);
        assert_eq!(waiter.changed(Duration::from_millis(1)).await, Woken::Elapsed);
    }

    #[tokio::test]
    async fn an_endpoint_is_forgotten_with_its_last_waiter() {
        let (stop, stopping) = watch::channel(false);
        let waiters = Arc::new(Waiters::default());
        let mut first = waiters.join(ENDPOINT, stopping.clone());
        let second = waiters.join(ENDPOINT, stopping);
        assert!(!waiters.is_held(ENDPOINT), "nobody has proved anything yet");
        drop(first.changed(Duration::from_secs(60)));
        assert!(waiters.is_held(ENDPOINT));
        assert_eq!((waiters.held(), waiters.endpoints_held()), (1, 1));
        stop.send_replace(true);
        assert_eq!(first.changed(Duration::from_secs(60)).await, Woken::ShuttingDown);
        drop((first, second));
        assert!(!waiters.is_held(ENDPOINT));
        assert_eq!(waiters.endpoints.each().map(|part| part.len()).sum::<usize>(), 0);
        assert_eq!(waiters.held(), 0);
    }
}
