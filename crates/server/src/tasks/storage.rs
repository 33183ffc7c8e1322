//! Looks after the disk, so that the log says soon what a person has to know.

use std::sync::Arc;
use std::time::Duration;

use super::passes;
use crate::host::LocalHost;

/// How often: a person who frees room sees within that time that it was noticed. Requests notice by themselves.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until the server stops.
pub(crate) async fn storage_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    loop {
        host.storage.level();
        if !passes(LOOK_EVERY, &mut stopping).await {
            return;
        }
    }
}
