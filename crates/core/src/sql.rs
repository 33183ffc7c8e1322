//! Storage as the core sees it: one statement at a time, owned rows, no transactions.
//!
//! The host opens the transaction, the core reads and writes in it, the host commits. So there is no
//! `begin` here, and a host must refuse a statement outside a transaction: a caller that swallowed an
//! error which rolled everything back would otherwise write the rest one row at a time.
//! [`crate::conformance`] holds what every host must do.

/// The largest magnitude of an integer that every host stores exactly (2^53 − 1): Durable Objects bind
/// integers as IEEE 754 doubles.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// One value of a row or a parameter.
///
/// Booleans travel as the integers 0 and 1. Integers beyond ±[`INTEGER_MAX`] are refused by every host
/// with [`SqlErrorKind::IntegerRange`], the lenient ones included: what one host stores another must read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// A whole number within ±[`INTEGER_MAX`].
    Integer(i64),
    /// A double. A whole one may come back as [`Value::Integer`].
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Reads within the host's transaction or snapshot.
pub trait ReadSql {
    /// Runs one statement and answers every row, in the statement's order.
    ///
    /// # Errors
    ///
    /// [`SqlError`], of the kind the caller can act on.
    fn query(&self, statement: &'static str, parameters: &[Value]) -> Result<Vec<Row>, SqlError>;
}

/// Reads and writes within the host's transaction.
pub trait Sql: ReadSql {
    /// Runs one statement and answers how many rows it changed.
    ///
    /// # Errors
    ///
    /// [`SqlError`]; after [`SqlErrorKind::Full`] the whole transaction may be gone.
    fn execute(&self, statement: &'static str, parameters: &[Value]) -> Result<u64, SqlError>;
}

/// One row, its values in the order the statement names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

/// What the caller of a failed statement can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// The disk or the configured size is full (`SQLITE_FULL`): nothing of this call is stored.
    Full,
    /// A uniqueness or other constraint refused the row.
    Constraint,
    /// An integer beyond ±[`INTEGER_MAX`].
    IntegerRange,
    /// The row does not have the shape the code reads: a wrong column, type or encoding.
    Shape,
    /// The statement ran outside a transaction.
    NoTransaction,
    /// The file cannot be written, or not be opened at all.
    NotWritable,
    /// The file is damaged, or no database.
    Damaged,
    /// Everything else, I/O errors included: the host decides whether it may go on.
    Other,
}

/// A statement that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What the caller can act on.
    pub kind: SqlErrorKind,
    /// The host's own words, for a person.
    pub message: String,
}

impl SqlError {
    /// An error of `kind` with the host's words.
    pub fn new(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A stored value that does not read as what the code expects.
    pub fn shape(what: impl core::fmt::Display) -> Self {
        Self::new(SqlErrorKind::Shape, format!("stored value does not read as {what}"))
    }
}

impl Row {
    /// The whole number in `column`, counted from 0. A whole [`Value::Real`] counts as one.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when there is none.
    pub fn integer(&self, column: usize) -> Result<i64, SqlError> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Ok(*value),
            Some(Value::Real(value)) if value.fract() == 0.0 && value.abs() <= INTEGER_MAX as f64 => {
                Ok(*value as i64)
            }
            _ => Err(SqlError::shape(format_args!("an integer (column {column})"))),
        }
    }

    /// The whole number in `column` that must not be negative.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when there is none or it is negative.
    pub fn unsigned(&self, column: usize) -> Result<u64, SqlError> {
        u64::try_from(self.integer(column)?)
            .map_err(|_| SqlError::shape(format_args!("an unsigned integer (column {column})")))
    }

    /// The text in `column`.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when there is none.
    pub fn text(&self, column: usize) -> Result<&str, SqlError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(SqlError::shape(format_args!("text (column {column})"))),
        }
    }

    /// The text in `column`, or `None` for NULL.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when it is neither.
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, SqlError> {
        if self.is_null(column) { Ok(None) } else { self.text(column).map(Some) }
    }

    /// The whole number in `column`, or `None` for NULL.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when it is neither.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, SqlError> {
        if self.is_null(column) { Ok(None) } else { self.integer(column).map(Some) }
    }

    /// The bytes in `column`.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when there are none.
    pub fn blob(&self, column: usize) -> Result<&[u8], SqlError> {
        match self.0.get(column) {
            Some(Value::Blob(value)) => Ok(value),
            _ => Err(SqlError::shape(format_args!("bytes (column {column})"))),
        }
    }

    /// The text in `column`, parsed as a `T`.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when it does not parse.
    pub fn parsed<T: core::str::FromStr>(&self, column: usize) -> Result<T, SqlError> {
        self.text(column)?.parse().map_err(|_| SqlError::shape(core::any::type_name::<T>()))
    }

    /// The text in `column`, parsed as a `T`, or `None` for NULL.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when it does not parse.
    pub fn optional_parsed<T: core::str::FromStr>(&self, column: usize) -> Result<Option<T>, SqlError> {
        if self.is_null(column) { Ok(None) } else { self.parsed(column).map(Some) }
    }

    /// The JSON text in `column`, read as a `T`.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when it does not read.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T, SqlError> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| SqlError::shape(format_args!("{}: {error}", core::any::type_name::<T>())))
    }

    /// The word of the interfaces in `column`, such as a state: text that JSON has between quotes.
    ///
    /// # Errors
    ///
    /// [`SqlErrorKind::Shape`] when `T` has no such word.
    pub fn word<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T, SqlError> {
        let text = self.text(column)?;
        let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
        T::deserialize(word).map_err(|_| SqlError::shape(format_args!("`{text}`")))
    }

    /// Whether `column` holds NULL or does not exist.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), None | Some(Value::Null))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Value {
    /// Values beyond `i64::MAX` become `i64::MAX`, which every host then refuses.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
