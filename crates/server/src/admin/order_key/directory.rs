//! A data directory whose order key is replaced.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidegate_core::directory::{DirectoryBody, OrderKeyChange};
use tidegate_core::error::Error;
use tidegate_core::keys::PublicKey;
use tidegate_core::sql::{ReadSql, Sql, SqlError};
use tidegate_core::wire::{Authority, OrderKeyCertificate};
use tidegate_sqlite::{DirectoryLock, Store};

use super::super::plain;
use super::super::record::{operator, record};
use super::{OrderKey, Pending, Request, list, newest};
use crate::identity::{Seeds, keys_store, request_erase, root_load};
use crate::schemas::migrate_all;
use crate::{clock, data};

/// A data directory that is worked on, and that nobody serves meanwhile.
pub(super) struct Directory {
    pub(super) store: Store,
    pub(super) root: PublicKey,
    path: PathBuf,
    _lock: DirectoryLock,
}

impl Directory {
    pub(super) fn open(data: &Path) -> anyhow::Result<Self> {
        let explained = |error| data::explained(data, error);
        let database = data::require_database(data)?;
        let lock = data::lock(data).map_err(explained)?;
        let mut store = super::super::open(&database).map_err(explained)?;
        store.transaction(migrate_all).context("failed to bring the database up to date")?;
        let root = store.read(|db| root_load(db)).context("failed to read the root key")?;
        let root = root.ok_or_else(|| anyhow::anyhow!(data::no_owner(data)))?;
        Ok(Self { store, root, path: data.to_owned(), _lock: lock })
    }

    /// Keeps the keys of a request in the place of those of the one before.
    pub(super) fn request_keep(
        &mut self,
        seeds: &Seeds,
        request: &Request,
        dropped: Option<&Pending>,
    ) -> anyhow::Result<()> {
        let text = serde_json::to_string(request)?;
        let [order, statement] = seeds.values();
        let change = change(&request.certificate, dropped);
        let keep = |db: &dyn Sql| -> Result<(), Error> {
            db.execute(
                "INSERT INTO order_key_request (id, order_seed, statement_seed, request) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET order_seed = ?1, statement_seed = ?2, request = ?3",
                &[order.clone(), statement.clone(), text.clone().into()],
            )?;
            record(db, DirectoryBody::OrderKeyRequested(change.clone()))?;
            Ok(())
        };
        self.store.transaction(keep).map_err(plain).context("failed to keep the new keys")
    }

    pub(super) fn request_kept(&self) -> anyhow::Result<Option<(Seeds, Request)>> {
        self.store.read(|db| request_kept(db)).context("failed to read the pending request")
    }

    /// The request that waits for its answer.
    pub(super) fn pending(&self) -> anyhow::Result<Option<Pending>> {
        let in_use = newest(&self.store)?.map_or(0, |newest| newest.serial);
        Ok(self.request_kept()?.map(|(_, asked)| Pending::of(&asked, in_use)))
    }

    pub(super) fn install(
        &mut self,
        seeds: &Seeds,
        authority: &Authority,
        dropped: Option<&Pending>,
    ) -> anyhow::Result<OrderKey> {
        install(&mut self.store, seeds, authority, dropped)?;
        list(&self.path)?.keys.into_iter().next().context("the new key is listed")
    }
}

/// Puts keys in use and forgets the pending request.
pub(super) fn install(
    store: &mut Store,
    seeds: &Seeds,
    authority: &Authority,
    dropped: Option<&Pending>,
) -> anyhow::Result<()> {
    let now = clock::now();
    let certificate = authority.open().context("the root key signed what no machine would take")?;
    let change = change(&certificate, dropped);
    let install = |db: &dyn Sql| -> Result<(), Error> {
        keys_store(db, seeds, authority, now)?;
        request_erase(db)?;
        record(db, DirectoryBody::OrderKeyRenewed(change.clone()))?;
        Ok(())
    };
    store.transaction(install).map_err(plain).context("failed to put the new keys in use")
}

fn change(certificate: &OrderKeyCertificate, dropped: Option<&Pending>) -> OrderKeyChange {
    OrderKeyChange {
        operator: operator(),
        serial: certificate.serial,
        fingerprint: certificate.order_key.fingerprint(),
        revokes: certificate.revoked.clone(),
        dropped: dropped.map(|dropped| dropped.key.serial),
    }
}

/// The pending request and its keys.
///
/// # Errors
///
/// [`SqlError`] when storage fails or it cannot be read.
pub(super) fn request_kept(db: &dyn ReadSql) -> Result<Option<(Seeds, Request)>, SqlError> {
    let rows = db.query("SELECT order_seed, statement_seed, request FROM order_key_request", &[])?;
    rows.first().map(|row| Ok((Seeds::read(row, 0)?, row.json(2)?))).transpose()
}
