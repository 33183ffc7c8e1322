//! The control plane's process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use tidegate_server::TlsFiles;

use super::{Api, free_port, wait_for};

/// A control plane with its data directory; the process is ended at the latest with this value.
#[derive(Debug)]
pub struct ControlPlane {
    /// The data directory.
    pub data: PathBuf,
    /// An API token of the owner.
    pub token: String,
    /// What the program is told beside its usual arguments.
    pub environment: Vec<(String, String)>,
    /// More arguments of `serve`, from the next start on.
    pub arguments: Vec<String>,
    program: PathBuf,
    log: PathBuf,
    sign_in_link: String,
    port: u16,
    runtime_port: Option<u16>,
    tls: Option<(TlsFiles, String)>,
    child: Option<Child>,
}

impl ControlPlane {
    /// Makes the data directory, the owner and a token under `directory`. The process is not started.
    ///
    /// # Errors
    ///
    /// Whatever the program said.
    pub fn create(directory: &Path, program: &Path) -> anyhow::Result<Self> {
        let (data, root_key) = (directory.join("data"), directory.join("root-key.pem"));
        let mut plane = Self {
            data,
            token: String::new(),
            environment: Vec::new(),
            arguments: Vec::new(),
            program: program.to_owned(),
            log: directory.join("control-plane.log"),
            sign_in_link: String::new(),
            port: free_port()?,
            runtime_port: None,
            tls: None,
            child: None,
        };
        let root_key = root_key.to_string_lossy().into_owned();
        let said = plane.admin(&["owner", "--email", "owner@example.com", "--root-key", &root_key])?;
        plane.sign_in_link = said.lines().last().unwrap_or_default().trim().to_owned();
        let said = plane.admin(&["token", "--email", "owner@example.com"])?;
        plane.token = said.lines().last().context("the token is on the last line")?.trim().to_owned();
        Ok(plane)
    }

    /// A second control plane from a backup, with its own token, as a thief of the backup would set it up, with more in
    /// the environment of its programs.
    ///
    /// # Errors
    ///
    /// Whatever the program said.
    pub fn of_backup(
        directory: &Path,
        program: &Path,
        backup: &Path,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut plane = Self {
            data: directory.join("data-of-backup"),
            token: String::new(),
            environment: environment.to_vec(),
            arguments: Vec::new(),
            program: program.to_owned(),
            log: directory.join("control-plane-of-backup.log"),
            sign_in_link: String::new(),
            port: free_port()?,
            runtime_port: None,
            tls: None,
            child: None,
        };
        plane.admin(&["restore", "--from", &backup.to_string_lossy()])?;
        let said = plane.admin(&["token", "--email", "owner@example.com"])?;
        plane.token = said.lines().last().context("the token is on the last line")?.trim().to_owned();
        Ok(plane)
    }

    /// The program that it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs `tidegate admin …` on the data directory and answers what it printed.
    ///
    /// # Errors
    ///
    /// What it said, when it did not end with 0.
    pub fn admin(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .arg("admin")
            .args(arguments)
            .arg("--data")
            .arg(&self.data)
            .envs(self.environment.iter().cloned())
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "admin {} failed: {error}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The secret of the owner's one-time sign-in link.
    pub fn sign_in_secret(&self) -> &str {
        self.sign_in_link.rsplit('#').next().unwrap_or_default()
    }

    /// Where it listens, for machines and people.
    pub fn url(&self) -> String {
        match self.tls {
            None => format!("http://127.0.0.1:{}", self.port),
            Some(_) => format!("https://localhost:{}", self.port),
        }
    }

    /// A client of its API, as the owner.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn api(&self) -> anyhow::Result<Api> {
        Api::trusting(&self.url(), &self.token, self.tls.as_ref().map(|(_, ca_pem)| ca_pem.as_str()))
    }

    /// Speaks TLS from the next start on, vouched for by `ca_pem`.
    pub fn use_tls(&mut self, files: TlsFiles, ca_pem: &str) {
        self.tls = Some((files, ca_pem.to_owned()));
    }

    /// Gives machines a listener of their own, from the next start on.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn listen_apart(&mut self) -> anyhow::Result<()> {
        self.runtime_port = Some(free_port()?);
        Ok(())
    }

    /// Where it listens for machines.
    pub fn runtime_url(&self) -> String {
        match self.tls {
            None => format!("http://127.0.0.1:{}", self.runtime_port()),
            Some(_) => format!("https://localhost:{}", self.runtime_port()),
        }
    }

    /// The port it listens on for machines.
    pub fn runtime_port(&self) -> u16 {
        self.runtime_port.unwrap_or(self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process's id.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the control plane is not running")?.id())
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not become ready, with what it said.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let api = self.api()?;
        self.becomes("the control plane", |_| Ok(api.status("/readyz").is_ok_and(|status| status == 200)))
    }

    /// Starts it with a certificate that no client believes, and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not, with what it said.
    pub fn start_unseen(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let port = self.port;
        self.becomes("the control plane", |_| Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()))
    }

    fn becomes(
        &mut self,
        what: &str,
        mut reached: impl FnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let ready = wait_for(what, 30, || {
            let child = self.child.as_mut().context("the control plane was started")?;
            if let Some(status) = child.try_wait()? {
                anyhow::bail!("the control plane ended with {status}");
            }
            reached(self)
        });
        ready.with_context(|| std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let apart = self.runtime_port.map(|port| format!("--runtime-listen=127.0.0.1:{port}"));
        let child = Command::new(&self.program)
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
            .args(apart)
            .args(self.tls.iter().flat_map(|(files, _)| {
                [
                    OsStr::new("--tls-cert"),
                    files.cert.as_os_str(),
                    OsStr::new("--tls-key"),
                    files.key.as_os_str(),
                ]
            }))
            .args(&self.arguments)
            .arg("--data")
            .arg(&self.data)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends it as a crash would: SIGKILL.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the control plane is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends it as an operator would: SIGTERM; answers whether it ended with 0.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn stop(&mut self) -> anyhow::Result<bool> {
        let mut child = self.child.take().context("the control plane is not running")?;
        super::process::terminate(child.id())?;
        Ok(child.wait()?.success())
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        match &mut self.child {
            None => Ok(false),
            Some(child) => Ok(child.try_wait()?.is_none()),
        }
    }

    /// What the process said so far.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn said(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if self.child.is_some() {
            let _ = self.kill();
        }
    }
}
