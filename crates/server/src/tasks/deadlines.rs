//! Calls endpoint objects whose deadline has come.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::{EndpointInput, Input, ObjectId};
use tidegate_core::control;
use tidegate_core::id::EndpointId;
use tidegate_web::{Host as _, HostError};

use super::{FAILURE_REST, passes};
use crate::host::LocalHost;

/// Endpoints called at once.
const BATCH_MAX: u32 = 256;

/// How often is looked. A deadline is a work's expiry, given in hours and days.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Calls whoever is due until the server stops.
pub(crate) async fn deadlines_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    loop {
        let rest = match call_due(&host).await {
            Ok(()) => LOOK_EVERY,
            Err(HostError::ShuttingDown) => return,
            Err(error) => {
                tracing::warn!(%error, "work that is past its time could not be ended; it is tried again");
                FAILURE_REST
            }
        };
        if !passes(rest, &mut stopping).await {
            return;
        }
    }
}

async fn call_due(host: &LocalHost) -> Result<(), HostError> {
    loop {
        let due: Vec<EndpointId> = host.read_long(|db, cx| control::due(db, cx.now, BATCH_MAX)).await?;
        let is_all = due.len() < BATCH_MAX as usize;
        let calls = due.into_iter().map(|endpoint| {
            host.handle(ObjectId::Endpoint(endpoint), Input::Endpoint(EndpointInput::Deadline))
        });
        for answer in futures_util::future::join_all(calls).await {
            answer?;
        }
        if is_all {
            return Ok(());
        }
    }
}
