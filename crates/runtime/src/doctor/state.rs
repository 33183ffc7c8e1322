//! The state directory, read beside a runtime that may work on it.

use std::path::Path;

use tidegate_core::error::Error;
use tidegate_core::id::EndpointId;
use tidegate_core::runtime::{self, document_load};
use tidegate_core::sql::ReadSql;
use tidegate_sqlite::{DirectoryLock, Fatal, LockError, ReadError, Readers, Settings, check_room};

use crate::clock;
use crate::identity::{DOCUMENT, Identity};

/// What a state directory says.
pub(super) struct Found {
    /// Who this machine is; `None`: it never tried to enrol.
    pub(super) identity: Option<Identity>,
    /// How it stands; `None`: not enrolled.
    pub(super) status: Option<runtime::Status>,
    /// Whether a runtime works on it.
    pub(super) is_running: bool,
}

/// Why it does not say anything.
#[derive(Debug)]
pub(super) enum Unread {
    /// A newer program wrote it.
    Newer {
        /// The version in the file.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// It is damaged, or no state.
    Damaged(String),
}

impl Found {
    /// The endpoint's id, where it is enrolled.
    pub(super) fn endpoint(&self) -> Option<EndpointId> {
        Some(self.identity.as_ref()?.enrolled.as_ref()?.endpoint)
    }

    /// Reads the state in `place`; `fatal` ends the program when the disk fails.
    ///
    /// # Errors
    ///
    /// [`Unread`]; nothing was changed.
    pub(super) fn read(place: &Path, fatal: Fatal) -> Result<Self, Unread> {
        let file = place.join("state.db");
        let is_running = matches!(DirectoryLock::acquire(place), Err(LockError::Held(_)));
        if !is_running {
            // The first to open it needs room; without any the disk would seem to fail.
            check_room(&file).map_err(|error| damaged(&error))?;
        }
        let settings = Settings::endpoint();
        let readers = Readers::open(&file, 1, &settings, fatal).map_err(|error| damaged(&error))?;
        let read = readers.with(|db| {
            let found = version(db)?;
            let known = runtime::SCHEMA.migrations.len() as u64;
            if found > known {
                return Ok(Err(Unread::Newer { found, known }));
            }
            let identity: Option<Identity> = document_load(db, DOCUMENT)?;
            let is_enrolled = identity.as_ref().is_some_and(|identity| identity.enrolled.is_some());
            let status = if is_enrolled { Some(runtime::status(db, &clock::read())?) } else { None };
            Ok::<_, Error>(Ok((identity, status)))
        });
        let (identity, status) = match read {
            Ok(read) => read?,
            Err(ReadError::Job(error)) => return Err(damaged(&error)),
            Err(ReadError::Storage(error)) => return Err(damaged(&error)),
        };
        Ok(Self { identity, status, is_running })
    }
}

fn version(db: &dyn ReadSql) -> Result<u64, Error> {
    let rows =
        db.query("SELECT version FROM schema_version WHERE name = ?1", &[runtime::SCHEMA.name.into()])?;
    Ok(rows.first().map_or(Ok(0), |row| row.unsigned(0))?)
}

/// An error with its causes, each once.
fn damaged(error: &dyn std::error::Error) -> Unread {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Unread::Damaged(text)
}
