//! The process between this one and the browser, and the lines that go to and fro.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::{Browser, chromium, modules};

/// How long an answer may take beyond what was asked for: the driver ends what takes too long by itself, so this is
/// reached only when it hangs.
const GRACE: Duration = Duration::from_secs(60);

/// How long the browser is given to end by itself.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The process.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<std::io::Result<String>>,
    /// Profile, caches and the log; gone at the end.
    directory: TempDir,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    value: Value,
    error: Option<String>,
    #[serde(rename = "where")]
    place: Option<Place>,
}

/// Where an error happened.
#[derive(Deserialize)]
struct Place {
    url: String,
    title: String,
    status: u16,
    text: String,
    problems: Vec<String>,
}

impl Driver {
    /// Starts it and the browser; answers the browser's version too.
    pub(super) fn start() -> anyhow::Result<(Self, String)> {
        if let Some(missing) = Browser::missing() {
            bail!(missing);
        }
        let directory = tempfile::Builder::new().prefix("tidegate-browser-").tempdir()?;
        let log = std::fs::File::create(directory.path().join("log"))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/driver.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("TIDEGATE_BROWSER", modules().unwrap_or_default())
            .env("TIDEGATE_CHROMIUM", chromium())
            // Whatever a browser leaves behind, it leaves here.
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .env("XDG_CONFIG_HOME", directory.path())
            .env("XDG_CACHE_HOME", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("node could not be started: `./dev` installs it")?;
        let requests = child.stdin.take();
        let answers = lines(child.stdout.take().context("the driver has an output")?);
        let mut driver = Self { child, requests, answers, directory };
        let greeting = driver.answer(Duration::ZERO)?;
        let version = greeting["version"].as_str().context("the driver tells the version")?.to_owned();
        Ok((driver, version))
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// What went wrong, with the page where it did.
    pub(super) fn ask(&mut self, request: &Value) -> anyhow::Result<Value> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let requests = self.requests.as_mut().context("the driver was ended")?;
        let sent = requests.write_all(&line).and_then(|()| requests.flush());
        sent.with_context(|| format!("the driver ended and said: {}", self.said()))?;
        self.answer(Duration::from_millis(request["timeout"].as_u64().unwrap_or(0)))
            .with_context(|| format!("the browser was asked for {request}"))
    }

    fn answer(&mut self, allowed: Duration) -> anyhow::Result<Value> {
        let line = match self.answers.recv_timeout(allowed + GRACE) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => bail!("the driver hangs; it said: {}", self.said()),
            Err(RecvTimeoutError::Disconnected) => bail!("the driver ended and said: {}", self.said()),
        };
        let line: Line = serde_json::from_str(&line)?;
        let Some(error) = line.error else { return Ok(line.value) };
        let Some(place) = line.place else { bail!(error) };
        let Place { url, title, status, text, problems } = place;
        bail!("{error}\n  at {url} ({status}, “{title}”)\n  problems: {problems:?}\n  the page says: {text}")
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// Reads lines in a thread of its own, so that waiting for one can end.
fn lines(output: impl std::io::Read + Send + 'static) -> Receiver<std::io::Result<String>> {
    // One answer for each request: more than one is never on its way.
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends the browser and itself when nobody asks any more.
        drop(self.requests.take());
        let until = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                // The browser's pipe closes with it, and the browser ends on that.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
