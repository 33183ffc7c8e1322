//! Commands that the audit log of the directory keeps, chained as every entry.

use tidegate_core::call::{Context, DirectoryInput};
use tidegate_core::directory::{self, DirectoryBody, Operator};
use tidegate_core::error::Error;
use tidegate_core::sql::Sql;

use crate::clock;
use crate::host::NobodyHeard;
use crate::identity::{has_keys, identity_load};

/// Who runs this command.
pub(super) fn operator() -> Operator {
    Operator { uid: uid() }
}

#[cfg(unix)]
fn uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    // A process owns its own folder there. Without one the entry says only that it was an operator.
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}

/// Appends to the audit log in the caller's transaction. Answers whether it did: a database without keys keeps none.
///
/// # Errors
///
/// [`Error`] when storage fails.
pub(super) fn record(db: &dyn Sql, body: DirectoryBody) -> Result<bool, Error> {
    if !has_keys(db)? {
        return Ok(false);
    }
    let Some(identity) = identity_load(db)? else { return Ok(false) };
    let cx = Context {
        now: clock::now(),
        entropy: clock::entropy(),
        keys: &identity.keys,
        authority: &identity.authority,
        presence: &NobodyHeard,
        earlier: &identity.earlier,
    };
    directory::handle(db, &cx, DirectoryInput::Operated(Box::new(body)))?;
    Ok(true)
}
