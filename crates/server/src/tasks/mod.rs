//! What happens without being asked: projections, deadlines, contacts that are stored.

mod contacts;
mod deadlines;
mod projections;

pub(crate) use contacts::{contacts_store, contacts_task};
pub(crate) use deadlines::deadlines_task;
pub(crate) use projections::projections_task;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::stop::stopped;

/// How long a task rests after a failure: the disk is full, or the queue is.
const FAILURE_REST: Duration = Duration::from_secs(5);

/// Waits for `span`; whether the time passed before everything stops.
async fn passes(span: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(span) => true,
        () = stopped(stopping) => false,
    }
}
