//! A copy of everything durable.

use std::path::Path;

use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_sqlite::{BackupError, Unusable};

use crate::data;

/// Copies the database of the data directory `data` as of one moment into the file `out`, also while it is served.
///
/// The copy holds the order key and everything people wrote, so only its owner may read the file. It appears under
/// its name only when it is complete, replacing a former one.
///
/// # Errors
///
/// When there is no database, or the copy cannot be written.
pub fn backup(data: &Path, out: &Path) -> anyhow::Result<()> {
    let database = data::require_database(data)?;
    let explained = |error| data::explained(data, error);
    if data::lock_if_free(data).map_err(explained)?.is_some() {
        tidegate_sqlite::check_room(&database).map_err(|error| explained(error.into()))?;
    }
    tidegate_sqlite::backup(&database, out).map_err(|error| {
        let is_ours = matches!(&error, BackupError::Open(_));
        let is_other = matches!(Unusable::of(&error), Some(Unusable::Damaged));
        let error = anyhow::Error::new(error);
        if is_ours || is_other {
            return data::explained(data, error);
        }
        error.context(Obstructed::new(
            Obstacle::FileNotWritten,
            format!("no backup was written to `{}`", out.display()),
            "name with --out a file in a directory that exists and that this user may write, with room for a copy of the \
             database; a former backup there is as it was",
        ))
    })
}
