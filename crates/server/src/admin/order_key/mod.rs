//! Order keys replaced and revoked by the root key, which can stay offline: a request file leaves, an answer returns.
//!
//! The data directory must not be served meanwhile. Each machine learns of the new key at its next check-in: its order
//! log is closed, a new one is opened, and what was not claimed yet is signed again.

mod files;
mod sign;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidegate_core::digest::Digest;
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{Sql, SqlError};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{Authority, ORDER_KEY_VALID_FOR, OrderKeyCertificate, REVOKED_MAX, SERIAL_MAX};
use tidegate_sqlite::{DirectoryLock, Store};

use super::root_key;
use crate::identity::{Seeds, certificates_load, keys_store, root_load};
use crate::schemas::migrate_all;
use crate::{clock, data};

pub use files::Request;
pub use sign::sign;

/// How a key is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What becomes of the key before.
    pub before: Before,
    /// How long orders are obeyed; `None`: [`ORDER_KEY_VALID_FOR`].
    pub valid_for: Option<Milliseconds>,
    /// The new serial; `None`: the next one. A control plane that was set back names one above what its machines know.
    pub serial: Option<u64>,
}

/// What becomes of the key before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Accepted work that it signed runs.
    Replaced,
    /// Somebody else may have it: accepted work that it signed and that has not started is refused.
    Revoked,
}

/// One certificate of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// Counts from 1.
    pub serial: u64,
    /// The fingerprint of the order key.
    pub fingerprint: Digest,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// Whether it is the one in use.
    pub is_current: bool,
    /// Whether a later certificate revokes it.
    pub is_revoked: bool,
    /// The serials that it revokes.
    pub revokes: Vec<u64>,
}

/// Lists the order keys of the data directory `data`, newest first; also while it is served.
///
/// # Errors
///
/// When the directory has no owner.
pub fn list(data: &Path) -> anyhow::Result<Vec<OrderKey>> {
    let database = data::require_database(data)?;
    let reader = super::open_reader(&database).map_err(|error| data::explained(data, error))?;
    let certificates = reader.with(|db| certificates_load(db)).context("failed to read the certificates")?;
    let revoked: Vec<u64> = certificates.first().map(|newest| newest.revoked.clone()).unwrap_or_default();
    let shown = certificates.iter().enumerate().map(|(index, certificate)| OrderKey {
        serial: certificate.serial,
        fingerprint: certificate.order_key.fingerprint(),
        issued_at: certificate.issued_at,
        not_after: certificate.not_after,
        is_current: index == 0,
        is_revoked: revoked.contains(&certificate.serial),
        revokes: certificate.revoked.clone(),
    });
    Ok(shown.collect())
}

/// Makes new keys in one step, where the root key is at hand.
///
/// # Errors
///
/// When the directory is served or has no owner, or the root key is not this control plane's.
pub fn renew(data: &Path, root_key: &Path, renewal: Renewal) -> anyhow::Result<OrderKey> {
    let mut directory = Directory::open(data)?;
    let root = root_key::read(root_key)?;
    let (seeds, request) = request_make(&directory.store, directory.root, renewal)?;
    let authority = sign::certify(&request, &root)?;
    directory.install(&seeds, &authority)
}

/// Makes new keys, keeps them aside, and writes what the root key is to certify to the file `request`.
///
/// # Errors
///
/// When the directory is served or has no owner, or the file cannot be written.
pub fn request(data: &Path, request: &Path, renewal: Renewal) -> anyhow::Result<()> {
    let mut directory = Directory::open(data)?;
    let (seeds, asked) = request_make(&directory.store, directory.root, renewal)?;
    // First: keys are kept only where their request can be signed.
    files::write(request, &asked)?;
    directory.request_keep(&seeds, &asked)
}

/// Puts the keys of the last request in use, with the certificate in the file `answer`.
///
/// # Errors
///
/// When the directory is served, made no request, or the answer is not to its last one.
pub fn accept(data: &Path, answer: &Path) -> anyhow::Result<OrderKey> {
    let mut directory = Directory::open(data)?;
    let authority = Authority { root: directory.root, certificate: files::read(answer)? };
    let certificate = authority.open().map_err(|_| {
        unusable(format!("`{}` is not signed by this control plane's root key", answer.display()))
    })?;
    let kept = directory.request_kept()?;
    let (seeds, asked) = kept.ok_or_else(|| unusable("no request was made in this data directory".into()))?;
    if !asked.is_answered_by(&certificate) {
        bail!(unusable(format!(
            "`{}` answers another request than the last one made here",
            answer.display()
        )));
    }
    directory.install(&seeds, &authority)
}

/// Makes new keys in a database that lost its own, with the seed of the root key; answers the serial.
///
/// # Errors
///
/// When the root key is not this control plane's, or it has no owner.
pub(super) fn renew_in(store: &mut Store, root_seed: &[u8; 32]) -> anyhow::Result<u64> {
    let root = store.read(|db| root_load(db)).context("failed to read the root key")?;
    let root = root.context("the backup holds no control plane")?;
    if root_keys(root_seed).1 != root {
        bail!(Obstructed::new(
            Obstacle::RootKeyUnusable,
            "the root key that was named is not that of the backup",
            "name with --root-key the file that `tidegate admin owner` wrote for this control plane; nothing was changed",
        ));
    }
    let renewal = Renewal { before: Before::Replaced, valid_for: None, serial: None };
    let (seeds, request) = request_make(store, root, renewal)?;
    let authority = sign::certify(&request, root_seed)?;
    install_in(store, &seeds, &authority)?;
    Ok(authority.serial())
}

/// A data directory that is worked on.
struct Directory {
    store: Store,
    root: PublicKey,
    path: PathBuf,
    _lock: DirectoryLock,
}

impl Directory {
    fn open(data: &Path) -> anyhow::Result<Self> {
        let explained = |error| data::explained(data, error);
        let database = data::require_database(data)?;
        let lock = data::lock(data).map_err(explained)?;
        let mut store = super::open(&database).map_err(explained)?;
        store.transaction(migrate_all).context("failed to bring the database up to date")?;
        let root = store.read(|db| root_load(db)).context("failed to read the root key")?;
        let root = root.ok_or_else(|| anyhow::anyhow!(data::no_owner(data)))?;
        Ok(Self { store, root, path: data.to_owned(), _lock: lock })
    }

    fn request_keep(&mut self, seeds: &Seeds, request: &Request) -> anyhow::Result<()> {
        let text = serde_json::to_string(request)?;
        let [order, statement] = seeds.values();
        let keep = |db: &dyn Sql| -> Result<(), SqlError> {
            db.execute(
                "INSERT INTO order_key_request (id, order_seed, statement_seed, request) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET order_seed = ?1, statement_seed = ?2, request = ?3",
                &[order.clone(), statement.clone(), text.clone().into()],
            )?;
            Ok(())
        };
        self.store.transaction(keep).context("failed to keep the new keys")
    }

    fn request_kept(&self) -> anyhow::Result<Option<(Seeds, Request)>> {
        let load = |db: &dyn tidegate_core::sql::ReadSql| -> Result<_, SqlError> {
            let rows = db.query("SELECT order_seed, statement_seed, request FROM order_key_request", &[])?;
            rows.first().map(|row| Ok((Seeds::read(row, 0)?, row.json(2)?))).transpose()
        };
        self.store.read(load).context("failed to read the last request")
    }

    fn install(&mut self, seeds: &Seeds, authority: &Authority) -> anyhow::Result<OrderKey> {
        install_in(&mut self.store, seeds, authority)?;
        list(&self.path)?.into_iter().next().context("the new key is listed")
    }
}

fn install_in(store: &mut Store, seeds: &Seeds, authority: &Authority) -> anyhow::Result<()> {
    let now = clock::now();
    let install = |db: &dyn Sql| -> Result<(), SqlError> {
        keys_store(db, seeds, authority, now)?;
        db.execute("DELETE FROM order_key_request", &[])?;
        Ok(())
    };
    store.transaction(install).context("failed to put the new keys in use")
}

/// Fresh keys, and what the root key is asked to say of them.
fn request_make(store: &Store, root: PublicKey, renewal: Renewal) -> anyhow::Result<(Seeds, Request)> {
    let Renewal { before, valid_for, serial: wanted } = renewal;
    let certificates = store.read(|db| certificates_load(db)).context("failed to read the certificates")?;
    let newest = certificates.first();
    let serial = newest.map_or(0, |newest| newest.serial);
    let mut revoked = newest.map(|newest| newest.revoked.clone()).unwrap_or_default();
    if before == Before::Revoked && serial > 0 {
        revoked.push(serial);
        // The oldest go: no machine that has not been heard for so long obeys them, whatever the list says.
        let excess = revoked.len().saturating_sub(REVOKED_MAX);
        revoked.drain(..excess);
    }
    let next = wanted.unwrap_or(serial + 1);
    if next <= serial || next > SERIAL_MAX {
        bail!(unusable(format!(
            "a new serial lies above {serial}, the one in use, and is at most {SERIAL_MAX}"
        )));
    }
    let seeds = Seeds { order: clock::entropy(), statement: clock::entropy() };
    let now = clock::now();
    let certificate = OrderKeyCertificate {
        revoked,
        not_after: now.plus(valid_for.unwrap_or(ORDER_KEY_VALID_FOR)),
        ..OrderKeyCertificate::new(next, &seeds.keys(), now)
    };
    Ok((seeds, Request { tidegate_order_key_request: 1, root, certificate }))
}

fn unusable(what: String) -> Obstructed {
    let next = "make a request with `tidegate admin order-key new --request FILE`, have it signed with `tidegate admin \
                order-key sign`, and name the answer with --answer; nothing was changed";
    Obstructed::new(Obstacle::OrderKeyUnusable, what, next)
}

/// The root key as a signer.
fn root_keys(seed: &[u8; 32]) -> (KeyPair, PublicKey) {
    let keys = KeyPair::from_seed(Role::Root, seed);
    let public = keys.public_key(Role::Root);
    (keys, public)
}
