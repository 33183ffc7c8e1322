//! Numbered migrations, one statement at a time, with the version in a row.
//!
//! A Durable Object refuses `PRAGMA user_version` and runs one statement per call, so both are done this way
//! on every host.

use crate::error::Error;
use crate::sql::{ReadSql, Sql, SqlError, Value};

/// The tables of one kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Its name in the version row.
    pub name: &'static str,
    /// Its migrations as SQL files, oldest first; the version is how many have run.
    pub migrations: &'static [&'static str],
}

/// Why a database cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// A newer program wrote it.
    #[error(
        "the database has version {found} of `{schema}` and this program knows {known}: use the newer program, nothing was changed"
    )]
    Newer {
        /// Which tables.
        schema: &'static str,
        /// The version in the database.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// Storage failed.
    #[error("failed to read or migrate the database")]
    Sql(#[from] SqlError),
}

impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Sql(error) => Self::Sql(error),
            MigrateError::Newer { .. } => Self::conflict(error.to_string()),
        }
    }
}

/// Brings `schema` up to date within the host's transaction. Repeating it changes nothing.
///
/// # Errors
///
/// [`MigrateError::Newer`] for a database of a newer program, which is left as it is.
pub fn migrate(db: &dyn Sql, schema: &Schema) -> Result<(), MigrateError> {
    db.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
        &[],
    )?;
    let (found, known) = (version(db, schema)?, schema.migrations.len() as u64);
    for statement in schema.migrations.iter().skip(found as usize).copied().flat_map(statements) {
        db.execute(statement, &[])?;
    }
    if found < known {
        db.execute(
            "INSERT INTO schema_version (name, version) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            &[schema.name.into(), Value::from(known)],
        )?;
    }
    Ok(())
}

/// Answers the version of `schema` in a database that was migrated once, for whoever reads it as it is.
///
/// # Errors
///
/// [`MigrateError::Newer`] for a database of a newer program.
pub fn version(db: &dyn ReadSql, schema: &Schema) -> Result<u64, MigrateError> {
    let rows = db.query("SELECT version FROM schema_version WHERE name = ?1", &[schema.name.into()])?;
    let found = rows.first().map_or(Ok(0), |row| row.unsigned(0))?;
    let known = schema.migrations.len() as u64;
    if found > known { Err(MigrateError::Newer { schema: schema.name, found, known }) } else { Ok(found) }
}

/// The statements of a migration: each ends with a semicolon at the end of a line.
fn statements(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}
