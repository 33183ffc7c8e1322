//! The owner, with whom a control plane begins.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use tidegate_core::call::{Context, DirectoryInput};
use tidegate_core::digest::Digest;
use tidegate_core::directory::{self, token_digest};
use tidegate_core::envelope::Envelope;
use tidegate_core::error::Error;
use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::Sql;
use tidegate_core::wire::{Authority, OrderKeyCertificate};
use tidegate_sqlite::Store;
use tidegate_web::token_secret;

use super::root_key;
use crate::host::NobodyHeard;
use crate::identity::{Seeds, keys_store, root_load, root_store};
use crate::schemas::migrate_all;
use crate::{clock, data};

/// What `admin owner` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOptions {
    /// The data directory; made where it does not exist.
    pub data: PathBuf,
    /// The owner's e-mail address.
    pub email: String,
    /// Where the root key is written: a file that does not exist, outside the data directory.
    pub root_key: PathBuf,
    /// Where people will reach the control plane, for the sign-in link; `None`: `http://127.0.0.1:8080`.
    pub url_hint: Option<String>,
}

/// What `admin owner` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The link that signs the owner in, once.
    pub sign_in_link: String,
    /// Where the root key is.
    pub root_key: PathBuf,
    /// The root key's fingerprint: with it an export proves whose record it is.
    pub root_fingerprint: Digest,
}

/// Makes the data directory, the root key, the order key that it certifies, and the owner.
///
/// The root key is on the disk before anything rests on it. After a crash in between there is a root key that means
/// nothing, and the command can be repeated with another file.
///
/// # Errors
///
/// When there is an owner already, the data directory is in use, the root key's place does not do, or the address
/// is no e-mail address.
pub fn create_owner(options: &OwnerOptions) -> anyhow::Result<Owner> {
    create(options).map_err(|error| data::explained(&options.data, error))
}

fn create(options: &OwnerOptions) -> anyhow::Result<Owner> {
    data::create(&options.data)?;
    let _lock = data::lock(&options.data)?;
    data::check_not_interrupted(&options.data)?;
    let mut store = super::open(&data::database(&options.data))?;
    prepare(&mut store, options)?;
    // After it: whoever repeats the command hears that there is an owner, and not that the key's file exists.
    root_key::check_place(&options.root_key, &options.data)?;
    let root_seed = clock::entropy();
    let secret = token_secret(clock::entropy());
    root_key::write(&options.root_key, &root_seed)?;
    if let Err(error) = begin(&mut store, &root_seed, &options.email, &secret) {
        root_key::remove(&options.root_key);
        return Err(error);
    }
    let url = options.url_hint.as_deref().unwrap_or("http://127.0.0.1:8080");
    Ok(Owner {
        sign_in_link: sign_in_link(url, &secret),
        root_key: options.root_key.clone(),
        root_fingerprint: PublicKey::of_seed(&root_seed).fingerprint(),
    })
}

/// The link for people who reach the control plane at `url`.
pub(super) fn sign_in_link(url: &str, secret: &str) -> String {
    format!("{}/sign-in#{secret}", url.trim_end_matches('/'))
}

fn prepare(store: &mut Store, options: &OwnerOptions) -> anyhow::Result<()> {
    store.transaction(migrate_all).context("failed to set the database up")?;
    let known = store.read(|db| root_load(db)).context("failed to read the control plane's keys")?;
    if known.is_some() {
        let data = options.data.display();
        bail!(Obstructed::new(
            Obstacle::OwnerExists,
            format!("the data directory `{data}` has an owner already; nothing was changed"),
            format!(
                "give them a new token, with the address they have there:\ntidegate admin token --data {data} --email \
                 {}",
                options.email
            ),
        ));
    }
    Ok(())
}

fn begin(store: &mut Store, root_seed: &[u8; 32], email: &str, secret: &str) -> anyhow::Result<()> {
    let seeds = Seeds { order: clock::entropy(), statement: clock::entropy() };
    let (now, keys) = (clock::now(), seeds.keys());
    let certificate = OrderKeyCertificate::new(1, &keys, now);
    let root = KeyPair::from_seed(Role::Root, root_seed);
    let authority = Authority {
        root: PublicKey::of_seed(root_seed),
        certificate: Envelope::seal(&certificate, &root, Role::Root),
    };
    let cx = Context {
        now,
        entropy: clock::entropy(),
        keys: &keys,
        authority: &authority,
        presence: &NobodyHeard,
        earlier: &[],
    };
    let sign_in = token_digest(secret);
    let make = |db: &dyn Sql| -> Result<(), Error> {
        root_store(db, authority.root)?;
        keys_store(db, &seeds, &authority, now)?;
        directory::handle(db, &cx, DirectoryInput::CreateOwner { email: email.to_owned(), sign_in })?;
        Ok(())
    };
    store.transaction(make).map_err(super::plain).context("failed to make the owner")
}
