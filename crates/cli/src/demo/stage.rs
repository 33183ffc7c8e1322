//! What the scenes play on: the directory, the processes, the link and the client.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::api::{EndpointView, Reachability, TokenLife};
use tidegate_core::digest::Digest;
use tidegate_core::obstacle::Obstacle;

use super::children::{self, Process};
use crate::client::Api;
use crate::connection::{Target, parse_base};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, OwnerOptions};
use crate::link::{self, Conditions, Counts, Link, LinkOptions};
use crate::screen::Screen;
use crate::text::shell_word;

/// Whose control plane it is.
pub(super) const OWNER: &str = "owner@demo.example";
/// How long the control plane may take to start, and the runtime to be heard: both need less than a second.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// The runtime's slowest retry: well below the shortest window of the story.
const RETRY_MAX: &str = "2s";
/// How often something that must come is asked for.
const ASK_DELAY: Duration = Duration::from_millis(200);

/// What the scenes play on.
pub(super) struct Stage {
    directory: PathBuf,
    temporary: Option<TempDir>,
    /// Where people reach the control plane.
    pub(super) url: String,
    /// A one-time link for a browser or `tidegate login`.
    pub(super) sign_in_link: String,
    /// The fingerprint of the owner's root key; absent before there is one.
    pub(super) root: Option<Digest>,
    control_plane: Option<Process>,
    runtime: Option<Process>,
    link: Option<Link>,
    api: Option<Api>,
    endpoint: String,
}

impl Stage {
    /// Makes the directory; nothing is started yet.
    pub(super) fn prepare(data: Option<PathBuf>) -> Result<Self, Failure> {
        // A missing runtime is told before anything begins.
        children::runtime_program()?;
        let failed = |error: std::io::Error| {
            Failure::refused("failed to make the directory").of(Obstacle::FileNotWritten).caused_by(&error)
        };
        let (directory, temporary) = match data {
            Some(directory) => {
                fs::create_dir_all(&directory).map_err(failed)?;
                if fs::read_dir(&directory).map_err(failed)?.next().is_some() {
                    return Err(Failure::usage(format!("`{}` is not empty", directory.display()))
                        .next("the demonstration begins anew: name an empty or new directory"));
                }
                (std::path::absolute(&directory).map_err(failed)?, None)
            }
            None => {
                let temporary =
                    tempfile::Builder::new().prefix("tidegate-demo-").tempdir().map_err(failed)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        Ok(Self {
            directory,
            temporary,
            url: String::new(),
            root: None,
            sign_in_link: String::new(),
            control_plane: None,
            runtime: None,
            link: None,
            api: None,
            endpoint: String::new(),
        })
    }

    /// Where the link listens.
    pub(super) fn link_address(&self) -> String {
        self.link.as_ref().map(|link| link.address().to_string()).unwrap_or_default()
    }

    /// The file that a shell reads to have this program, the address and the token at hand.
    pub(super) fn environment_file(&self) -> PathBuf {
        self.directory.join("env.sh")
    }

    /// Writes [`Self::environment_file`].
    pub(super) fn write_environment(&self) -> Result<(), Failure> {
        let program = children::this_program()?;
        let folder = program.parent().unwrap_or(Path::new(".")).display().to_string();
        let text = format!(
            "export PATH={}:\"$PATH\"\nexport TIDEGATE_URL={}\nexport TIDEGATE_TOKEN=\"$(cat {})\"",
            shell_word(&folder),
            shell_word(self.url.trim_end_matches('/')),
            shell_word(&self.token_file().display().to_string()),
        );
        write_secret(&self.environment_file(), &text)
    }

    /// Where everything is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file with the API token alone in it.
    pub(super) fn token_file(&self) -> PathBuf {
        self.directory.join("token")
    }

    /// The id of this computer as a machine.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The client of the control plane.
    pub(super) fn api(&self) -> Result<&Api, Failure> {
        self.api.as_ref().ok_or_else(|| Failure::refused("the control plane is not started"))
    }

    /// Makes owner and token, starts the control plane, and waits until it answers.
    pub(super) async fn start_control_plane(&mut self) -> Result<(), Failure> {
        let address = free_address()?;
        self.url = format!("http://{address}/");
        let data = self.directory.join("control-plane");
        let owner = host::create_owner(&OwnerOptions {
            data: data.clone(),
            email: OWNER.into(),
            root_key: Some(self.directory.join("root-key.pem")),
            url: self.url.trim_end_matches('/').to_owned(),
        })?;
        (self.sign_in_link, self.root) = (owner.sign_in_link, Some(owner.root_fingerprint));
        let token = host::create_token(&data, OWNER, TokenLife::default())?;
        write_secret(&self.token_file(), &token)?;
        let log = self.directory.join("control-plane.log");
        let (data, address) = (data.display().to_string(), address.to_string());
        let url = self.url.clone();
        let arguments = ["serve", "--data", &data, "--listen", &address, "--public-url", &url];
        self.control_plane =
            Some(Process::start("the control plane", &children::this_program()?, &arguments, log)?);
        self.api = Some(Api::new(Target { base: parse_base(&self.url)?, token: Some(token), ca: None })?);
        self.until("the control plane answers", async |stage| {
            match stage.api()?.get(&["clients"], &[]).await {
                Ok(_) => Ok(Some(())),
                Err(failure) if failure.exit == Exit::NotReachable => Ok(None),
                Err(failure) => Err(failure),
            }
        })
        .await
    }

    /// Starts the link, enrols this computer through it and starts its runtime; waits until it was heard.
    pub(super) async fn start_machine(&mut self, code: &str) -> Result<EndpointView, Failure> {
        let options = LinkOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            to: self.url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            conditions: Conditions::default(),
            open: true,
        };
        let link = Link::start(options)
            .await
            .map_err(|error| Failure::refused("failed to start the link").caused_by(&error))?;
        let server = format!("http://{}", link.address());
        self.link = Some(link);
        let program = children::runtime_program()?;
        let state = self.directory.join("runtime").display().to_string();
        // The temporary directory may be in memory: here nothing has to outlive the computer.
        let mut arguments = vec!["enrol", "--server", &server, "--code", code, "--state", &state, "--json"];
        arguments.push("--allow-volatile-state");
        let printed = children::output("the runtime's enrolment", &program, &arguments).await?;
        self.endpoint = endpoint_id(&printed)?;
        let log = self.directory.join("runtime.log");
        let arguments = ["run", "--state", &state, "--retry-max", RETRY_MAX];
        self.runtime = Some(Process::start("the runtime", &program, &arguments, log)?);
        self.until("the runtime is heard", async |stage| {
            let view = stage.machine().await?;
            Ok((view.reachability == Reachability::Reachable && view.probes.is_some()).then_some(view))
        })
        .await
    }

    /// This computer as the control plane sees it.
    pub(super) async fn machine(&self) -> Result<EndpointView, Failure> {
        self.api()?.get(&["endpoints", &self.endpoint], &[]).await?.parse()
    }

    /// Opens or closes the link. It has when this returns.
    pub(super) async fn set_link(&self, path: link::Path) -> Result<(), Failure> {
        let Some(link) = &self.link else { return Ok(()) };
        let changed = match path {
            link::Path::Open => link.open().await,
            link::Path::Closed => link.close().await,
        };
        changed.map_err(|error| Failure::refused("failed to change the link").caused_by(&error))
    }

    /// What has passed the link.
    pub(super) fn link_counts(&self) -> Counts {
        self.link.as_ref().map(Link::counts).unwrap_or_default()
    }

    /// The ids of the control plane's and the runtime's process.
    pub(super) fn process_ids(&self) -> [u32; 2] {
        [&self.control_plane, &self.runtime].map(|process| process.as_ref().map_or(0, Process::id))
    }

    /// Returns when one of the processes has ended by itself.
    pub(super) async fn child_ended(&mut self) -> Failure {
        let ended = async |process: Option<&mut Process>| match process {
            Some(process) => process.ended().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            failure = ended(self.control_plane.as_mut()) => failure,
            failure = ended(self.runtime.as_mut()) => failure,
        }
    }

    /// Whether the directory goes when the demonstration ends.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Sleeps, unless one of the processes ends meanwhile.
    pub(super) async fn sleep(&mut self, duration: Duration) -> Result<(), Failure> {
        self.sleep_until(tokio::time::Instant::now() + duration).await
    }

    /// Sleeps until `instant`, unless one of the processes ends meanwhile.
    pub(super) async fn sleep_until(&mut self, instant: tokio::time::Instant) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep_until(instant) => Ok(()),
            failure = self.child_ended() => Err(failure),
        }
    }

    /// Keeps a temporary directory in which a process has written, for whoever wants to know what went wrong.
    pub(super) fn keep_logs(&mut self, screen: &Screen) {
        let logs: Vec<_> =
            [&self.control_plane, &self.runtime].into_iter().flatten().map(Process::log).collect();
        if logs.is_empty() {
            return;
        }
        for log in logs {
            screen.note(&format!("What it said is in {}", log.display()));
        }
        if let Some(temporary) = self.temporary.take() {
            screen.note(&format!("Remove {} when you have read it.", temporary.keep().display()));
        }
    }

    /// Ends every process that was started, the runtime first, and removes a temporary directory.
    pub(super) async fn end(mut self) {
        for process in [self.runtime.take(), self.control_plane.take()].into_iter().flatten() {
            process.end().await;
        }
    }

    /// Asks again and again until `ask` has something; a process that ends meanwhile ends the wait.
    async fn until<T>(
        &mut self,
        what: &str,
        ask: impl AsyncFn(&Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        loop {
            if let Some(found) = ask(self).await? {
                return Ok(found);
            }
            if began.elapsed() > START_TIMEOUT {
                return Err(Failure::new(Exit::NotReachable, format!("waited in vain until {what}"))
                    .of(Obstacle::NoAnswer));
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_DELAY) => {}
                failure = self.child_ended() => return Err(failure),
            }
        }
    }
}

/// The id in what `tidegate-runtime enrol --json` prints.
fn endpoint_id(printed: &str) -> Result<String, Failure> {
    let last = printed.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let answer: Option<Value> = serde_json::from_str(last).or_else(|_| serde_json::from_str(printed)).ok();
    answer
        .as_ref()
        .and_then(|answer| answer.get("endpoint_id"))
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Failure::refused("the runtime enrolled and did not say as whom").because(printed))
}

/// A free port of this computer. Between this and the control plane's start another program could take it;
/// the control plane then says so and nothing else happens.
fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::refused("failed to find a free port").caused_by(&error))
}

fn write_secret(path: &Path, secret: &str) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{secret}")?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| {
        Failure::refused(format!("failed to write `{}`", path.display()))
            .of(Obstacle::FileNotWritten)
            .caused_by(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_in_what_the_runtime_prints() {
        assert_eq!(endpoint_id("enrolling …\n{\"endpoint_id\":\"abc\"}\n").unwrap(), "abc");
        assert_eq!(endpoint_id("{\n  \"endpoint_id\": \"abc\"\n}\n").unwrap(), "abc");
        assert!(endpoint_id("done\n").is_err());
    }
}
