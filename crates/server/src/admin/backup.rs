//! A copy of everything durable.

use std::path::Path;

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
    if data::lock_if_free(data)?.is_some() {
        tidegate_sqlite::check_room(&database)?;
    }
    tidegate_sqlite::backup(&database, out)?;
    Ok(())
}
