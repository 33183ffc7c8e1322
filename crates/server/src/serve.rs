//! The program `serve`: until a signal.

use std::io::Write as _;

use anyhow::Context as _;

use crate::logs;
use crate::options::ServeOptions;
use crate::server::{Addresses, Server};

/// Serves until SIGTERM or SIGINT, on a runtime of its own. A second signal ends the process at once.
///
/// One line goes to standard output when it listens, which scripts wait for; everything else is log.
///
/// # Errors
///
/// When it cannot start: no owner, the data directory or an address in use, a file that does not read.
pub fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(run(options))
}

/// Serves as [`serve`] does, on the caller's runtime.
///
/// # Errors
///
/// As [`serve`].
pub async fn run(options: ServeOptions) -> anyhow::Result<()> {
    logs::start(options.log_format)?;
    crate::limits::raise_open_files();
    let mut signals = Signals::new()?;
    let has_tls = options.tls.is_some();
    let running = Server::start(options).await?;
    announce(running.addresses(), has_tls);
    signals.next().await;
    tracing::info!("shutting down: held syncs are answered, what is queued is stored");
    tokio::select! {
        () = running.shutdown() => Ok(()),
        () = signals.next() => {
            tracing::warn!("a second signal: ending at once");
            std::process::exit(130)
        }
    }
}

/// Says where it listens. Nobody may be reading standard output, which is no reason to end.
fn announce(addresses: Addresses, has_tls: bool) {
    let scheme = if has_tls { "https" } else { "http" };
    let runtimes = addresses.runtime.map(|address| format!(", runtimes on {scheme}://{address}"));
    let line = format!("listening on {scheme}://{}{}", addresses.people, runtimes.unwrap_or_default());
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    tracing::info!("{line}");
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("failed to listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
