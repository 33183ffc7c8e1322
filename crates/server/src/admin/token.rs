//! API tokens and sign-in links made by an operator.

use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_core::api::TokenLife;
use tidegate_core::call::{Context, DirectoryInput};
use tidegate_core::directory::{self, token_digest};
use tidegate_core::error::Error;
use tidegate_core::sql::Sql;
use tidegate_web::token_secret;

use crate::host::NobodyHeard;
use crate::identity::{are_keys_missing, identity_load, without_keys};
use crate::schemas::migrate_all;
use crate::{clock, data};

/// Makes an API token of the person with the address `email`, which works as long as `life` says, and answers it; only its
/// digest is stored.
///
/// The data directory may be served meanwhile. The database is then written by two processes, which SQLite allows:
/// each waits for the other's transaction, which takes milliseconds, for two seconds. A directory that is served is
/// never migrated here, so this program should be of the server's version.
///
/// # Errors
///
/// When the directory has no owner or nobody has that address.
pub fn create_token(data: &Path, email: &str, life: TokenLife) -> anyhow::Result<String> {
    let secret = token_secret(clock::entropy());
    let digest = token_digest(&secret);
    let input = DirectoryInput::CreateToken { email: email.to_owned(), digest, life };
    make(data, &input, "failed to make a token").map_err(|error| data::explained(data, error))?;
    Ok(secret)
}

/// Makes a sign-in link of the person with the address `email`, below `url`, and answers it; it replaces one that was made
/// before. For a person who lost their password and has no colleague who can make a link.
///
/// # Errors
///
/// As of [`create_token`].
pub fn create_sign_in_link(data: &Path, email: &str, url: &str) -> anyhow::Result<String> {
    let secret = token_secret(clock::entropy());
    let input = DirectoryInput::CreateSignInLink { email: email.to_owned(), sign_in: token_digest(&secret) };
    make(data, &input, "failed to make a sign-in link").map_err(|error| data::explained(data, error))?;
    Ok(super::owner::sign_in_link(url, &secret))
}

fn make(data: &Path, input: &DirectoryInput, failed: &'static str) -> anyhow::Result<()> {
    let database = data::require_database(data)?;
    let lock = data::lock_if_free(data)?;
    let mut store = super::open(&database)?;
    if lock.is_some() {
        store.transaction(migrate_all).context("failed to bring the database up to date")?;
    }
    let unread = "failed to read the control plane's keys";
    if store.read(|db| are_keys_missing(db)).context(unread)? {
        bail!(without_keys());
    }
    let identity = store.read(|db| identity_load(db)).context(unread)?;
    let identity = identity.ok_or_else(|| anyhow::anyhow!(data::no_owner(data)))?;
    let cx = Context {
        now: clock::now(),
        entropy: clock::entropy(),
        keys: &identity.keys,
        authority: &identity.authority,
        presence: &NobodyHeard,
        earlier: &[],
    };
    let make = |db: &dyn Sql| -> Result<(), Error> { directory::handle(db, &cx, input.clone()).map(drop) };
    store.transaction(make).map_err(super::plain).context(failed)
}
