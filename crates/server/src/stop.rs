//! The one signal that everything ends.

use tokio::sync::watch;

/// Waits until everything is to stop. A server that was dropped has stopped.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The guard of the value ends here: kept in a `select!`, it could not go from thread to thread.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
