//! A proxy of somebody else's, as a process of the show's own.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::harness::wait_for;

/// A program that listens on a port of loopback; it ends with this value.
pub(super) struct Peer {
    child: Child,
    pub(super) port: u16,
    log: PathBuf,
}

impl Peer {
    /// Starts `command` and waits until it listens on `port`. What it says goes to a file in `directory`.
    pub(super) fn start(mut command: Command, port: u16, directory: &Path) -> anyhow::Result<Self> {
        let log = directory.join("said.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("`{program}` does not start: `./dev shows proxies` installs it"))?;
        let mut peer = Self { child, port, log };
        let listens = wait_for(&format!("`{program}` to listen"), 60, || {
            if let Some(status) = peer.child.try_wait()? {
                anyhow::bail!("it ended with {status}");
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        });
        listens.with_context(|| std::fs::read_to_string(&peer.log).unwrap_or_default())?;
        Ok(peer)
    }

    /// What `HTTPS_PROXY` must say to go through it.
    pub(super) fn address(&self, credentials: &str) -> String {
        format!("http://{credentials}127.0.0.1:{}", self.port)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
