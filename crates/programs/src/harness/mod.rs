//! Real programs in a temporary directory: a control plane, machines, and the API between them.

mod api;
mod browser;
mod cable;
mod certificates;
mod connection;
mod detour;
mod faked_clock;
mod fleet;
mod light;
mod machine;
mod namespace;
mod network;
mod plane;
mod process;
mod tap;

pub use api::{Api, ApiError, sequence_of};
pub use browser::{
    Browser, Cookie, Device, Dialogs, Find, Focus, Here, Layout, Motion, Navigation, Request, Scheme, Tab,
    Violation,
};
pub use cable::Cable;
pub use certificates::{Certificates, Validity};
pub use connection::{Answer, Connection, loopback, request_bytes};
pub use detour::{Detour, DetourOptions, Tamper};
pub use faked_clock::FakedClock;
pub use fleet::{enrol_light, enrol_many, settle};
pub use light::{ENROL_PATH, LightMachine, Newcomer, SYNC_PATH, random};
pub use machine::{Machine, Surroundings};
pub use namespace::Namespace;
pub use network::{Network, Path};
pub use plane::ControlPlane;
pub use process::{Effort, binary, cpu_seconds, descendants, effort, free_port, memory_kib, wait_for};
pub use tap::Exchange;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::verify::Verifier;

/// A control plane with an owner, a client and a site, all in one temporary directory.
#[derive(Debug)]
pub struct World {
    /// Everything of this world; gone at the end.
    pub directory: TempDir,
    /// The control plane's process.
    pub plane: ControlPlane,
    /// Its API, as the owner.
    pub api: Api,
    /// The site that machines enrol into.
    pub site: String,
    machines: usize,
}

impl World {
    /// Sets everything up with the programs as they are.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn new() -> anyhow::Result<Self> {
        Self::with_program(&binary("tidegate")?)
    }

    /// The same with another program in the place of `tidegate`.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn with_program(program: &std::path::Path) -> anyhow::Result<Self> {
        Self::with_plane(program, |_| Ok(()), |_| Ok(()))
    }

    /// The same with a listener of its own for machines.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn with_two_listeners() -> anyhow::Result<Self> {
        Self::with_plane(&binary("tidegate")?, |_| Ok(()), ControlPlane::listen_apart)
    }

    /// The same with TLS by `certificates`, on loopback as `localhost`.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn with_tls(certificates: &Certificates) -> anyhow::Result<Self> {
        Self::with_plane(
            &binary("tidegate")?,
            |_| Ok(()),
            |plane| {
                plane.use_tls(
                    certificates.issue(&["localhost", "127.0.0.1"], Validity::Now)?,
                    certificates.ca_pem(),
                );
                Ok(())
            },
        )
    }

    /// The same with TLS and a listener for machines at `listen`, where they know it by `names`.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn with_tls_at(
        certificates: &Certificates,
        listen: std::net::SocketAddr,
        names: &[String],
    ) -> anyhow::Result<Self> {
        let names: Vec<_> = names.iter().map(String::as_str).chain(["localhost", "127.0.0.1"]).collect();
        let files = certificates.issue(&names, Validity::Now)?;
        Self::with_plane(
            &binary("tidegate")?,
            |_| Ok(()),
            |plane| {
                plane.use_tls(files, certificates.ca_pem());
                plane.arguments = vec![format!("--runtime-listen={listen}")];
                Ok(())
            },
        )
    }

    /// The same with a data directory somewhere else, such as on a disk of its own, and more arguments for `serve`.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn with_data_at(data: &std::path::Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let link = |directory: &std::path::Path| {
            std::fs::create_dir_all(data)?;
            Ok(std::os::unix::fs::symlink(data, directory.join("data"))?)
        };
        Self::with_plane(&binary("tidegate")?, link, |plane| {
            plane.arguments = arguments.iter().map(ToString::to_string).collect();
            Ok(())
        })
    }

    fn with_plane(
        program: &std::path::Path,
        lay: impl FnOnce(&std::path::Path) -> anyhow::Result<()>,
        prepare: impl FnOnce(&mut ControlPlane) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("tidegate-world-").tempdir()?;
        lay(directory.path())?;
        let mut plane = ControlPlane::create(directory.path(), program)?;
        prepare(&mut plane)?;
        plane.start()?;
        let api = plane.api()?;
        let client = api.post("/api/v1/clients", &json!({ "name": "Nordwerk" }))?;
        let site = api.post("/api/v1/sites", &json!({ "client_id": client["id"], "name": "Plant 3" }))?;
        let site = site["id"].as_str().context("a site has an id")?.to_owned();
        Ok(Self { directory, plane, api, site, machines: 0 })
    }

    /// A fresh enrolment code.
    ///
    /// # Errors
    ///
    /// Whatever the API said.
    pub fn code(&self) -> anyhow::Result<String> {
        let code = self.api.post("/api/v1/enrolment-codes", &json!({ "site_id": self.site }))?;
        Ok(code["code"].as_str().context("a new code is told")?.to_owned())
    }

    /// The fingerprint of the owner's root key, as an enrolment code holds it.
    ///
    /// # Errors
    ///
    /// Whatever the API said.
    pub fn root(&self) -> anyhow::Result<String> {
        let code = self.code()?;
        Ok(code.split('.').nth(2).context("a code has four parts")?.to_owned())
    }

    /// A fresh enrolment code that admits so many machines.
    ///
    /// # Errors
    ///
    /// Whatever the API said.
    pub fn code_for(&self, machines: usize) -> anyhow::Result<String> {
        let asked = json!({ "site_id": self.site, "uses": machines });
        let code = self.api.post("/api/v1/enrolment-codes", &asked)?;
        Ok(code["code"].as_str().context("a new code is told")?.to_owned())
    }

    /// Enrols a fresh machine; it is not started.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn machine(&mut self) -> anyhow::Result<Machine> {
        let server = self.plane.runtime_url();
        self.machine_through(&server)
    }

    /// The same for a machine that knows the control plane by another address, such as a [`Path`]'s.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn machine_through(&mut self, server: &str) -> anyhow::Result<Machine> {
        self.machines += 1;
        let state = self.directory.path().join(format!("machine-{}", self.machines));
        Machine::enrol(&state, server, &self.code()?)
    }

    /// Enrols a fresh machine in other surroundings, where it knows the control plane as `server`; it is not started.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn machine_in(&mut self, surroundings: &Surroundings, server: &str) -> anyhow::Result<Machine> {
        self.machines += 1;
        let state = self.directory.path().join(format!("machine-{}", self.machines));
        Machine::enrol_in(surroundings, &binary("tidegate-runtime")?, &state, server, &self.code()?)
    }

    /// Enrols a fresh machine whose state is in `state`, such as on a disk of its own; it is not started.
    ///
    /// # Errors
    ///
    /// Whatever a program said.
    pub fn machine_at(&mut self, state: &std::path::Path) -> anyhow::Result<Machine> {
        self.machines += 1;
        std::fs::create_dir_all(state)?;
        let link = self.directory.path().join(format!("machine-{}", self.machines));
        std::os::unix::fs::symlink(state, &link)?;
        Machine::enrol(&link, &self.plane.runtime_url(), &self.code()?)
    }

    /// Waits until the endpoint is in the listing.
    ///
    /// # Errors
    ///
    /// When it does not get there.
    pub fn listed(&self, endpoint: &str) -> anyhow::Result<()> {
        wait_for("the endpoint to be listed", 30, || {
            let listed = self.api.get("/api/v1/endpoints?limit=200")?;
            let items = listed["items"].as_array().cloned().unwrap_or_default();
            Ok(items.iter().any(|item| item["id"] == endpoint))
        })
    }

    /// Queues a sequence and answers its id.
    ///
    /// # Errors
    ///
    /// Whatever the API said.
    pub fn queue(&self, machine: &Machine, sequence: &Value) -> anyhow::Result<String> {
        let queued = self.api.post(&format!("/api/v1/endpoints/{}/sequences", machine.endpoint), sequence)?;
        Ok(queued["id"].as_str().context("a sequence has an id")?.to_owned())
    }

    /// The sequence as the API shows it.
    ///
    /// # Errors
    ///
    /// Whatever the API said.
    pub fn sequence(&self, id: &str) -> anyhow::Result<Value> {
        self.api.get(&format!("/api/v1/sequences/{id}"))
    }

    /// Waits until the sequence has ended, and answers it.
    ///
    /// # Errors
    ///
    /// When it has not ended within `seconds`, with how it stands.
    pub fn ended(&self, id: &str, seconds: u64) -> anyhow::Result<Value> {
        let is_ended = |state: &str| {
            ["succeeded", "failed", "stopped", "refused", "cancelled", "expired", "lost"].contains(&state)
        };
        self.until(id, seconds, is_ended)
    }

    /// Waits until the sequence's state satisfies `reached`, and answers it.
    ///
    /// # Errors
    ///
    /// When that does not happen within `seconds`, with how it stands.
    pub fn until(&self, id: &str, seconds: u64, reached: impl Fn(&str) -> bool) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        wait_for(&format!("sequence {id}"), seconds, || {
            last = self.sequence(id)?;
            Ok(last["state"].as_str().is_some_and(&reached))
        })
        .with_context(|| format!("it stands as {last:#}"))?;
        Ok(last)
    }

    /// Verifies a fresh export with nothing but the file; answers how far it holds.
    ///
    /// # Errors
    ///
    /// Whatever does not hold in it.
    pub fn verified(&self, endpoint: &str) -> anyhow::Result<String> {
        let mut verifier = Verifier::new(Some(self.root()?.parse()?));
        verifier.feed(self.api.text(&format!("/api/v1/endpoints/{endpoint}/export"))?.as_bytes());
        let report = verifier.finish();
        anyhow::ensure!(report.problems.is_empty(), "the export does not hold: {:#?}", report.problems);
        anyhow::ensure!(report.is_root_trusted, "the record is of another owner");
        anyhow::ensure!(report.complete_to == report.entries, "complete to {}", report.complete_to);
        let endorsed = report.endorsed_to.unwrap_or(0);
        Ok(format!("complete to {}, endorsed to {endorsed}", report.complete_to))
    }

    /// Runs the program `tidegate` against this control plane and answers what it printed.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or ends with another exit code than `expected`.
    pub fn tidegate(&self, arguments: &[&str], expected: i32) -> anyhow::Result<String> {
        let output = std::process::Command::new(binary("tidegate")?)
            .args(arguments)
            .env("TIDEGATE_URL", self.plane.url())
            .env("TIDEGATE_TOKEN", &self.plane.token)
            .env("XDG_CONFIG_HOME", self.directory.path())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(
            output.status.code() == Some(expected),
            "tidegate {} ended with {} and said: {said}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }
}
