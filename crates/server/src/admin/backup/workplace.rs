//! Where a copy stands whose keys are still to be erased, or that is still to be encrypted: next to the database, which
//! holds the same and is as well protected.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};

use crate::data;

/// The names of the copies within the data directory.
const COPY: &str = "tidegate.db.being-backed-up";
const COMPACT: &str = "tidegate.db.being-encrypted";

/// What SQLite and an unfinished copy add to a name.
const SUFFIXES: [&str; 6] = ["", "-wal", "-shm", "-journal", ".partial", ".partial-journal"];

/// The right to have those copies, which are removed when it is dropped.
#[derive(Debug)]
pub(super) struct Workplace {
    data: PathBuf,
    /// Held until the copies are removed, and ended by the system with the process.
    _lock: File,
}

impl Workplace {
    /// Takes the place, and removes what a killed backup left there.
    ///
    /// # Errors
    ///
    /// When another backup has it, or it cannot be written.
    pub(super) fn open(data: &Path) -> anyhow::Result<Self> {
        let Some(lock) = lock_if_free(data).context("failed to take the place of the copy")? else {
            bail!(Obstructed::new(
                Obstacle::DataDirectoryInUse,
                format!("another backup of the data directory `{}` is being made", data.display()),
                "wait until it has ended, then repeat; nothing was changed",
            ));
        };
        let place = Self { data: data.to_owned(), _lock: lock };
        remove_copies(data).context("failed to remove a former copy")?;
        Ok(place)
    }

    /// Where the copy of the database goes.
    pub(super) fn copy(&self) -> PathBuf {
        self.data.join(COPY)
    }

    /// Where its copy without free space goes.
    pub(super) fn compact(&self) -> PathBuf {
        self.data.join(COMPACT)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = remove_copies(&self.data) {
            tracing::warn!(%error, data = %self.data.display(), "the copy that a backup was made from was not removed");
        }
    }
}

/// Removes what a killed backup left in the data directory `data`, unless another is being made.
pub(crate) fn remove_leftovers(data: &Path) {
    let removed = match lock_if_free(data) {
        Ok(Some(_lock)) => remove_copies(data),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(%error, data = %data.display(), "what a killed backup left was not removed");
    }
}

fn lock_if_free(data: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(data.join("backup.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn remove_copies(data: &Path) -> io::Result<()> {
    for name in [COPY, COMPACT] {
        for suffix in SUFFIXES {
            data::remove_if_there(&data.join(format!("{name}{suffix}")))?;
        }
    }
    Ok(())
}
