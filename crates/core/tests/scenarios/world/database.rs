//! One database in memory that can be copied whole: a backup, a clone's disk, a machine set back.
//!
//! A plain connection and not `tidegate-sqlite`, whose store has no copy of a database in memory, and on which
//! the core must not depend even in a circle of tests.

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tidegate_core::error::Error;
use tidegate_core::schema::{Schema, migrate};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError, SqlErrorKind, Value};

pub(crate) struct Database(Connection);

impl Database {
    /// An empty database with the tables of `schema`.
    pub(crate) fn new(schema: &Schema) -> Self {
        let database = Self::open();
        database.transaction(|db| migrate(db, schema).map_err(Error::from)).expect("the schema is valid");
        database
    }

    /// The database as it is now.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = Self::open();
        let backup = rusqlite::backup::Backup::new(&self.0, &mut copy.0).expect("a database can be copied");
        backup.step(-1).expect("a database can be copied");
        drop(backup);
        copy
    }

    /// Runs `job` in one transaction, which an error rolls back.
    pub(crate) fn transaction<T>(&self, job: impl FnOnce(&dyn Sql) -> Result<T, Error>) -> Result<T, Error> {
        self.control("BEGIN IMMEDIATE");
        let answer = job(self);
        self.control(if answer.is_ok() { "COMMIT" } else { "ROLLBACK" });
        answer
    }

    fn open() -> Self {
        let connection = Connection::open_in_memory().expect("memory is there");
        connection.set_prepared_statement_cache_capacity(128);
        Self(connection)
    }

    fn control(&self, statement: &str) {
        self.0.execute_batch(statement).expect("transactions begin and end");
    }

    fn prepare(&self, statement: &str) -> Result<rusqlite::CachedStatement<'_>, SqlError> {
        self.0.prepare_cached(statement).map_err(|error| failed(&error))
    }
}

impl ReadSql for Database {
    fn query(&self, statement: &'static str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let mut prepared = self.prepare(statement)?;
        let columns = prepared.column_count();
        let mut rows = prepared.query(bound(parameters)).map_err(|error| failed(&error))?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            let values = (0..columns).map(|column| row.get_ref(column).map(value));
            answer.push(Row(values.collect::<Result<_, _>>().map_err(|error| failed(&error))?));
        }
        Ok(answer)
    }
}

impl Sql for Database {
    fn execute(&self, statement: &'static str, parameters: &[Value]) -> Result<u64, SqlError> {
        let changed = self.prepare(statement)?.execute(bound(parameters)).map_err(|error| failed(&error))?;
        Ok(changed as u64)
    }
}

fn bound(parameters: &[Value]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(parameters.iter().map(Bound))
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

fn value(stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn failed(error: &rusqlite::Error) -> SqlError {
    SqlError::new(SqlErrorKind::Other, error.to_string())
}
