//! What operators do to a data directory with a command.

mod backup;
mod encryption;
pub mod order_key;
mod owner;
mod place;
mod reading;
mod record;
mod restore;
mod root_key;
mod token;

pub use backup::{BackupContents, Protection, backup};
pub use owner::{Owner, OwnerOptions, create_owner};
pub(crate) use restore::finish_interrupted;
pub use restore::{Keys, RestoreOptions, Restored, restore};
pub use token::{create_sign_in_link, create_token};

use anyhow::Context as _;
use std::path::Path;
use tidegate_core::error::Error;
use tidegate_sqlite::{Fatal, Readers, Settings, Store, WriteError};

/// Removes what killed commands left in the data directory `data`, which this process has locked.
pub(crate) fn remove_leftovers(data: &Path) {
    backup::remove_leftovers(data);
    restore::remove_leftovers(data);
}

/// Opens a database for a command: one thread, little memory.
fn open(database: &Path) -> anyhow::Result<Store> {
    let settings = Settings { cache_bytes: 2 << 20, ..Settings::server() };
    Store::open(database, &settings, Fatal::default()).context("failed to open the database")
}

/// Opens a database to read it, as it is: nothing is written to it, and a failing disk ends nothing.
fn open_reader(database: &Path) -> anyhow::Result<Readers> {
    let settings = Settings { cache_bytes: 2 << 20, ..Settings::server() };
    Readers::open(database, 1, &settings, Fatal::default()).context("failed to open the database")
}

/// The core's refusal as it stands, instead of "the transaction was refused".
fn plain(error: WriteError<Error>) -> anyhow::Error {
    match error {
        WriteError::Job(error) => error.into(),
        other => other.into(),
    }
}
