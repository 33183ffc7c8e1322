//! The data directory: who may enter it, and the one file in it that matters.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::{DirectoryLock, LockError, Unusable};

/// The database's name within the data directory.
const DATABASE: &str = "tidegate.db";

/// What a database is called that a restore moved aside, behind the database's name; the time follows.
pub(crate) const REPLACED: &str = ".replaced-";

/// What a restore calls its copy, at first and when it is complete.
const RESTORING: [&str; 2] = [".restored", ".restoring"];

/// The database of the data directory `data`.
pub(crate) fn database(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// Takes the directory for this process alone.
///
/// # Errors
///
/// When another process has it, naming the directory.
pub(crate) fn lock(data: &Path) -> anyhow::Result<DirectoryLock> {
    DirectoryLock::acquire(data).context("failed to take the data directory")
}

/// Takes the directory when no other process has it; `None`: one has.
///
/// # Errors
///
/// When the lock file cannot be used.
pub(crate) fn lock_if_free(data: &Path) -> anyhow::Result<Option<DirectoryLock>> {
    match DirectoryLock::acquire(data) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held(_)) => Ok(None),
        Err(error) => Err(error).context("failed to take the data directory"),
    }
}

/// Refuses a directory that no owner was made in.
///
/// # Errors
///
/// Says how to make one.
pub(crate) fn require_database(data: &Path) -> anyhow::Result<PathBuf> {
    let database = database(data);
    if database.is_file() {
        return Ok(database);
    }
    if let Err(error) = fs::metadata(&database)
        && !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    {
        return Err(error).with_context(|| format!("failed to look at `{}`", database.display()));
    }
    check_not_interrupted(data)?;
    bail!(no_owner(data))
}

/// Refuses a directory without a database that holds what a restore left: it has an owner, and a new one would cut off
/// every machine.
///
/// # Errors
///
/// Names what is left and says what to do.
pub(crate) fn check_not_interrupted(data: &Path) -> anyhow::Result<()> {
    let database = database(data);
    let copy = |suffix: &str| data.join(format!("{DATABASE}{suffix}"));
    if database.exists() {
        return Ok(());
    }
    let replaced = replaced(data).unwrap_or_default().pop();
    let Some(left) = RESTORING.map(copy).into_iter().find(|copy| copy.exists()).or(replaced.clone()) else {
        return Ok(());
    };
    let former = replaced.map(|replaced| {
        format!(
            "\nWhat was there before is whole. To have it back, name it in place of the backup:\ntidegate admin restore \
             --data {} --from {}",
            data.display(),
            replaced.display()
        )
    });
    bail!(Obstructed::new(
        Obstacle::RestoreInterrupted,
        format!(
            "the data directory `{}` has no database, and a restore left `{}` there: it was interrupted, or the database \
             was removed since",
            data.display(),
            left.display()
        ),
        format!(
            "repeat the restore; it keeps the newest order key that it finds. Nothing was changed:\ntidegate admin restore \
             --data {} --from BACKUP{}",
            data.display(),
            former.unwrap_or_default()
        ),
    ))
}

/// The databases that restores moved aside in the data directory `data`, the oldest first.
///
/// # Errors
///
/// When the directory cannot be read.
pub(crate) fn replaced(data: &Path) -> io::Result<Vec<PathBuf>> {
    let beginning = format!("{DATABASE}{REPLACED}");
    let mut found = Vec::new();
    for entry in fs::read_dir(data)? {
        let name = entry?.file_name();
        let stamp = name.to_str().and_then(|name| name.strip_prefix(&beginning));
        // Their logs have a hyphen more.
        if stamp.is_some_and(|stamp| stamp.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            found.push(data.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// What an operator is told who serves, or asks for a token of, a directory without an owner.
pub(crate) fn no_owner(data: &Path) -> Obstructed {
    let data = data.display();
    Obstructed::new(
        Obstacle::NoOwner,
        format!("the data directory `{data}` has no owner yet"),
        format!("make one, or correct --data:\ntidegate admin owner --data {data} --email YOU@EXAMPLE"),
    )
}

/// Says of an error that came of using the data directory `data` what it means and what to do; others, and what says
/// so already, stay as they are.
pub(crate) fn explained(data: &Path, error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref::<Obstructed>().is_some() {
        return error;
    }
    let Some(unusable) = Unusable::of(error.as_ref()) else { return error };
    let data = data.display();
    let (obstacle, what, next) = match unusable {
        Unusable::InUse => (
            Obstacle::DataDirectoryInUse,
            format!("the data directory `{data}` is in use: another tidegate is running on it"),
            "end that one first, or name another directory with --data; nothing was changed".to_owned(),
        ),
        Unusable::NotWritable => (
            Obstacle::DataDirectoryNotWritable,
            format!("the data directory `{data}` cannot be written"),
            format!(
                "run it as the user that owns the directory, on a disk that is mounted for writing:\nls -ld {data}; \
                 findmnt --target {data}"
            ),
        ),
        Unusable::Newer => (
            Obstacle::DataDirectoryNewer,
            format!("the data directory `{data}` was written by a newer tidegate"),
            "start that version, or restore a backup of this one into another directory; nothing was changed"
                .to_owned(),
        ),
        Unusable::Damaged => (
            Obstacle::DataDirectoryDamaged,
            format!("the database in the data directory `{data}` is damaged"),
            format!(
                "keep a copy of the directory, check the disk (`dmesg`), then put the last backup in place:\n\
                 tidegate admin restore --data {data} --from BACKUP"
            ),
        ),
        Unusable::Full => (
            Obstacle::DiskFull,
            format!("the disk of the data directory `{data}` is full"),
            "free some room on the disk of the data directory, then start it again; nothing that was acknowledged is \
             lost"
                .to_owned(),
        ),
    };
    error.context(Obstructed::new(obstacle, what, next))
}

/// Makes the directory for its owner alone; one that exists and is empty becomes so.
///
/// # Errors
///
/// When it cannot be made, or others may enter it although something is in it.
pub(crate) fn create(data: &Path) -> anyhow::Result<()> {
    let failed = || format!("failed to make the data directory `{}`", data.display());
    fs::create_dir_all(data).with_context(failed)?;
    if restrict(data).with_context(failed)? {
        return Ok(());
    }
    bail!(Obstructed::new(
        Obstacle::DataDirectoryOpen,
        format!("others may enter the data directory `{}`, and it holds something already", data.display()),
        format!("close it if it is yours, or name another with --data:\nchmod 700 {}", data.display()),
    ))
}

/// Lets nobody else in; false where others may be at home there.
#[cfg(unix)]
fn restrict(data: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(data)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(true);
    }
    if fs::read_dir(data)?.next().is_some() {
        return Ok(false);
    }
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).map(|()| true)
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Makes the names in `directory` durable. Windows has no such call and needs none on NTFS.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_there(file: &Path) -> io::Result<()> {
    fs::remove_file(file).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
