//! A backup read into the data directory: copied, or decrypted.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::Unusable;

use super::beside;
use crate::admin::encryption::{DecryptError, Identities, decrypt, is_encrypted};

/// Makes `copy`, which does not exist, a copy of the backup `from`, decrypted where it is encrypted.
///
/// # Errors
///
/// When it is not there, is damaged, or is encrypted to others. What there is of `copy` then means nothing.
pub(super) fn copy_backup(from: &Path, copy: &Path, identities: &Identities) -> anyhow::Result<()> {
    if !from.is_file() {
        bail!(unusable(&format!("there is no backup `{}`", from.display())));
    }
    let is_encrypted = is_encrypted(from)
        .with_context(|| unusable(&format!("the backup `{}` cannot be read", from.display())))?;
    if is_encrypted {
        return decrypt(from, copy, identities).map_err(|error| not_decrypted(from, error));
    }
    copy_plain(from, copy).map_err(|error| of_backup(from, error))
}

/// A finished backup is one file and may lie on a medium that cannot be written. With a log beside it it is the raw
/// copy of a database in use, which only SQLite can read together.
fn copy_plain(from: &Path, copy: &Path) -> anyhow::Result<()> {
    if beside(from, "-wal").exists() {
        return Ok(tidegate_sqlite::backup(from, copy)?);
    }
    copy_file(from, copy).with_context(|| format!("failed to copy the backup `{}`", from.display()))
}

fn copy_file(from: &Path, copy: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(copy)?;
    io::copy(&mut File::open(from)?, &mut file)?;
    file.sync_all()
}

/// What went wrong with the copy is the backup's fault, unless the disk is full, or the copy cannot be written.
pub(super) fn of_backup(from: &Path, error: anyhow::Error) -> anyhow::Error {
    let what = match Unusable::of(error.as_ref()) {
        Some(Unusable::Full | Unusable::NotWritable | Unusable::InUse) => return error,
        Some(Unusable::Newer) => format!("the backup `{}` was made by a newer tidegate", from.display()),
        Some(Unusable::Damaged) => format!("the backup `{}` is damaged, or no backup", from.display()),
        None => format!("the backup `{}` cannot be used", from.display()),
    };
    error.context(unusable(&what))
}

/// No backup that can be put in place.
pub(super) fn unusable(what: &str) -> Obstructed {
    let next = "name with --from a whole file that `tidegate admin backup` of this version or an older one wrote; the data \
                directory is as it was";
    Obstructed::new(Obstacle::BackupUnusable, what, next)
}

fn not_decrypted(from: &Path, error: DecryptError) -> anyhow::Error {
    let from = from.display();
    let encrypted = |what: String, next: &str| Obstructed::new(Obstacle::BackupEncrypted, what, next);
    let told = match &error {
        DecryptError::NoIdentity => encrypted(
            format!("the backup `{from}` is encrypted"),
            "name with --identity the file with the secret key (AGE-SECRET-KEY-1…) of one of its recipients; the data \
             directory is as it was",
        ),
        DecryptError::WrongIdentity => encrypted(
            format!(
                "the backup `{from}` is encrypted to other recipients than those whose identity was named"
            ),
            "name with --identity the file of another recipient; `age-keygen -y FILE` prints whose it is. If it is the \
             right one, the file was altered: take another copy of the backup. The data directory is as it was",
        ),
        DecryptError::OtherForm => encrypted(
            format!("the backup `{from}` is encrypted in a form that `tidegate` does not read"),
            "decrypt it with `age --decrypt -o BACKUP FILE` and name BACKUP with --from; the data directory is as it was",
        ),
        DecryptError::Altered(_) => {
            unusable(&format!("the encrypted backup `{from}` was cut short or altered"))
        }
        DecryptError::Read(_) => unusable(&format!("the backup `{from}` cannot be read")),
        // The data directory's fault, which is explained by its cause.
        DecryptError::Write(_) => return error.into(),
    };
    // The sentence says it all where there is no further cause.
    match &error {
        DecryptError::Altered(_) | DecryptError::Read(_) => anyhow::Error::new(error).context(told),
        _ => told.into(),
    }
}
