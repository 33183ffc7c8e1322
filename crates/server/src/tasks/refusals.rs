//! Stores which sign-ins were refused, once a minute and at the end.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::call::{DirectoryInput, Input, ObjectId};
use tidegate_web::Host as _;

use super::{passes, tell};
use crate::host::LocalHost;

/// How often: what a crash may forget, and one transaction whatever is tried meanwhile.
const STORE_EVERY: Duration = Duration::from_secs(60);

/// Stores refused sign-ins until the server stops, which stores the last ones itself.
pub(crate) async fn refusals_task(host: Arc<LocalHost>) {
    let mut stopping = host.stopping.clone();
    while passes(STORE_EVERY, &mut stopping).await {
        refusals_store(&host).await;
    }
}

/// Stores what was refused since the last time.
pub(crate) async fn refusals_store(host: &LocalHost) {
    let Some(told) = host.refusals.take(host.now()) else { return };
    let input = Input::Directory(DirectoryInput::SignInsRefused(told.clone()));
    if let Err(error) = host.handle(ObjectId::Directory, input).await {
        tell(&error, "refused sign-ins could not be stored in the audit log; it is tried again");
        host.refusals.give_back(told);
    }
}
