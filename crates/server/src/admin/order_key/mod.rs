//! Order keys replaced and revoked by the root key, which can stay offline: a request file leaves, an answer returns.
//!
//! The data directory must not be served meanwhile. Each machine learns of the new key at its next check-in: its order
//! log is closed, a new one is opened, and what was not claimed yet is signed again.

mod check;
mod directory;
mod files;
mod key;
mod sign;

use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_core::keys::PublicKey;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::time::Milliseconds;
use tidegate_core::wire::{Authority, ORDER_KEY_VALID_FOR, OrderKeyCertificate, REVOKED_MAX};
use tidegate_sqlite::Store;

use super::{place, root_key};
use crate::identity::{Seeds, certificates_load, root_load};
use crate::{clock, data};
use directory::{Directory, install, request_kept};

pub use files::Request;
pub use key::{OrderKey, OrderKeys, Pending, Renewed};
pub use sign::{SignOptions, sign};

/// How a key is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// What becomes of the key before.
    pub before: Before,
    /// How long orders are obeyed; `None`: [`ORDER_KEY_VALID_FOR`].
    pub valid_for: Option<Milliseconds>,
    /// The new serial; `None`: the next one. A control plane that was set back names one above what its machines know.
    pub serial: Option<u64>,
    /// Whether a pending request to revoke may be dropped by a renewal that revokes nothing.
    pub may_drop_revoke: bool,
}

/// What becomes of the key before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// Accepted work that it signed runs.
    #[default]
    Replaced,
    /// Somebody else may have it: accepted work that it signed and that has not started is refused.
    Revoked,
}

/// Lists the order keys of the data directory `data`; also while it is served.
///
/// # Errors
///
/// When the directory has no owner.
pub fn list(data: &Path) -> anyhow::Result<OrderKeys> {
    let database = data::require_database(data)?;
    let reader = super::open_reader(&database).map_err(|error| data::explained(data, error))?;
    let certificates = reader.with(|db| certificates_load(db)).context("failed to read the certificates")?;
    let kept = reader.with(|db| request_kept(db)).context("failed to read the pending request")?;
    let revoked: Vec<u64> = certificates.first().map(|newest| newest.revoked.clone()).unwrap_or_default();
    let shown = certificates.iter().enumerate().map(|(index, certificate)| OrderKey {
        is_current: index == 0,
        is_revoked: revoked.contains(&certificate.serial),
        ..OrderKey::of(certificate)
    });
    let in_use = certificates.first().map_or(0, |newest| newest.serial);
    Ok(OrderKeys { keys: shown.collect(), pending: kept.map(|(_, asked)| Pending::of(&asked, in_use)) })
}

/// Makes new keys in one step, where the root key is at hand.
///
/// # Errors
///
/// When the directory is served or has no owner, the root key is not this control plane's, or a request to revoke waits
/// that the renewal would drop.
pub fn renew(data: &Path, root_key: &Path, renewal: Renewal) -> anyhow::Result<Renewed<OrderKey>> {
    let mut directory = Directory::open(data)?;
    let root = root_key::read(root_key)?;
    let dropped = directory.pending()?;
    check::dropped(dropped.as_ref(), renewal)?;
    let (seeds, request) = request_make(&directory.store, directory.root, renewal)?;
    let authority = sign::certify(&request, &root)?;
    Ok(Renewed { key: directory.install(&seeds, &authority, dropped.as_ref())?, dropped })
}

/// Makes new keys, keeps them aside, and writes what the root key is to certify to the file `request`.
///
/// # Errors
///
/// When the directory is served or has no owner, the file cannot be written, or a request to revoke waits that the
/// renewal would drop.
pub fn request(data: &Path, request: &Path, renewal: Renewal) -> anyhow::Result<Renewed<Pending>> {
    place::check(request, Some(data), "--request")?;
    let mut directory = Directory::open(data)?;
    let dropped = directory.pending()?;
    check::dropped(dropped.as_ref(), renewal)?;
    let (seeds, asked) = request_make(&directory.store, directory.root, renewal)?;
    // First: keys are kept only where their request can be signed.
    files::write(request, &asked)?;
    directory.request_keep(&seeds, &asked, dropped.as_ref())?;
    Ok(Renewed { key: Pending::of(&asked, asked.in_use), dropped })
}

/// Puts the keys of the pending request in use, with the certificate in the file `answer`. `before` is what the operator
/// means to do with the key in use.
///
/// # Errors
///
/// When the directory is served; no request waits, or one that does something else than `before`; or the answer is not
/// to it, is out of date, or is not newer than the key in use.
pub fn accept(data: &Path, answer: &Path, before: Before) -> anyhow::Result<OrderKey> {
    let mut directory = Directory::open(data)?;
    let authority = Authority { root: directory.root, certificate: files::read(answer)? };
    let certificate = authority.open().map_err(|_| {
        unusable(format!("`{}` is not signed by this control plane's root key", answer.display()))
    })?;
    let kept = directory.request_kept()?;
    let (seeds, asked) =
        kept.ok_or_else(|| unusable("no request is pending in this data directory".into()))?;
    if !asked.is_answered_by(&certificate) {
        bail!(unusable(format!(
            "`{}` answers another request than the last one made here",
            answer.display()
        )));
    }
    let in_use = newest(&directory.store)?.map_or(0, |newest| newest.serial);
    check::is_newer(&asked, in_use)?;
    check::does(&Pending::of(&asked, in_use), before)?;
    check::dates(&certificate, clock::now(), check::SLACK)?;
    directory.install(&seeds, &authority, None)
}

/// Makes new keys in a database that lost its own, with the seed of the root key; answers the serial.
///
/// # Errors
///
/// When the root key is not this control plane's, or it has no owner.
pub(super) fn renew_in(store: &mut Store, root_seed: &[u8; 32]) -> anyhow::Result<u64> {
    let root = store.read(|db| root_load(db)).context("failed to read the root key")?;
    let root = root.context("the backup holds no control plane")?;
    if sign::root_keys(root_seed).1 != root {
        bail!(Obstructed::new(
            Obstacle::RootKeyUnusable,
            "the root key that was named is not that of the backup",
            "name with --root-key the file that `tidegate admin owner` wrote for this control plane; nothing was changed",
        ));
    }
    let (seeds, request) = request_make(store, root, Renewal::default())?;
    let authority = sign::certify(&request, root_seed)?;
    install(store, &seeds, &authority, None)?;
    Ok(authority.serial())
}

/// The certificate of the key in use.
fn newest(store: &Store) -> anyhow::Result<Option<OrderKeyCertificate>> {
    let certificates = store.read(|db| certificates_load(db)).context("failed to read the certificates")?;
    Ok(certificates.into_iter().next())
}

/// Fresh keys, and what the root key is asked to say of them.
fn request_make(store: &Store, root: PublicKey, renewal: Renewal) -> anyhow::Result<(Seeds, Request)> {
    let Renewal { before, valid_for, serial: wanted, .. } = renewal;
    let newest = newest(store)?;
    let in_use = newest.as_ref().map_or(0, |newest| newest.serial);
    let mut revoked = newest.map(|newest| newest.revoked).unwrap_or_default();
    if before == Before::Revoked && in_use > 0 {
        revoked.push(in_use);
        // The oldest go: no machine that has not been heard for so long obeys them, whatever the list says.
        let excess = revoked.len().saturating_sub(REVOKED_MAX);
        revoked.drain(..excess);
    }
    let next = wanted.unwrap_or(in_use + 1);
    check::serial(next, in_use)?;
    let seeds = Seeds { order: clock::entropy(), statement: clock::entropy() };
    let now = clock::now();
    let certificate = OrderKeyCertificate {
        revoked,
        not_after: now.plus(valid_for.unwrap_or(ORDER_KEY_VALID_FOR)),
        ..OrderKeyCertificate::new(next, &seeds.keys(), now)
    };
    Ok((seeds, Request { tidegate_order_key_request: files::VERSION, root, in_use, certificate }))
}

fn unusable(what: String) -> Obstructed {
    let next = "make a request with `tidegate admin order-key new --request FILE`, have it signed with `tidegate admin \
                order-key sign`, and name the answer with --answer; nothing was changed";
    Obstructed::new(Obstacle::OrderKeyUnusable, what, next)
}
