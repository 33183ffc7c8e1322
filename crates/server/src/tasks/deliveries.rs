//! Carries what the directory has to tell endpoints to them.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::{Context, Effect, EndpointInput};
use tidegate_core::directory::HoldWork;
use tidegate_core::error::{Code, Error};
use tidegate_core::{control, directory};
use tidegate_web::{Host as _, HostError};

use super::{FAILURE_REST, passes, tell};
use crate::clock;
use crate::host::LocalHost;
use crate::stop::stopped;

/// Messages delivered in one transaction: a few milliseconds of the writer's time.
const BATCH_MAX: u32 = 256;

/// The longest rest where nothing is due.
const REST_MAX: Duration = Duration::from_secs(600);

/// Tells endpoints whenever there is something to tell, and once at the start, until the server stops.
pub(crate) async fn deliveries_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    loop {
        let rest = match deliver(&host).await {
            Ok(told) if told >= BATCH_MAX as usize => continue,
            Ok(_) => match due_in(&host).await {
                Ok(rest) => rest,
                Err(_) => FAILURE_REST,
            },
            Err(HostError::ShuttingDown) => return,
            Err(error) => {
                tell(&error, "endpoints could not be told whose work to hold; it is tried again");
                FAILURE_REST
            }
        };
        tokio::select! {
            passed = passes(rest, &mut stopping) => if !passed { return },
            () = host.world.deliveries.notified() => {}
        }
        if *stopping.borrow() {
            return stopped(&mut stopping).await;
        }
    }
}

/// How long there is nothing to tell.
async fn due_in(host: &LocalHost) -> Result<Duration, HostError> {
    let due = host.read_long(|db, _| directory::outbox_due_at(db)).await?;
    let rest = due.map_or(REST_MAX, |due| Duration::from_millis(due.since(host.now()).0));
    Ok(rest.min(REST_MAX))
}

/// Tells one batch and answers how many it had.
async fn deliver(host: &LocalHost) -> Result<usize, HostError> {
    let told = host.read_long(|db, cx| directory::outbox(db, cx.now, BATCH_MAX)).await?;
    let count = told.len();
    if count > 0 {
        host.write(move |db, cx| {
            let mut effects = Vec::new();
            for held in &told {
                // The randomness of one call must not serve two objects.
                let own = Context { entropy: clock::entropy(), ..*cx };
                effects.extend(hold(db, &own, held)?);
            }
            Ok(((), effects))
        })
        .await?;
    }
    Ok(count)
}

fn hold(db: &dyn tidegate_core::sql::Sql, cx: &Context<'_>, held: &HoldWork) -> Result<Vec<Effect>, Error> {
    let input = EndpointInput::HoldWorkOf { person: held.person.clone(), by: held.by.clone() };
    let effects = match control::handle(db, cx, held.endpoint, input) {
        Ok((_, effects)) => effects,
        // It was admitted and never came to be: it has no work.
        Err(Error::Problem(problem)) if problem.code == Code::UnknownEndpoint => Vec::new(),
        Err(error) => return Err(error),
    };
    directory::outbox_done(db, held)?;
    Ok(effects)
}
