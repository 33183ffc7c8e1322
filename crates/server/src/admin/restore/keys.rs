//! Which order key a restored control plane uses: the newest that is found, since machines that have seen it obey no
//! older one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::keys::PublicKey;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError};
use tidegate_sqlite::Store;

use super::Keys;
use crate::admin::{open, open_reader, order_key};
use crate::data;
use crate::identity::{has_keys, identity_load, request_erase, root_load};

/// Every order key of a database.
pub(super) struct HeldKeys {
    root: Option<PublicKey>,
    serial: u64,
    rows: Vec<Row>,
    from: Source,
}

/// Where keys were found.
enum Source {
    /// In the database that is replaced.
    InPlace,
    /// In a backup that was named for them.
    Named(PathBuf),
    /// In a database that an earlier restore moved aside.
    Leftover(PathBuf),
}

impl HeldKeys {
    /// They are of the backup `file`, which was named for them.
    pub(super) fn named(self, file: &Path) -> Self {
        Self { from: Source::Named(file.to_owned()), ..self }
    }
}

/// Reads the keys of a database; `None`: it was made without them.
///
/// # Errors
///
/// When it cannot be read, or its keys and their certificate do not belong together.
pub(super) fn keys_load(database: &Path) -> anyhow::Result<Option<HeldKeys>> {
    let failed = || format!("failed to read the keys of `{}`", database.display());
    let reader = open_reader(database).with_context(failed)?;
    let load = |db: &dyn ReadSql| -> Result<Option<HeldKeys>, SqlError> {
        if !has_keys(db)? {
            return Ok(None);
        }
        // Only keys that hold are carried over.
        identity_load(db)?;
        let (root, serial) = keys_held(db)?;
        let rows = db.query(
            "SELECT serial, order_seed, statement_seed, certificate, created_at FROM order_key",
            &[],
        )?;
        Ok(Some(HeldKeys { root, serial, rows, from: Source::InPlace }))
    };
    reader.with(load).with_context(failed)
}

/// The keys of the databases that earlier restores moved aside in the data directory `data`. An earlier restore that was
/// interrupted may have left the newest key there alone. One that cannot be read is passed over.
pub(super) fn leftover_keys(data: &Path) -> Vec<HeldKeys> {
    let databases = data::replaced(data).unwrap_or_default();
    let held = databases.into_iter().filter_map(|database| {
        let keys = keys_load(&database).ok().flatten()?;
        Some(HeldKeys { from: Source::Leftover(database), ..keys })
    });
    held.collect()
}

/// Puts the newest of `found` into the copy of the backup `from` where it is newer than its own, or it has none. Where it
/// has none and none fit, a new key is made with the seed of the owner's root key. Answers also where the key was found, if
/// that is a database which an earlier restore moved aside.
///
/// # Errors
///
/// When they are of another owner, or the copy would have no key that machines obey.
pub(super) fn carry_keys(
    copy: &Path,
    from: &Path,
    mut found: Vec<HeldKeys>,
    root_seed: Option<&[u8; 32]>,
) -> anyhow::Result<(Keys, Option<PathBuf>)> {
    let mut store = open(copy).context("failed to open the backup")?;
    let held = |db: &dyn ReadSql| Ok::<_, SqlError>((keys_held(db)?, has_keys(db)?));
    let ((root, serial), has_own) = store.read(held).context("failed to read the backup's keys")?;
    store.transaction(request_erase).context("failed to drop the backup's pending request")?;
    // What was moved aside may be of another owner by intent.
    found.retain(|keys| keys.root == root || !matches!(keys.from, Source::Leftover(_)));
    let of_other = found.iter().find(|found| found.root != root);
    if let Some(other) = of_other {
        bail!(of_another_owner(&other.from));
    }
    let found = found.into_iter().max_by_key(|keys| keys.serial);
    let leftover = found.as_ref().and_then(|found| match &found.from {
        Source::Leftover(database) => Some(database.clone()),
        Source::InPlace | Source::Named(_) => None,
    });
    let keys = keys_put(&mut store, from, (serial, has_own), found, root_seed)?;
    Ok((keys, leftover.filter(|_| matches!(keys, Keys::Carried { .. } | Keys::Same { .. }))))
}

/// Puts keys in use where the backup has a key of the serial `serial`, or names one without having it.
fn keys_put(
    store: &mut Store,
    from: &Path,
    (serial, has_own): (u64, bool),
    found: Option<HeldKeys>,
    root_seed: Option<&[u8; 32]>,
) -> anyhow::Result<Keys> {
    match (found, has_own) {
        (None, true) => Ok(Keys::OfBackup { serial }),
        (Some(found), true) if found.serial <= serial => Ok(Keys::Same { serial }),
        (Some(found), false) if found.serial == serial => {
            carry(store, &found)?;
            Ok(Keys::Same { serial })
        }
        (Some(found), _) if found.serial > serial => {
            carry(store, &found)?;
            Ok(Keys::Carried { serial: found.serial })
        }
        (found, _) => match root_seed {
            Some(seed) => Ok(Keys::Made { serial: order_key::renew_in(store, seed)? }),
            None => Err(without_keys(from, serial, found.map(|found| found.serial)).into()),
        },
    }
}

fn of_another_owner(source: &Source) -> Obstructed {
    let (what, next) = match source {
        Source::Named(file) => (
            format!("the backup and `{}` have different owners' root keys", file.display()),
            "name with --keys-from a later backup of the same control plane; the data directory is as it was",
        ),
        Source::InPlace | Source::Leftover(_) => (
            "the backup and the database that it would replace have different owners' root keys".to_owned(),
            "restore it into an empty data directory, if it is what you want; the data directory is as it was",
        ),
    };
    Obstructed::new(Obstacle::BackupKeyOutdated, what, next)
}

fn carry(store: &mut Store, found: &HeldKeys) -> anyhow::Result<()> {
    let carry = |db: &dyn Sql| -> Result<(), SqlError> {
        db.execute("DELETE FROM order_key", &[])?;
        for row in &found.rows {
            db.execute(
                "INSERT INTO order_key (serial, order_seed, statement_seed, certificate, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                &row.0,
            )?;
        }
        Ok(())
    };
    store.transaction(carry).context("failed to carry the current order key over")
}

/// The root key of a database, and the serial of its newest order key.
fn keys_held(db: &dyn ReadSql) -> Result<(Option<PublicKey>, u64), SqlError> {
    let serials = db.query("SELECT coalesce(max(serial), 0) FROM order_key", &[])?;
    Ok((root_load(db)?, serials.first().map_or(Ok(0), |row| row.unsigned(0))?))
}

fn without_keys(from: &Path, serial: u64, older: Option<u64>) -> Obstructed {
    let found = match older {
        Some(older) => format!("the newest that is found is {older}, which machines no longer obey"),
        None => "the data directory has none either".to_owned(),
    };
    Obstructed::new(
        Obstacle::BackupWithoutKeys,
        format!(
            "the backup `{}` was made without keys, and uses order key {serial}: {found}",
            from.display()
        ),
        "name with --keys-from a backup that holds the key, or with --root-key the owner's root key, which makes a new \
         order key; the data directory is as it was",
    )
}

/// What is wrong with a file that was named for its keys and has none.
pub(super) fn none_in(file: &Path) -> Obstructed {
    Obstructed::new(
        Obstacle::BackupWithoutKeys,
        format!("the backup `{}` was made without keys", file.display()),
        "name with --keys-from a backup that holds keys; the data directory is as it was",
    )
}
