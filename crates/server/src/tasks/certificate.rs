//! Notices a renewed certificate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::passes;
use crate::net::Tls;

/// How often the files are looked at: two calls of stat(2).
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until the server stops, and at once when SIGHUP comes, as service managers send it to reload.
pub(crate) async fn certificate_task(tls: Arc<Tls>, mut stopping: watch::Receiver<bool>) {
    let mut reload = Reload::new();
    loop {
        let goes_on = tokio::select! {
            () = reload.asked() => true,
            passed = passes(LOOK_EVERY, &mut stopping) => passed,
        };
        if !goes_on {
            return;
        }
        let tls = Arc::clone(&tls);
        if tokio::task::spawn_blocking(move || tls.renew()).await.is_err() {
            return;
        }
    }
}

#[cfg(unix)]
struct Reload(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Reload {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn asked(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
struct Reload;

#[cfg(not(unix))]
impl Reload {
    fn new() -> Self {
        Self
    }

    async fn asked(&mut self) {
        std::future::pending().await
    }
}
