//! A backup read into the data directory: copied, or decrypted.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::{BackupError, Unusable};

use super::beside;
use crate::admin::encryption::{DecryptError, Identities, decrypt, is_encrypted};

/// A backup, and the option that named it: what is wrong with it is said of both.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) file: &'a Path,
    pub(super) option: &'static str,
}

impl Named<'_> {
    /// Refuses a file that is not there.
    pub(super) fn check_is_there(self) -> anyhow::Result<()> {
        if self.file.is_file() {
            return Ok(());
        }
        bail!(self.unusable(&format!("there is no backup `{}`", self.file.display())))
    }

    /// What went wrong with the copy is the backup's fault, unless the disk is full, or the copy cannot be written.
    pub(super) fn blamed(self, error: anyhow::Error) -> anyhow::Error {
        match Unusable::of(error.as_ref()) {
            Some(Unusable::Full | Unusable::NotWritable | Unusable::InUse) => error,
            _ => self.unread(error),
        }
    }

    /// What went wrong while the backup itself was read, whatever it is.
    fn unread(self, error: anyhow::Error) -> anyhow::Error {
        let from = self.file.display();
        let what = match Unusable::of(error.as_ref()) {
            Some(Unusable::Newer) => format!("the backup `{from}` was made by a newer tidegate"),
            Some(Unusable::Damaged) => format!("the backup `{from}` is damaged, or no backup"),
            _ => format!("the backup `{from}` cannot be used"),
        };
        error.context(self.unusable(&what))
    }

    /// No backup that can be used.
    fn unusable(self, what: &str) -> Obstructed {
        let next = format!(
            "name with {} a whole file that `tidegate admin backup` of this version or an older one wrote; the data \
             directory is as it was",
            self.option
        );
        Obstructed::new(Obstacle::BackupUnusable, what, next)
    }
}

/// Makes `copy`, which does not exist, a copy of the backup `from`, decrypted where it is encrypted.
///
/// # Errors
///
/// When it is not there, is damaged, or is encrypted to others. What there is of `copy` then means nothing.
pub(super) fn copy_backup(from: Named<'_>, copy: &Path, identities: &Identities) -> anyhow::Result<()> {
    from.check_is_there()?;
    let is_encrypted = is_encrypted(from.file)
        .with_context(|| from.unusable(&format!("the backup `{}` cannot be read", from.file.display())))?;
    if is_encrypted {
        return decrypt(from.file, copy, identities).map_err(|error| not_decrypted(from, error));
    }
    copy_plain(from, copy)
}

/// A finished backup is one file and may lie on a medium that cannot be written. With a log beside it it is the raw
/// copy of a database in use, which only SQLite can read together.
fn copy_plain(from: Named<'_>, copy: &Path) -> anyhow::Result<()> {
    if beside(from.file, "-wal").exists() {
        return tidegate_sqlite::backup(from.file, copy).map_err(|error| match error {
            // Also where its folder cannot be written, which reading the log takes.
            BackupError::Open(_) => from.unread(error.into()),
            _ => from.blamed(error.into()),
        });
    }
    let source = File::open(from.file).map_err(|error| from.unread(error.into()))?;
    copy_file(source, copy)
        .with_context(|| format!("failed to copy the backup `{}`", from.file.display()))
        .map_err(|error| from.blamed(error))
}

fn copy_file(mut source: File, copy: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(copy)?;
    io::copy(&mut source, &mut file)?;
    file.sync_all()
}

fn not_decrypted(named: Named<'_>, error: DecryptError) -> anyhow::Error {
    let (from, option) = (named.file.display(), named.option);
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
            &format!(
                "decrypt it with `age --decrypt -o BACKUP FILE` and name BACKUP with {option}; the data directory is as \
                 it was"
            ),
        ),
        DecryptError::Altered(_) => {
            named.unusable(&format!("the encrypted backup `{from}` was cut short or altered"))
        }
        DecryptError::Read(_) => named.unusable(&format!("the backup `{from}` cannot be read")),
        // The data directory's fault, which is explained by its cause.
        DecryptError::Write(_) => return error.into(),
    };
    // The sentence says it all where there is no further cause.
    match &error {
        DecryptError::Altered(_) | DecryptError::Read(_) => anyhow::Error::new(error).context(told),
        _ => told.into(),
    }
}
