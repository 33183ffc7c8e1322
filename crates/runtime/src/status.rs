//! `status`: how this endpoint stands, read beside a running program.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use tidegate_core::error::Error;
use tidegate_core::id::EndpointId;
use tidegate_core::runtime::{self, document_load};
use tidegate_core::schema;
use tidegate_sqlite::{Fatal, ReadError, Readers, Settings, check_room};

use crate::clock;
use crate::identity::{DOCUMENT, Identity, not_enrolled};
use crate::room::RESERVE_BYTES;
use crate::state_directory::explained;
use crate::traffic::{self, DayTraffic};

/// What `status` says.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) endpoint_id: Option<EndpointId>,
    pub(crate) server: Option<String>,
    pub(crate) running: bool,
    /// Bytes of the path today, as last kept: at most an hour ago.
    pub(crate) traffic_today: Option<DayTraffic>,
    /// Free on the disk of the state directory.
    pub(crate) disk_free_bytes: u64,
    #[serde(flatten)]
    pub(crate) status: Option<runtime::Status>,
}

/// Reads the state directory; a program that runs on it is not disturbed.
pub(crate) fn read(state: &Path) -> anyhow::Result<Report> {
    let file = state.join("state.db");
    if let Err(error) = std::fs::metadata(&file) {
        if error.kind() == std::io::ErrorKind::NotFound {
            anyhow::bail!(not_enrolled(state));
        }
        return Err(explained(state, error.into()));
    }
    read_existing(state, &file).map_err(|error| explained(state, error))
}

fn read_existing(state: &Path, file: &Path) -> anyhow::Result<Report> {
    let running = tidegate_sqlite::DirectoryLock::acquire(state).is_err();
    if !running {
        check_room(file).with_context(|| {
            format!("no step starts: the disk of `{}` is full; free some room on it", state.display())
        })?;
    }
    let readers = Readers::open(file, 1, &Settings::endpoint(), Fatal::default())
        .with_context(|| format!("failed to open `{}`", file.display()))?;
    let read = readers.with(|db| {
        if let Err(newer) = schema::version(db, &runtime::SCHEMA) {
            return Ok(Err(newer));
        }
        let identity: Option<Identity> = document_load(db, DOCUMENT)?;
        let is_enrolled = identity.as_ref().is_some_and(|identity| identity.enrolled.is_some());
        let status = if is_enrolled { Some(runtime::status(db, &clock::read())?) } else { None };
        let traffic: Option<DayTraffic> = document_load(db, traffic::DOCUMENT)?;
        Ok::<_, Error>(Ok((identity, status, traffic)))
    });
    let read = read.map_err(|error| match error {
        ReadError::Job(error) => anyhow::Error::new(error),
        ReadError::Storage(error) => anyhow::Error::new(error).context("failed to read the state directory"),
    })?;
    let (identity, status, traffic_today) = read?;
    Ok(Report {
        endpoint_id: identity.as_ref().and_then(|identity| Some(identity.enrolled.as_ref()?.endpoint)),
        server: identity.map(|identity| identity.server),
        running,
        traffic_today,
        disk_free_bytes: free_bytes(state)?,
        status,
    })
}

impl Report {
    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let Some(status) = &self.status else {
            return "not enrolled: run `tidegate-runtime enrol`".to_owned();
        };
        let endpoint = self.endpoint_id.map(|endpoint| endpoint.to_string()).unwrap_or_default();
        let waiting = status.journal.number.saturating_sub(status.acknowledged);
        let lines = [
            ("machine", endpoint),
            ("control plane", self.server.clone().unwrap_or_default()),
            ("runtime", if self.running { "running".into() } else { "not running".into() }),
            (
                "history",
                match (status.is_retired, status.is_adopted) {
                    (true, _) => "retired: it does nothing more".into(),
                    (false, true) => "adopted: work runs".into(),
                    (false, false) => {
                        "not adopted yet: nothing runs until the control plane adopts it".into()
                    }
                },
            ),
            ("work", format!("{} not ended", status.live)),
            ("to return", format!("{waiting} of {} entries", status.journal.number)),
            ("time", time_words(status)),
            ("room", self.room_words(status)),
            ("traffic", self.traffic_today.as_ref().map_or_else(|| "none counted yet".into(), traffic_words)),
        ];
        lines.map(|(name, value)| format!("{name:<14} {value}")).join("\n")
    }
}

impl Report {
    fn room_words(&self, status: &runtime::Status) -> String {
        let free = format!("{:.1} MiB free on the disk", self.disk_free_bytes as f64 / f64::from(1 << 20));
        let needed = RESERVE_BYTES >> 20;
        match (status.waiting_for_room, self.disk_free_bytes < RESERVE_BYTES) {
            (0, false) => free,
            (waiting, true) => {
                format!(
                    "{free}: without {needed} MiB no step starts, and {waiting} sequences wait for them; free some"
                )
            }
            (waiting, false) => {
                format!(
                    "{free}, and {waiting} sequences wait: the journal is full until results are returned"
                )
            }
        }
    }
}

/// What this program may still have of the disk.
fn free_bytes(state: &Path) -> anyhow::Result<u64> {
    let facts = rustix::fs::statvfs(state)
        .with_context(|| format!("failed to look at the disk of `{}`", state.display()))?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

fn time_words(status: &runtime::Status) -> String {
    match (status.is_time_known, status.is_time_confirmed) {
        (_, true) => format!("{} (signed by the control plane since this machine started)", status.time),
        (true, false) => format!("{} (this machine's clock, corrected as last measured)", status.time),
        (false, false) => "not known yet: work with a condition on time waits".into(),
    }
}

fn traffic_words(today: &DayTraffic) -> String {
    let kilobytes = |bytes: u64| format!("{:.1} KB", bytes as f64 / 1e3);
    format!("{} up, {} down on {}", kilobytes(today.up_bytes), kilobytes(today.down_bytes), today.day)
}
