//! Stores when endpoints were last heard, from time to time and at the end.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::{Context, Effect, EndpointInput};
use tidegate_core::control;
use tidegate_core::error::{Code, Error};
use tidegate_web::HostError;

use super::{passes, tell};
use crate::clock;
use crate::host::{LocalHost, Unstored};

/// How often contacts are stored: what a crash may forget of "last seen".
const STORE_EVERY: Duration = Duration::from_secs(600);

/// Endpoints in one transaction: a few milliseconds of the writer's time.
const BATCH_MAX: usize = 256;

/// Stores contacts until the server stops, which stores the last ones itself.
pub(crate) async fn contacts_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    while passes(STORE_EVERY, &mut stopping).await {
        contacts_store(&host).await;
    }
}

/// Stores every contact that changed since it was last stored.
pub(crate) async fn contacts_store(host: &LocalHost) {
    for batch in host.world.contacts.unstored().chunks(BATCH_MAX) {
        match store(host, batch).await {
            Ok(()) => host.world.contacts.stored(batch),
            Err(error) => {
                tell(&error, "when endpoints were last seen could not be stored");
                return;
            }
        }
    }
}

async fn store(host: &LocalHost, batch: &[Unstored]) -> Result<(), HostError> {
    let batch = batch.to_vec();
    host.write(move |db, cx| {
        let mut effects = Vec::new();
        for Unstored { endpoint, seen, rhythm } in batch.iter().copied() {
            // The randomness of one call must not serve two objects.
            let own = Context { entropy: clock::entropy(), ..*cx };
            match control::handle(db, &own, endpoint, EndpointInput::Seen { seen, rhythm }) {
                Ok((_, of_one)) => effects.extend::<Vec<Effect>>(of_one),
                // Nothing is known of it any more, so there is nothing to keep.
                Err(Error::Problem(problem)) if problem.code == Code::UnknownEndpoint => {}
                Err(error) => return Err(error),
            }
        }
        Ok(((), effects))
    })
    .await
}
