//! Those who hear which endpoints change: the streams of events.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tidegate_core::id::EndpointId;
use tidegate_web::{Change, Changes};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;

use crate::stop::stopped;

/// Hints that a listener may be behind. One that is further behind is told that it missed some, and reads
/// everything again, which is less work than a thousand hints.
const BACKLOG_MAX: usize = 1024;

/// Where hints are sent.
#[derive(Debug)]
pub(crate) struct Hints(broadcast::Sender<EndpointId>);

impl Default for Hints {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG_MAX))
    }
}

impl Hints {
    /// Tells every listener that `endpoint` changed.
    pub(crate) fn send(&self, endpoint: EndpointId) {
        // An error says that nobody listens.
        let _ = self.0.send(endpoint);
    }

    /// One more listener.
    pub(crate) fn listen(&self, stopping: watch::Receiver<bool>) -> Listener {
        Listener { hints: self.0.subscribe(), stopping }
    }
}

/// One listener.
#[derive(Debug)]
pub(crate) struct Listener {
    hints: broadcast::Receiver<EndpointId>,
    stopping: watch::Receiver<bool>,
}

impl Changes for Listener {
    fn next(&mut self, at_most: Duration) -> BoxFuture<'_, Change> {
        async move {
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => Change::ShuttingDown,
                hint = timeout(at_most, self.hints.recv()) => match hint {
                    Ok(Ok(endpoint)) => Change::Endpoint(endpoint),
                    Ok(Err(RecvError::Lagged(_))) => Change::Missed,
                    Ok(Err(RecvError::Closed)) => Change::ShuttingDown,
                    Err(_) => Change::Elapsed,
                },
            }
        }
        .boxed()
    }
}
