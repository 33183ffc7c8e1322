//! What the control plane speaks with: its keys and the root key's certificates of them.

use tidegate_core::envelope::Envelope;
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign as _};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError, Value};
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{Authority, OrderKeyCertificate};

/// The control plane's keys.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The order and statement keys.
    pub(crate) keys: KeyPair,
    /// The root key and its newest certificate.
    pub(crate) authority: Authority,
    /// The certificates of earlier keys, by serial.
    pub(crate) earlier: Vec<Envelope>,
}

/// The secret halves of an order key and its statement key.
#[derive(Clone)]
pub(crate) struct Seeds {
    pub(crate) order: [u8; 32],
    pub(crate) statement: [u8; 32],
}

impl Seeds {
    /// The keys made of them.
    pub(crate) fn keys(&self) -> KeyPair {
        KeyPair::control_plane(&self.order, &self.statement)
    }

    /// Reads them from two columns.
    pub(crate) fn read(row: &Row, column: usize) -> Result<Self, SqlError> {
        let seed = |column: usize| -> Result<[u8; 32], SqlError> {
            row.blob(column)?.try_into().map_err(|_| SqlError::shape("a seed of 32 bytes"))
        };
        Ok(Self { order: seed(column)?, statement: seed(column + 1)? })
    }

    /// The values of two columns.
    pub(crate) fn values(&self) -> [Value; 2] {
        [self.order.to_vec().into(), self.statement.to_vec().into()]
    }
}

/// Reads the identity; `None`: no owner made one yet. The tables exist.
///
/// # Errors
///
/// [`SqlError`] when storage fails, the newest certificate is not one of the stored keys, or its keys are not here: a
/// backup can be made without them.
pub(crate) fn identity_load(db: &dyn ReadSql) -> Result<Option<Identity>, SqlError> {
    let Some(root) = root_load(db)? else { return Ok(None) };
    let rows = db.query(
        "SELECT order_seed, statement_seed, certificate FROM order_key ORDER BY serial DESC LIMIT 1",
        &[],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    let keys = Seeds::read(row, 0)?.keys();
    let authority = Authority { root, certificate: row.json(2)? };
    let is_ours = is_about(&authority, &keys);
    let rows = db.query("SELECT certificate FROM order_key ORDER BY serial", &[])?;
    let mut earlier = rows.iter().map(|row| row.json(0)).collect::<Result<Vec<_>, _>>()?;
    earlier.pop();
    if is_ours {
        Ok(Some(Identity { keys, authority, earlier }))
    } else {
        Err(SqlError::shape("a certificate of the stored keys"))
    }
}

/// Whether the root key certifies `keys`.
fn is_about(authority: &Authority, keys: &KeyPair) -> bool {
    authority.open().is_ok_and(|certificate| {
        certificate.order_key == keys.public_key(Role::Order)
            && certificate.statement_key == keys.public_key(Role::Statement)
    })
}

/// The owner's root key; `None`: no owner was made.
///
/// # Errors
///
/// [`SqlError`] when storage fails.
pub(crate) fn root_load(db: &dyn ReadSql) -> Result<Option<PublicKey>, SqlError> {
    db.query("SELECT root_key FROM root", &[])?.first().map(|row| row.parsed(0)).transpose()
}

/// Every certificate, newest first.
///
/// # Errors
///
/// [`SqlError`] when storage fails or one is not signed by the root key.
pub(crate) fn certificates_load(db: &dyn ReadSql) -> Result<Vec<OrderKeyCertificate>, SqlError> {
    let Some(root) = root_load(db)? else { return Ok(Vec::new()) };
    let rows = db.query("SELECT certificate FROM order_key ORDER BY serial DESC", &[])?;
    rows.iter()
        .map(|row| {
            let authority = Authority { root, certificate: row.json(0)? };
            authority.open().map_err(|_| SqlError::shape("a certificate by the root key"))
        })
        .collect()
}

/// Stores the root key of a control plane that has none.
///
/// # Errors
///
/// [`SqlError`] when storage fails or there is one already.
pub(crate) fn root_store(db: &dyn Sql, root: PublicKey) -> Result<(), SqlError> {
    db.execute("INSERT INTO root (id, root_key) VALUES (1, ?1)", &[root.into()])?;
    Ok(())
}

/// Whether the secret halves of the newest keys are here. They are not in a backup that was made without them.
///
/// # Errors
///
/// [`SqlError`] when storage fails.
pub(crate) fn has_keys(db: &dyn ReadSql) -> Result<bool, SqlError> {
    let rows =
        db.query("SELECT order_seed, statement_seed FROM order_key ORDER BY serial DESC LIMIT 1", &[])?;
    Ok(rows.first().is_some_and(|row| !row.is_null(0) && !row.is_null(1)))
}

/// Whether certificates are here, and the keys that they are about are not.
///
/// # Errors
///
/// [`SqlError`] when storage fails.
pub(crate) fn are_keys_missing(db: &dyn ReadSql) -> Result<bool, SqlError> {
    let is_certified = !db.query("SELECT 1 FROM order_key LIMIT 1", &[])?.is_empty();
    Ok(is_certified && !has_keys(db)?)
}

/// The error for a database that was backed up without keys and then copied into place as a file.
pub(crate) fn without_keys() -> Obstructed {
    Obstructed::new(
        Obstacle::BackupWithoutKeys,
        "the database in the data directory holds no keys: it is a backup that was made without them",
        "put it in place with the keys, which also keeps work from running twice; nothing was changed:\n\
         tidegate admin restore --data DIR --from BACKUP --keys-from BACKUP-WITH-KEYS",
    )
}

/// Erases the secret half of every key, also of those that wait for the root key's signature. Certificates stay.
///
/// # Errors
///
/// [`SqlError`] when storage fails.
pub(crate) fn keys_erase(db: &dyn Sql) -> Result<(), SqlError> {
    db.execute("UPDATE order_key SET order_seed = NULL, statement_seed = NULL", &[])?;
    request_erase(db)
}

/// Forgets the keys that wait for the root key's signature.
///
/// # Errors
///
/// [`SqlError`] when storage fails.
pub(crate) fn request_erase(db: &dyn Sql) -> Result<(), SqlError> {
    db.execute("DELETE FROM order_key_request", &[])?;
    Ok(())
}

/// Puts keys in use, and erases the secret halves of every key before.
///
/// # Errors
///
/// [`SqlError`] when storage fails, the certificate is about other keys, or a newer key is in use, whose secret halves
/// would be lost.
pub(crate) fn keys_store(
    db: &dyn Sql,
    seeds: &Seeds,
    authority: &Authority,
    now: Timestamp,
) -> Result<(), SqlError> {
    let certificate = serde_json::to_string(&authority.certificate)
        .map_err(|error| SqlError::shape(format_args!("a certificate as JSON: {error}")))?;
    if !is_about(authority, &seeds.keys()) {
        return Err(SqlError::shape("a certificate of the keys that are put in use"));
    }
    if !db.query("SELECT 1 FROM order_key WHERE serial >= ?1", &[authority.serial().into()])?.is_empty() {
        return Err(SqlError::shape("a certificate that is newer than that of the key in use"));
    }
    db.execute("UPDATE order_key SET order_seed = NULL, statement_seed = NULL", &[])?;
    let [order, statement] = seeds.values();
    db.execute(
        "INSERT INTO order_key (serial, order_seed, statement_seed, certificate, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[authority.serial().into(), order, statement, certificate.into(), now.into()],
    )?;
    Ok(())
}
