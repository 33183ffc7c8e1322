//! `status`: how this endpoint stands, read beside a running program.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use tidegate_core::error::Error;
use tidegate_core::id::EndpointId;
use tidegate_core::runtime::{self, document_load};
use tidegate_sqlite::{Fatal, ReadError, Readers, Settings};

use crate::clock;
use crate::identity::{DOCUMENT, Identity};

/// What `status` says.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) endpoint_id: Option<EndpointId>,
    pub(crate) server: Option<String>,
    pub(crate) running: bool,
    #[serde(flatten)]
    pub(crate) status: Option<runtime::Status>,
}

/// Reads the state directory; a program that runs on it is not disturbed.
pub(crate) fn read(state: &Path) -> anyhow::Result<Report> {
    let file = state.join("state.db");
    anyhow::ensure!(
        file.exists(),
        "there is no state in `{}`: run `tidegate-runtime enrol` first",
        state.display()
    );
    let readers = Readers::open(&file, 1, &Settings::endpoint(), Fatal::default())
        .with_context(|| format!("failed to open `{}`", file.display()))?;
    let running = tidegate_sqlite::DirectoryLock::acquire(state).is_err();
    let read = readers.with(|db| {
        let identity: Option<Identity> = document_load(db, DOCUMENT)?;
        let is_enrolled = identity.as_ref().is_some_and(|identity| identity.enrolled.is_some());
        let status = if is_enrolled { Some(runtime::status(db, &clock::read())?) } else { None };
        Ok::<_, Error>((identity, status))
    });
    let (identity, status) = read.map_err(|error| match error {
        ReadError::Job(error) => anyhow::Error::new(error),
        ReadError::Storage(error) => anyhow::Error::new(error).context("failed to read the state directory"),
    })?;
    Ok(Report {
        endpoint_id: identity.as_ref().and_then(|identity| Some(identity.enrolled.as_ref()?.endpoint)),
        server: identity.map(|identity| identity.server),
        running,
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
            ("time", if status.is_time_known { "known".into() } else { "not known yet".into() }),
        ];
        lines.map(|(name, value)| format!("{name:<14} {value}")).join("\n")
    }
}
