//! A copy of everything durable, with or without the keys, for everybody or for the holders of some secret keys.

mod workplace;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidegate_core::directory::DirectoryBody;
use tidegate_core::error::Error;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{ReadSql, Sql, SqlError};
use tidegate_sqlite::{BackupError, Store, Unusable};

use super::encryption::{Recipients, encrypt};
use super::place;
use super::record::{operator, record};
use crate::data;
use crate::identity::{certificates_load, keys_erase, request_erase};
use crate::schemas::migrate_all;
use workplace::Workplace;

pub(crate) use workplace::remove_leftovers;

/// How a backup is kept from a thief. The default: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Whether the secret halves of all keys are left out.
    pub without_keys: bool,
    /// Whom it is encrypted to: recipients of age, `age1…`. None here and in the files: it is not encrypted.
    pub recipients: Vec<String>,
    /// Files with recipients, one a line.
    pub recipient_files: Vec<PathBuf>,
}

/// What the file of a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// Whether it holds the secret halves of the keys, with which all machines can be ordered.
    pub has_keys: bool,
    /// How many recipients it is encrypted to; 0: it is not encrypted.
    pub recipients: usize,
    /// Whether the audit log says so. It does not where the database cannot be written or holds no keys.
    pub is_recorded: bool,
}

/// Copies the database of the data directory `data` as of one moment into the file `out`, also while it is served.
///
/// Keys that wait for the root key's signature are in no backup. Only its owner may read the file. It appears under its name only when it is complete, replacing a former one. What is
/// left out or encrypted first stands in a private copy in the data directory, which needs room for it; `out` never holds
/// more than it is meant to.
///
/// # Errors
///
/// When there is no database, `out` is in a data directory, a recipient cannot be used, another protected backup is being made, or the copy cannot be
/// written. A former backup is then as it was.
pub fn backup(data: &Path, out: &Path, protection: &Protection) -> anyhow::Result<BackupContents> {
    let contents = make(data, out, protection)?;
    // The file is there, whether this can be written or not.
    let is_recorded = record_made(data, contents).unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "the backup was not recorded in the audit log");
        false
    });
    Ok(BackupContents { is_recorded, ..contents })
}

/// Appends to the audit log, also while the directory is served: as for a token, SQLite lets each process wait for the
/// other's transaction. Nothing is migrated, since a backup is what an upgrade begins with.
fn record_made(data: &Path, contents: BackupContents) -> anyhow::Result<bool> {
    let _lock = data::lock_if_free(data)?;
    let mut store = super::open(&data::database(data))?;
    let made = |db: &dyn Sql| -> Result<bool, Error> {
        let order_key = certificates_load(db)?.first().map_or(0, |newest| newest.serial);
        let BackupContents { has_keys, recipients, .. } = contents;
        let recipients = recipients as u64;
        record(db, DirectoryBody::BackupMade { operator: operator(), order_key, has_keys, recipients })
    };
    store.transaction(made).map_err(super::plain).context("failed to record the backup")
}

fn make(data: &Path, out: &Path, protection: &Protection) -> anyhow::Result<BackupContents> {
    let recipients = Recipients::read(&protection.recipients, &protection.recipient_files)?;
    let database = data::require_database(data)?;
    place::check(out, Some(data), "--out")?;
    let explained = |error| data::explained(data, error);
    if data::lock_if_free(data).map_err(explained)?.is_some() {
        tidegate_sqlite::check_room(&database).map_err(|error| explained(error.into()))?;
    }
    let (has_keys, recipients_count) = (!protection.without_keys, recipients.count());
    let contents = BackupContents { has_keys, recipients: recipients_count, is_recorded: false };
    let is_pending = |database: &Path| is_request_pending(database).map_err(explained);
    if contents.has_keys && contents.recipients == 0 && !is_pending(&database)? {
        tidegate_sqlite::backup(&database, out).map_err(|error| not_made(data, out, error))?;
        // One that was made meanwhile may be in it: then it is written again, without.
        if !is_pending(&database)? {
            return Ok(contents);
        }
    }
    let workplace = Workplace::open(data).map_err(explained)?;
    let copy = workplace.copy();
    tidegate_sqlite::backup(&database, &copy).map_err(|error| explained(error.into()))?;
    if contents.has_keys && contents.recipients > 0 && !is_pending(&copy)? {
        encrypt_into(&copy, out, &recipients)?;
        return Ok(contents);
    }
    let stripped = strip(&copy, contents.has_keys).map_err(explained)?;
    if contents.recipients == 0 {
        stripped.compact_into(out).map_err(|error| not_made(data, out, error))?;
    } else {
        let compact = workplace.compact();
        stripped.compact_into(&compact).map_err(|error| explained(error.into()))?;
        encrypt_into(&compact, out, &recipients)?;
    }
    Ok(contents)
}

/// Whether a database holds keys that wait for the root key's signature. No backup does: it may be old and in other hands
/// when its keys come into use.
fn is_request_pending(database: &Path) -> anyhow::Result<bool> {
    let pending = |db: &dyn ReadSql| -> Result<bool, SqlError> {
        let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'order_key_request'";
        Ok(!db.query(table, &[])?.is_empty() && !db.query("SELECT 1 FROM order_key_request", &[])?.is_empty())
    };
    super::open_reader(database)?.with(pending).context("failed to read the pending request")
}

/// Erases the keys that wait for their signature from the copy, and every other secret key unless they stay. Its free
/// space may still hold some: only what queries find leaves this place.
fn strip(copy: &Path, keys_stay: bool) -> anyhow::Result<Store> {
    let mut store = super::open(copy)?;
    // The tables of another version might keep keys elsewhere.
    store.transaction(migrate_all).context("failed to bring the copy up to date")?;
    let erase = if keys_stay { request_erase } else { keys_erase };
    store.transaction(erase).context("failed to erase the keys from the copy")?;
    Ok(store)
}

fn encrypt_into(plain: &Path, out: &Path, recipients: &Recipients) -> anyhow::Result<()> {
    encrypt(plain, out, recipients).with_context(|| not_written(out))
}

/// The database's fault, or that of the place where the backup was to be.
fn not_made(data: &Path, out: &Path, error: BackupError) -> anyhow::Error {
    let is_ours = matches!(&error, BackupError::Open(_));
    let is_other = matches!(Unusable::of(&error), Some(Unusable::Damaged));
    let error = anyhow::Error::new(error);
    if is_ours || is_other { data::explained(data, error) } else { error.context(not_written(out)) }
}

fn not_written(out: &Path) -> Obstructed {
    Obstructed::new(
        Obstacle::FileNotWritten,
        format!("no backup was written to `{}`", out.display()),
        "name with --out a file in a directory that exists and that this user may write, with room for a copy of the \
         database; a former backup there is as it was",
    )
}
