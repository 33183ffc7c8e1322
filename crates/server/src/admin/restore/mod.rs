//! Putting a backup in place.
//!
//! Everything is done to a copy beside the database, and the copy takes its name only when it is complete, on the
//! disk, and every order log in it is closed (R9). What was replaced is kept under a dated name.

mod keys;
mod place;
mod source;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::call::Context;
use tidegate_core::control;
use tidegate_core::directory::DirectoryBody;
use tidegate_core::error::Error;
use tidegate_core::sql::Sql;
use tidegate_sqlite::Store;

use super::encryption::Identities;
use super::record::{operator, record};
use super::root_key;
use crate::data::remove_if_there;
use crate::host::NobodyHeard;
use crate::identity::identity_load;
use crate::schemas::migrate_all;
use crate::{clock, data};
use keys::{HeldKeys, carry_keys, keys_load, leftover_keys, none_in};
use source::{Named, copy_backup};

/// What the copy of a backup is called, and that of one which only its keys are taken of, behind the database's name.
const COPY: &str = ".restoring";
const KEYS_COPY: &str = ".restoring-keys";

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Endpoints whose order logs were closed: each learns of the restore at its next check-in.
    pub endpoints: u64,
    /// Where the database that was replaced is kept; `None`: there was none.
    pub replaced: Option<PathBuf>,
    /// Which order key is in use.
    pub keys: Keys,
    /// The database that an earlier restore had moved aside and that the order key was found in; `None`: it was found
    /// where it belongs.
    pub keys_found_in: Option<PathBuf>,
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
    /// A new one, made with the owner's root key: the backup has none, and none was found.
    Made {
        /// Its serial.
        serial: u64,
    },
}

/// What is put in place, and where its keys come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// The backup.
    pub from: PathBuf,
    /// Whether a database may be replaced.
    pub replace: bool,
    /// A later backup, for its order key.
    pub keys_from: Option<PathBuf>,
    /// Files with the secret keys of age that open encrypted backups.
    pub identities: Vec<PathBuf>,
    /// The owner's root key. It makes a new order key where the backup has none and none is found.
    pub root_key: Option<PathBuf>,
}

/// Puts a backup in place of the database of the data directory `data`, which is made where it does not exist.
///
/// The order key in use stays: where the database that is replaced, one that an earlier restore moved aside, or the later
/// backup that [`RestoreOptions::keys_from`] names, has a newer one than the backup, or the backup was made without, it is
/// carried over, since machines that have seen it obey no older one. A pending request for an order key is not: its
/// answer could be older than the key in use.
///
/// # Errors
///
/// When the directory is in use; has a database that may not be replaced; or the backup is damaged, no database of
/// Tidegate's, of a newer program, encrypted to others, or left without a key. Then the directory is as it was.
pub fn restore(data: &Path, options: &RestoreOptions) -> anyhow::Result<Restored> {
    let from = Named { file: &options.from, option: "--from" };
    from.check_is_there()?;
    let identities = Identities::read(&options.identities)?;
    let explained = |error| data::explained(data, error);
    data::create(data).map_err(explained)?;
    let _lock = data::lock(data).map_err(explained)?;
    finish_locked(data)?;
    let database = data::database(data);
    if database.exists() && !options.replace {
        bail!("data directory `{}` has a database already: say that it is to be replaced", data.display());
    }
    let copy = beside(&database, COPY);
    let answer = (|| {
        remove_with_log(&copy)?;
        copy_backup(from, &copy, &identities)?;
        check(&copy).map_err(|error| from.blamed(error))?;
        let keys_from = options.keys_from.as_deref().map(|file| Named { file, option: "--keys-from" });
        let named = keys_from.map(|named| keys_named(named, &database, &identities)).transpose()?;
        // What is replaced may be damaged: then only the other keys are known.
        let in_place = Some(&database).filter(|database| database.exists());
        let in_place = in_place.and_then(|database| keys_load(database).ok().flatten());
        let found = leftover_keys(data).into_iter().chain(named).chain(in_place).collect();
        let root_seed = options.root_key.as_deref().map(root_key::read).transpose()?;
        let (keys, keys_found_in) = carry_keys(&copy, from.file, found, root_seed.as_ref())?;
        let endpoints = close_order_logs(&copy, database.exists()).map_err(|error| from.blamed(error))?;
        let replaced = place::take(&copy, &database, clock::now())
            .with_context(|| format!("failed to put the backup in place in `{}`", data.display()))?;
        Ok(Restored { endpoints, replaced, keys, keys_found_in })
    })();
    if answer.is_err() {
        // Nothing to add to the error when the copy cannot be removed either.
        let _ = remove_with_log(&copy);
    }
    answer.map_err(explained)
}

/// The keys of a backup that was named for them. One that is encrypted is decrypted next to `database`, and removed
/// again.
fn keys_named(named: Named<'_>, database: &Path, identities: &Identities) -> anyhow::Result<HeldKeys> {
    let copy = beside(database, KEYS_COPY);
    let answer: anyhow::Result<_> = (|| {
        remove_with_log(&copy)?;
        copy_backup(named, &copy, identities)?;
        check(&copy).map_err(|error| named.blamed(error))?;
        let held = keys_load(&copy).map_err(|error| named.blamed(error))?;
        Ok(held.ok_or_else(|| none_in(named.file))?.named(named.file))
    })();
    let removed = remove_with_log(&copy);
    let keys = answer?;
    removed.with_context(|| format!("failed to remove `{}`", copy.display()))?;
    Ok(keys)
}

/// Finishes a restore of the data directory `data` that was killed at its last step, if there is one.
///
/// # Errors
///
/// When the directory is in use, or a file cannot be moved.
pub(crate) fn finish_interrupted(data: &Path) -> anyhow::Result<()> {
    if !beside(&data::database(data), place::COMPLETE).exists() {
        return Ok(());
    }
    let _lock = data::lock(data)?;
    finish_locked(data)
}

fn finish_locked(data: &Path) -> anyhow::Result<()> {
    let failed = || format!("failed to finish a restore of `{}` that was interrupted", data.display());
    if place::finish(data, clock::now()).with_context(failed)? {
        tracing::warn!(data = %data.display(), "a restore was interrupted at its last step and is finished now");
    }
    Ok(())
}

/// Removes what a killed restore left in the data directory `data`, which this process has locked.
pub(crate) fn remove_leftovers(data: &Path) {
    for suffix in [COPY, KEYS_COPY] {
        if let Err(error) = remove_with_log(&beside(&data::database(data), suffix)) {
            tracing::warn!(%error, data = %data.display(), "what a killed restore left was not removed");
        }
    }
}

/// Checks the copy and brings it up to date.
fn check(copy: &Path) -> anyhow::Result<()> {
    let mut store = super::open(copy).context("failed to open the backup")?;
    store.check_integrity().context("the backup is damaged")?;
    store.transaction(migrate_all).context("failed to bring the backup up to date")?;
    Ok(())
}

/// Closes every order log in the copy and records the restore there; answers how many endpoints it has.
fn close_order_logs(copy: &Path, replaced: bool) -> anyhow::Result<u64> {
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
    let order_key = identity.authority.serial();
    let close = |db: &dyn Sql| -> Result<u64, Error> {
        record(db, DirectoryBody::BackupRestored { operator: operator(), order_key, replaced })?;
        control::restore_all(db, &cx)
    };
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
            remove_if_there(&beside(copy, name))?;
        }
        File::options().write(true).open(copy)?.sync_all()
    };
    complete().context("failed to complete the copy")
}

fn remove_with_log(database: &Path) -> io::Result<()> {
    for name in ["", "-wal", "-shm"] {
        remove_if_there(&beside(database, name))?;
    }
    Ok(())
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
