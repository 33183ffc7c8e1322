//! What happens without being asked: projections, deadlines, contacts that are stored.

mod certificate;
mod contacts;
mod deadlines;
mod deliveries;
mod memory;
mod order_key;
mod projections;
mod refusals;
mod storage;

pub(crate) use certificate::certificate_task;
pub(crate) use contacts::{contacts_store, contacts_task};
pub(crate) use deadlines::deadlines_task;
pub(crate) use deliveries::deliveries_task;
pub(crate) use memory::memory_task;
pub(crate) use order_key::order_key_task;
pub(crate) use projections::projections_task;
pub(crate) use refusals::{refusals_store, refusals_task};
pub(crate) use storage::storage_task;

use std::time::Duration;

use tidegate_web::HostError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::host::is_disk_full;
use crate::stop::stopped;

/// How long a task rests after a failure: the disk is full, or the queue is.
const FAILURE_REST: Duration = Duration::from_secs(5);

/// Says that a task could not store, unless a full disk is why: that is said once for all, and not every few seconds.
fn tell(error: &HostError, what: &'static str) {
    if is_disk_full(error) {
        tracing::debug!(%error, "{what}");
    } else {
        tracing::warn!(%error, "{what}");
    }
}

/// Waits for `span`; whether the time passed before everything stops.
async fn passes(span: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(span) => true,
        () = stopped(stopping) => false,
    }
}
