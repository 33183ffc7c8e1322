//! Calls endpoint objects whose deadline has come.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::{EndpointInput, Input, ObjectId};
use tidegate_core::control;
use tidegate_core::id::EndpointId;
use tidegate_web::{Host as _, HostError};

use super::{FAILURE_REST, passes, tell};
use crate::host::LocalHost;

/// Endpoints called at once.
const BATCH_MAX: u32 = 256;

/// The longest rest: work that is queued meanwhile with a nearer deadline is ended at most this late.
const REST_MAX: Duration = Duration::from_secs(30);

/// The shortest rest, for a deadline that stays after its endpoint was called.
const REST_MIN: Duration = Duration::from_secs(1);

/// Calls whoever is due until the server stops.
pub(crate) async fn deadlines_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    loop {
        let rest = match call_due(&host).await {
            Ok(rest) => rest,
            Err(HostError::ShuttingDown) => return,
            Err(error) => {
                tell(&error, "work that is past its time could not be ended; it is tried again");
                FAILURE_REST
            }
        };
        if !passes(rest, &mut stopping).await {
            return;
        }
    }
}

/// Calls every endpoint that is due and answers how long there is nothing to do.
async fn call_due(host: &LocalHost) -> Result<Duration, HostError> {
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
            let first = host.read_long(|db, _| control::first_due(db)).await?;
            let rest = first.map_or(REST_MAX, |due| Duration::from_millis(due.since(host.now()).0));
            return Ok(rest.clamp(REST_MIN, REST_MAX));
        }
    }
}
