//! The tables of this host's one database: the core's two kinds of objects, and the keys.

use tidegate_core::schema::{MigrateError, Schema, migrate};
use tidegate_core::sql::Sql;
use tidegate_core::{control, directory};

/// The server's own tables.
const SERVER: Schema = Schema {
    name: "server",
    migrations: &[include_str!("schema/0001_server.sql"), include_str!("schema/0002_order_keys.sql")],
};

/// Brings every table up to date, within one transaction of the caller's.
///
/// One for all of them: when any is of a newer program nothing is changed, and no crash leaves some migrated.
pub(crate) fn migrate_all(db: &dyn Sql) -> Result<(), MigrateError> {
    for schema in [&SERVER, &directory::SCHEMA, &control::SCHEMA] {
        migrate(db, schema)?;
    }
    Ok(())
}
