//! What a connection is doing: how many requests of it are being answered, and since when none is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Shared by the parts of one connection, which run in one task or, with HTTP/2, in a few.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Requests whose answer has not been sent whole.
    answering: AtomicU32,
    /// Requests so far.
    begun: AtomicU64,
    /// When the last answer ended, in milliseconds since `opened`.
    ended_ms: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            answering: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            ended_ms: AtomicU64::new(0),
        })
    }

    /// A request begins; it ends when the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    /// How many requests began.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Waits until nothing was asked for `span`.
    pub(super) async fn idle_for(&self, span: Duration) {
        loop {
            let idle_since = self.opened + Duration::from_millis(self.ended_ms.load(Ordering::Relaxed));
            let until = if self.is_answering() { Instant::now() + span } else { idle_since + span };
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Activity>);

impl Drop for Answering {
    fn drop(&mut self) {
        let ended_ms = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended_ms.store(ended_ms, Ordering::Relaxed);
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_in_progress_is_never_idle_and_the_time_counts_from_its_end() {
        tokio::time::pause();
        let activity = Activity::new();
        let span = Duration::from_secs(600);
        let started = Instant::now();
        let answering = activity.begin();
        let idle = {
            let activity = Arc::clone(&activity);
            tokio::spawn(async move { activity.idle_for(span).await })
        };
        tokio::time::sleep(Duration::from_secs(300)).await;
        drop(answering);
        idle.await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(900), "{:?}", started.elapsed());
    }
}
