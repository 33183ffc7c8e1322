//! Putting a backup in place.
//!
//! Everything is done to a copy beside the database, and the copy takes its name only when it is complete, on the
//! disk, and every order log in it is closed (R9). What was replaced is kept under a dated name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::call::Context;
use tidegate_core::control;
use tidegate_core::error::Error;
use tidegate_core::keys::PublicKey;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError};
use tidegate_core::time::Timestamp;
use tidegate_sqlite::{Store, Unusable};

use crate::host::NobodyHeard;
use crate::identity::{identity_load, root_load};
use crate::schemas::migrate_all;
use crate::{clock, data};

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Endpoints whose order logs were closed: each learns of the restore at its next check-in.
    pub endpoints: u64,
    /// Where the database that was replaced is kept; `None`: there was none.
    pub replaced: Option<PathBuf>,
    /// Which order key is in use.
    pub keys: Keys,
}

/// Which order key a restored control plane uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// That of the backup; it is not known whether a newer one was made since.
    OfBackup {
        /// Its serial.
        serial: u64,
    },
    /// That of the backup, and none that is newer was in use.
    Same {
        /// Its serial.
        serial: u64,
    },
    /// A newer one than the backup's.
    Carried {
        /// Its serial.
        serial: u64,
    },
}

/// Puts the backup `from` in place of the database of the data directory `data`, which is made where it does not
/// exist. `replace` permits that there is one already.
///
/// The order key in use stays: where the database that is replaced has a newer one than the backup, it is carried over,
/// since machines that have seen it obey no older one. Without a database the newer key comes from `keys_from`, a later
/// backup.
///
/// # Errors
///
/// When the directory is in use, has a database and `replace` is false, or the backup is damaged, no database of
/// Tidegate's or of a newer program. Then the directory is as it was.
pub fn restore(
    data: &Path,
    from: &Path,
    replace: bool,
    keys_from: Option<&Path>,
) -> anyhow::Result<Restored> {
    if !from.is_file() {
        bail!(unusable(&format!("there is no backup `{}`", from.display())));
    }
    let explained = |error| data::explained(data, error);
    data::create(data).map_err(explained)?;
    let _lock = data::lock(data).map_err(explained)?;
    let database = data::database(data);
    if database.exists() && !replace {
        bail!("data directory `{}` has a database already: say that it is to be replaced", data.display());
    }
    let copy = beside(&database, ".restoring");
    let answer = (|| {
        remove_with_log(&copy)?;
        copy_backup(from, &copy).map_err(|error| of_backup(from, error))?;
        check(&copy).map_err(|error| of_backup(from, error))?;
        let named = keys_from.map(keys_load).transpose()?;
        // What is replaced may be damaged: then only the other keys are known.
        let in_place = Some(&database).filter(|database| database.exists());
        let in_place = in_place.and_then(|database| keys_load(database).ok());
        let newest = named.into_iter().chain(in_place).max_by_key(|keys| keys.serial);
        let keys = carry_keys(&copy, newest)?;
        let endpoints = close_order_logs(&copy).map_err(|error| of_backup(from, error))?;
        let replaced = take_place(&copy, &database, clock::now())
            .with_context(|| format!("failed to put the backup in place in `{}`", data.display()))?;
        Ok(Restored { endpoints, replaced, keys })
    })();
    if answer.is_err() {
        // Nothing to add to the error when the copy cannot be removed either.
        let _ = remove_with_log(&copy);
    }
    answer.map_err(explained)
}

/// What went wrong with the copy is the backup's fault, unless the disk is full, or the copy cannot be written.
fn of_backup(from: &Path, error: anyhow::Error) -> anyhow::Error {
    let what = match Unusable::of(error.as_ref()) {
        Some(Unusable::Full | Unusable::NotWritable | Unusable::InUse) => return error,
        Some(Unusable::Newer) => format!("the backup `{}` was made by a newer tidegate", from.display()),
        Some(Unusable::Damaged) => format!("the backup `{}` is damaged, or no backup", from.display()),
        None => format!("the backup `{}` cannot be used", from.display()),
    };
    error.context(unusable(&what))
}

fn unusable(what: &str) -> Obstructed {
    let next = "name with --from a whole file that `tidegate admin backup` of this version or an older one wrote; the data \
                directory is as it was";
    Obstructed::new(Obstacle::BackupUnusable, what, next)
}

/// A finished backup is one file and may lie on a medium that cannot be written. With a log beside it it is the raw
/// copy of a database in use, which only SQLite can read together.
fn copy_backup(from: &Path, copy: &Path) -> anyhow::Result<()> {
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

/// Checks the copy and brings it up to date.
fn check(copy: &Path) -> anyhow::Result<()> {
    let mut store = super::open(copy).context("failed to open the backup")?;
    store.check_integrity().context("the backup is damaged")?;
    store.transaction(migrate_all).context("failed to bring the backup up to date")?;
    Ok(())
}

/// Every order key of a database.
struct HeldKeys {
    root: Option<PublicKey>,
    serial: u64,
    rows: Vec<Row>,
}

fn keys_load(database: &Path) -> anyhow::Result<HeldKeys> {
    let failed = || format!("failed to read the keys of `{}`", database.display());
    let reader = super::open_reader(database).with_context(failed)?;
    let load = |db: &dyn ReadSql| -> Result<HeldKeys, SqlError> {
        // Only keys that hold are carried over.
        identity_load(db)?;
        let (root, serial) = keys_held(db)?;
        let rows = db.query(
            "SELECT serial, order_seed, statement_seed, certificate, created_at FROM order_key",
            &[],
        )?;
        Ok(HeldKeys { root, serial, rows })
    };
    reader.with(load).with_context(failed)
}

/// Puts newer order keys into the copy of a backup.
fn carry_keys(copy: &Path, later: Option<HeldKeys>) -> anyhow::Result<Keys> {
    let mut store = super::open(copy).context("failed to open the backup")?;
    let (root, serial) = store.read(|db| keys_held(db)).context("failed to read the backup's keys")?;
    let Some(later) = later else { return Ok(Keys::OfBackup { serial }) };
    if later.root != root {
        bail!(Obstructed::new(
            Obstacle::BackupKeyOutdated,
            "the backup and the database that it would replace have different owners' root keys".to_owned(),
            "restore it into an empty data directory, if it is what you want; the data directory is as it was",
        ));
    }
    if later.serial <= serial {
        return Ok(Keys::Same { serial });
    }
    let carry = |db: &dyn Sql| -> Result<(), SqlError> {
        db.execute("DELETE FROM order_key", &[])?;
        for row in &later.rows {
            db.execute(
                "INSERT INTO order_key (serial, order_seed, statement_seed, certificate, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                &row.0,
            )?;
        }
        Ok(())
    };
    store.transaction(carry).context("failed to carry the current order key over")?;
    Ok(Keys::Carried { serial: later.serial })
}

/// The root key of a database, and the serial of its newest order key.
fn keys_held(db: &dyn ReadSql) -> Result<(Option<PublicKey>, u64), SqlError> {
    let serials = db.query("SELECT coalesce(max(serial), 0) FROM order_key", &[])?;
    Ok((root_load(db)?, serials.first().map_or(Ok(0), |row| row.unsigned(0))?))
}

/// Closes every order log in the copy; answers how many endpoints it has.
fn close_order_logs(copy: &Path) -> anyhow::Result<u64> {
    let mut store = super::open(copy).context("failed to open the backup")?;
    let identity = store.read(|db| identity_load(db)).context("failed to read the backup's keys")?;
    let Some(identity) = identity else { bail!("the backup holds no control plane") };
    let cx = Context {
        now: clock::now(),
        entropy: clock::entropy(),
        keys: &identity.keys,
        authority: &identity.authority,
        presence: &NobodyHeard,
        earlier: &identity.earlier,
    };
    let close = |db: &dyn Sql| -> Result<u64, Error> { control::restore_all(db, &cx) };
    let endpoints =
        store.transaction(close).map_err(super::plain).context("failed to close the order logs")?;
    close_whole(store, copy)?;
    Ok(endpoints)
}

/// Leaves everything in the one file, which is about to be renamed.
fn close_whole(mut store: Store, copy: &Path) -> anyhow::Result<()> {
    store.checkpoint().context("failed to complete the copy")?;
    drop(store);
    let log = beside(copy, "-wal");
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        bail!("failed to complete the copy: its log `{}` could not be emptied", log.display());
    }
    let complete = || {
        for name in ["-wal", "-shm"] {
            remove(&beside(copy, name))?;
        }
        File::options().write(true).open(copy)?.sync_all()
    };
    complete().context("failed to complete the copy")
}

/// Moves the database aside and the copy into its place. The log goes with the database it belongs to, after it:
/// without its database it means nothing, and no other may find it.
fn take_place(copy: &Path, database: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let kept = beside(database, &format!(".replaced-{stamp}"));
    let has_former = database.exists();
    if has_former {
        fs::rename(database, &kept)?;
    }
    let log = beside(database, "-wal");
    if log.exists() {
        fs::rename(&log, beside(&kept, "-wal"))?;
    }
    remove(&beside(database, "-shm"))?;
    fs::rename(copy, database)?;
    data::sync_directory(database.parent().unwrap_or(Path::new(".")))?;
    Ok(has_former.then_some(kept))
}

fn remove_with_log(database: &Path) -> io::Result<()> {
    for name in ["", "-wal", "-shm"] {
        remove(&beside(database, name))?;
    }
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
