//! The moment a restored database takes its name, and what a crash in it leaves behind.
//!
//! The complete copy is first called [`COMPLETE`]. From then on a crash loses nothing: as long as the database is in place
//! nothing was moved, and once it is not, the rest is done by [`finish`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::time::Timestamp;

use super::{beside, remove_with_log};
use crate::data::{self, REPLACED, remove_if_there};

/// What a copy is called that is complete and on the disk, behind the database's name.
pub(super) const COMPLETE: &str = ".restored";

/// Moves the database aside and the copy into its place. Answers where the database is kept; `None`: there was none.
pub(super) fn take(copy: &Path, database: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let complete = beside(database, COMPLETE);
    fs::rename(copy, &complete)?;
    sync(database)?;
    let kept = dated(database, now);
    let has_former = database.exists();
    if has_former {
        fs::rename(database, &kept)?;
    }
    // The log goes with the database it belongs to, after it: without its database it means nothing, and no other may
    // find it.
    let log = beside(database, "-wal");
    if log.exists() {
        fs::rename(&log, beside(&kept, "-wal"))?;
    }
    remove_if_there(&beside(database, "-shm"))?;
    fs::rename(&complete, database)?;
    sync(database)?;
    Ok(has_former.then_some(kept))
}

/// Finishes a restore of the data directory `data` that was killed while its copy took the place of the database, or
/// removes that copy where nothing was moved yet. The caller has locked the directory. Answers whether it finished one.
///
/// # Errors
///
/// When a file cannot be moved or removed; repeating is safe.
pub(super) fn finish(data: &Path, now: Timestamp) -> io::Result<bool> {
    let database = data::database(data);
    let complete = beside(&database, COMPLETE);
    if !complete.exists() {
        return Ok(false);
    }
    if database.exists() {
        remove_with_log(&complete)?;
        return Ok(false);
    }
    let log = beside(&database, "-wal");
    if log.exists() {
        // That of the database which was moved aside last, unless that one has its own.
        let kept = data::replaced(data)?.pop().filter(|kept| !beside(kept, "-wal").exists());
        fs::rename(&log, beside(&kept.unwrap_or_else(|| dated(&database, now)), "-wal"))?;
    }
    remove_if_there(&beside(&database, "-shm"))?;
    fs::rename(&complete, &database)?;
    sync(&database)?;
    Ok(true)
}

fn dated(database: &Path, now: Timestamp) -> PathBuf {
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    beside(database, &format!("{REPLACED}{stamp}"))
}

fn sync(database: &Path) -> io::Result<()> {
    data::sync_directory(database.parent().unwrap_or(Path::new(".")))
}
