//! Room on the disk that is taken before it is needed.
//!
//! A commit goes into the write-ahead log and nowhere else. So a log file that is longer than what it holds is room
//! that nobody else can take: SQLite writes over what lies behind the last frame, and reads it as the end of the log.
//! Zeros are written, not only asked for, because not every file system can promise blocks any other way.

use std::fs::{File, OpenOptions, canonicalize, metadata, remove_file};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tidegate_core::sql::{SqlError, SqlErrorKind};

use crate::error::OpenError;

/// Bytes written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What opening a database needs: the shared index of its log begins with 32 KiB, and a file system with blocks of
/// less than 4 KiB answers a write into a mapped page that has no block by a signal that kills. Several times that,
/// so that somebody else's writes meanwhile do not matter.
const OPENING_BYTES: u64 = 256 << 10;

/// Whether an I/O error says that there is no room, as against a disk that fails.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Finds out whether the disk has room to open the database `path`, for whoever would be the first to have it open
/// without writing. [`Store`](crate::Store) and [`Writer`](crate::Writer) look by themselves, and beside one of them
/// no room is needed.
///
/// # Errors
///
/// [`OpenError::Database`] of the kind [`SqlErrorKind::Full`].
pub fn check_room(path: &Path) -> Result<(), OpenError> {
    check_opening(path).map_err(|source| OpenError::Database { path: path.to_owned(), source })
}

/// Finds out, by taking it for a moment, whether the disk has room to open the database at `path`.
pub(crate) fn check_opening(path: &Path) -> Result<(), SqlError> {
    let probe = beside(path, "-room");
    let taken = OpenOptions::new().write(true).create(true).truncate(true).open(&probe);
    let taken = taken.and_then(|mut file| zeros(&mut file, OPENING_BYTES));
    // What could not be removed is overwritten next time.
    let _ = remove_file(&probe);
    match taken {
        Err(error) if is_full(&error) => {
            let message = format!("there is no room to open the database ({error}): free some on its disk");
            Err(SqlError::new(SqlErrorKind::Full, message))
        }
        // Anything else is found out, and named better, by what follows.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The file of a write-ahead log.
#[derive(Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    /// The log of the existing database at `path`. SQLite follows links, and keeps the log beside the file itself.
    pub(crate) fn of(path: &Path) -> Self {
        Self(beside(&canonicalize(path).unwrap_or_else(|_| path.to_owned()), "-wal"))
    }

    /// How long the file is; 0 when it is not there.
    pub(crate) fn size_bytes(&self) -> u64 {
        metadata(&self.0).map_or(0, |metadata| metadata.len())
    }

    /// Makes the file at least `bytes` long, on the disk. It stays as it was when there is no room: what is left of
    /// the disk is not taken from others for nothing.
    ///
    /// # Errors
    ///
    /// [`ExtendError`].
    pub(crate) fn extend(&self, bytes: u64) -> Result<(), ExtendError> {
        let before = self.size_bytes();
        if before >= bytes {
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).open(&self.0).map_err(ExtendError::Unwritten)?;
        if let Err(error) = zeros(&mut file, bytes - before) {
            file.set_len(before).map_err(ExtendError::Unwritten)?;
            return Err(ExtendError::Unwritten(error));
        }
        // Until then a file system may have promised the blocks and not have found them.
        file.sync_all().map_err(ExtendError::Unsynced)
    }
}

/// Why a log is not longer.
#[derive(Debug)]
pub(crate) enum ExtendError {
    /// The disk is full, or the file cannot be written; nothing that was stored is touched.
    Unwritten(io::Error),
    /// An fsync of the log failed: what it holds cannot be trusted any more.
    Unsynced(io::Error),
}

fn zeros(file: &mut File, bytes: u64) -> io::Result<()> {
    let chunk = vec![0; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let count = left.min(CHUNK_BYTES as u64) as usize;
        file.write_all(&chunk[..count])?;
        left -= count as u64;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_extended_with_zeros_and_never_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let log = Log::of(&path);
        std::fs::write(directory.path().join("store.db-wal"), b"frames").unwrap();
        log.extend(100_000).unwrap();
        let content = std::fs::read(directory.path().join("store.db-wal")).unwrap();
        assert_eq!((&content[..6], content.len()), (&b"frames"[..], 100_000));
        assert!(content[6..].iter().all(|byte| *byte == 0));
        log.extend(10).unwrap();
        assert_eq!(log.size_bytes(), 100_000);
    }

    #[test]
    fn what_was_taken_to_find_out_is_given_back() {
        let directory = tempfile::tempdir().unwrap();
        check_opening(&directory.path().join("store.db")).unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    }
}
