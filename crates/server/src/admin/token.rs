//! API tokens made by an operator.

use std::path::Path;

use anyhow::Context as _;
use tidegate_core::call::{Context, DirectoryInput};
use tidegate_core::directory::{self, token_digest};
use tidegate_core::error::Error;
use tidegate_core::sql::Sql;
use tidegate_web::token_secret;

use crate::host::NobodyHeard;
use crate::identity::identity_load;
use crate::schemas::migrate_all;
use crate::{clock, data};

/// Makes an API token of the person with the address `email` and answers it; only its digest is stored.
///
/// The data directory may be served meanwhile. The database is then written by two processes, which SQLite allows:
/// each waits for the other's transaction, which takes milliseconds, for two seconds. A directory that is served is
/// never migrated here, so this program should be of the server's version.
///
/// # Errors
///
/// When the directory has no owner or nobody has that address.
pub fn create_token(data: &Path, email: &str) -> anyhow::Result<String> {
    create(data, email).map_err(|error| data::explained(data, error))
}

fn create(data: &Path, email: &str) -> anyhow::Result<String> {
    let database = data::require_database(data)?;
    let lock = data::lock_if_free(data)?;
    let mut store = super::open(&database)?;
    if lock.is_some() {
        store.transaction(migrate_all).context("failed to bring the database up to date")?;
    }
    let identity = store.read(|db| identity_load(db)).context("failed to read the control plane's keys")?;
    let identity = identity.ok_or_else(|| anyhow::anyhow!(data::no_owner(data)))?;
    let secret = token_secret(clock::entropy());
    let cx = Context {
        now: clock::now(),
        entropy: clock::entropy(),
        keys: &identity.keys,
        authority: &identity.authority,
        presence: &NobodyHeard,
        earlier: &[],
    };
    let input = DirectoryInput::CreateToken { email: email.to_owned(), digest: token_digest(&secret) };
    let make = |db: &dyn Sql| -> Result<(), Error> { directory::handle(db, &cx, input).map(drop) };
    store.transaction(make).map_err(super::plain).context("failed to make a token")?;
    Ok(secret)
}
