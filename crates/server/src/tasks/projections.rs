//! Carries what endpoints tell of themselves into the directory.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::DirectoryInput;
use tidegate_core::id::EndpointId;
use tidegate_core::{control, directory};
use tidegate_web::HostError;

use super::{FAILURE_REST, passes, tell};
use crate::host::LocalHost;
use crate::stop::stopped;

/// Changes taken in at once: a few milliseconds of the writer's time.
const BATCH_MAX: u32 = 256;

/// The shortest time between two batches that were not full. What changes meanwhile again is projected once: a
/// machine that returns its night's work changes its summary with each sequence. Too short for a person to notice.
const REST: Duration = Duration::from_millis(100);

/// Projects whenever something changed, and once at the start, until the server stops.
pub(crate) async fn projections_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    loop {
        let rest = match project(&host).await {
            Ok(taken) if taken >= BATCH_MAX as usize => continue,
            Ok(_) => {
                tokio::select! {
                    () = host.world.projections.notified() => REST,
                    () = stopped(&mut stopping) => return,
                }
            }
            Err(HostError::ShuttingDown) => return,
            Err(error) => {
                tell(&error, "the directory could not take in what changed; it is tried again");
                FAILURE_REST
            }
        };
        if !passes(rest, &mut stopping).await {
            return;
        }
    }
}

/// Takes one batch in and answers how many changes it had.
///
/// What to tell is put together on a reader: the writer, whom everybody waits for, only stores it. What changed again
/// meanwhile has a newer version, so it stays in the outbox and is told once more.
async fn project(host: &LocalHost) -> Result<usize, HostError> {
    let projections = host.read_long(|db, cx| control::outbox(db, cx, BATCH_MAX)).await?;
    if projections.is_empty() {
        return Ok(0);
    }
    let taken = projections.iter().map(|projection| projection.taken.len()).sum();
    let endpoints = projections.iter().map(|projection| projection.endpoint.id).collect();
    host.write(move |db, cx| {
        control::outbox_done(db, &projections)?;
        let (_, effects) = directory::handle(db, cx, DirectoryInput::Project(projections.clone()))?;
        Ok(((), effects))
    })
    .await?;
    hint(host, endpoints);
    Ok(taken)
}

/// Tells the streams of events, now that whoever reads again finds the change in listings too.
fn hint(host: &LocalHost, endpoints: Vec<EndpointId>) {
    for endpoint in endpoints {
        host.world.hints.send(endpoint);
    }
}
