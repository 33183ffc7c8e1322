//! The `Sql` trait over one connection inside a transaction.

use std::cell::Cell;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};
use tidegate_core::sql::{INTEGER_MAX, ReadSql, Row, Sql, SqlError, SqlErrorKind, Value};

use crate::error::{is_io, sql_error};

/// The statements of one call. Refuses to run when no transaction is open.
pub(crate) struct Statements<'a> {
    connection: &'a Connection,
    /// The call may swallow an error, so an I/O error is kept for the owner of the transaction.
    io_failure: Cell<Option<String>>,
}

impl<'a> Statements<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection, io_failure: Cell::new(None) }
    }

    /// The I/O error that a statement met, if any.
    pub(crate) fn io_failure(&self) -> Option<String> {
        self.io_failure.take()
    }

    fn prepare(&self, statement: &str, parameters: &[Value]) -> Result<CachedStatement<'a>, SqlError> {
        // `SQLITE_FULL` and some other errors roll back the whole transaction from inside a savepoint.
        // What a caller that swallowed the error did next would be committed row by row.
        if self.connection.is_autocommit() {
            return Err(SqlError::new(SqlErrorKind::NoTransaction, "no transaction is open"));
        }
        for parameter in parameters {
            if let Value::Integer(value) = parameter {
                within_range(*value)?;
            }
        }
        self.connection.prepare_cached(statement).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> SqlError {
        if is_io(error) {
            self.io_failure.set(Some(error.to_string()));
        }
        sql_error(error)
    }
}

impl ReadSql for Statements<'_> {
    fn query(&self, statement: &'static str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let mut prepared = self.prepare(statement, parameters)?;
        let columns = prepared.column_count();
        let mut answer = Vec::new();
        let mut rows = prepared.query(bound(parameters)).map_err(|error| self.failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(value(row.get_ref(column).map_err(|error| self.failed(&error))?)?);
            }
            answer.push(Row(values));
        }
        Ok(answer)
    }
}

impl Sql for Statements<'_> {
    fn execute(&self, statement: &'static str, parameters: &[Value]) -> Result<u64, SqlError> {
        let mut prepared = self.prepare(statement, parameters)?;
        let changed = prepared.execute(bound(parameters)).map_err(|error| self.failed(&error))?;
        Ok(changed as u64)
    }
}

/// Parameters without a copy of their text and bytes.
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

fn value(stored: ValueRef<'_>) -> Result<Value, SqlError> {
    Ok(match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(within_range(value)?),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => {
            let text = str::from_utf8(bytes).map_err(|_| SqlError::shape("UTF-8 text"))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

fn within_range(value: i64) -> Result<i64, SqlError> {
    if (-INTEGER_MAX..=INTEGER_MAX).contains(&value) {
        return Ok(value);
    }
    let message = format!("integer `{value}` is beyond 2^53 - 1, which not every host stores exactly");
    Err(SqlError::new(SqlErrorKind::IntegerRange, message))
}
