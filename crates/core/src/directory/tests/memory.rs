//! Storage on SQLite in memory: the trait and no more.

use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::sql::{ReadSql, Row, Sql, SqlError, SqlErrorKind, Value};

pub(super) struct Memory(rusqlite::Connection);

impl Memory {
    pub(super) fn new() -> Self {
        Self(rusqlite::Connection::open_in_memory().unwrap())
    }

    /// Opens or ends a savepoint, as a host does around a call.
    pub(super) fn batch(&self, statements: &str) {
        self.0.execute_batch(statements).unwrap();
    }
}

impl ReadSql for Memory {
    fn query(&self, statement: &'static str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let mut prepared = self.0.prepare_cached(statement).map_err(|error| failed(&error))?;
        let columns = prepared.column_count();
        let mut rows = prepared.query(bound(parameters)).map_err(|error| failed(&error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            found.push(Row((0..columns).map(|column| value(row.get_ref(column).unwrap())).collect()));
        }
        Ok(found)
    }
}

impl Sql for Memory {
    fn execute(&self, statement: &'static str, parameters: &[Value]) -> Result<u64, SqlError> {
        let mut prepared = self.0.prepare_cached(statement).map_err(|error| failed(&error))?;
        prepared.execute(bound(parameters)).map(|changed| changed as u64).map_err(|error| failed(&error))
    }
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

fn bound(parameters: &[Value]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(parameters.iter().map(Bound))
}

fn value(stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(value) => Value::Text(String::from_utf8(value.to_vec()).unwrap()),
        ValueRef::Blob(value) => Value::Blob(value.to_vec()),
    }
}

fn failed(error: &rusqlite::Error) -> SqlError {
    SqlError::new(SqlErrorKind::Other, error.to_string())
}
