//! What the control plane speaks with: the order key and the root key's certificate of it, kept as one row.

use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::sql::{ReadSql, Sql, SqlError};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::Authority;

/// The control plane's keys.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The order key.
    pub(crate) keys: KeyPair,
    /// The root key and its certificate of the order key.
    pub(crate) authority: Authority,
}

/// Reads the identity; `None`: no owner made one yet. The tables exist.
///
/// # Errors
///
/// [`SqlError`] when storage fails or the row is not one that [`identity_store`] wrote.
pub(crate) fn identity_load(db: &dyn ReadSql) -> Result<Option<Identity>, SqlError> {
    let rows = db.query("SELECT order_seed, root_key, certificate FROM control_plane WHERE id = 1", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let seed: [u8; 32] = row.blob(0)?.try_into().map_err(|_| SqlError::shape("a seed of 32 bytes"))?;
    let authority = Authority { root: row.parsed::<PublicKey>(1)?, certificate: row.json(2)? };
    let keys = KeyPair::from_seed(Role::Order, &seed);
    if authority.order_key() != Ok(PublicKey::of_seed(&seed)) {
        return Err(SqlError::shape("a certificate of the stored order key"));
    }
    Ok(Some(Identity { keys, authority }))
}

/// Stores the identity of a control plane that has none.
///
/// # Errors
///
/// [`SqlError`] when storage fails or there is one already.
pub(crate) fn identity_store(
    db: &dyn Sql,
    order_seed: &[u8; 32],
    authority: &Authority,
    now: Timestamp,
) -> Result<(), SqlError> {
    let certificate = serde_json::to_string(&authority.certificate)
        .map_err(|error| SqlError::shape(format_args!("a certificate as JSON: {error}")))?;
    db.execute(
        "INSERT INTO control_plane (id, order_seed, root_key, certificate, created_at) VALUES (1, ?1, ?2, ?3, ?4)",
        &[order_seed.to_vec().into(), authority.root.into(), certificate.into(), now.into()],
    )?;
    Ok(())
}
