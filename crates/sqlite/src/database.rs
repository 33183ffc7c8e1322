//! One connection, and the statements that only its owner may run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use tidegate_core::sql::SqlError;

use crate::error::{is_index_full, is_io, sql_error};
use crate::statements::Statements;

/// A connection whose transactions belong to its owner: callers' statements cannot end one, change a
/// setting, or use what Durable Objects refuse.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    /// Whether a statement of the owner's is being prepared or run.
    owned: Arc<AtomicBool>,
}

/// What the owner's statements begin with in the cache, so that a caller that said `COMMIT` does not find
/// the owner's there, already permitted.
const OWNER: &str = "/* owner */ ";

/// An error of one of the owner's statements.
pub(crate) struct ControlError {
    /// The error in the core's words.
    pub(crate) error: SqlError,
    /// Whether the disk failed.
    pub(crate) is_io: bool,
    /// Whether a commit that failed may have left all of itself in the log.
    pub(crate) is_in_log: bool,
}

impl Database {
    pub(crate) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let owned = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&owned);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if asked.load(Ordering::Relaxed) || is_portable(&context) {
                Authorization::Allow
            } else {
                Authorization::Deny
            }
        }))?;
        Ok(Self { connection, owned })
    }

    /// Begins, ends or marks a transaction. These are kept prepared: every call has a few.
    pub(crate) fn transact(&self, statement: &'static str) -> Result<(), ControlError> {
        let statement = format!("{OWNER}{statement}");
        self.as_owner(|connection| connection.prepare_cached(&statement)?.execute([]).map(drop))
    }

    /// Commits the open transaction, or makes sure that it never was.
    ///
    /// When the shared index cannot grow, SQLite gives the transaction up after its frames have reached the disk.
    /// This process does not know them, but whoever opens the database next would find them whole. So what comes
    /// next in the log, in the very same place, is a transaction that says nothing.
    pub(crate) fn commit(&self) -> Result<(), ControlError> {
        let answer = self.transact("COMMIT");
        if answer.as_ref().is_err_and(|failed| failed.is_in_log) {
            self.say_nothing()?;
        }
        answer
    }

    fn say_nothing(&self) -> Result<(), ControlError> {
        let write = || {
            self.roll_back()?;
            self.transact("BEGIN IMMEDIATE")?;
            // Nobody reads this field: the schema's version is a row. Writing it writes the first page.
            self.control("PRAGMA user_version = 0")?;
            self.transact("COMMIT")
        };
        match write() {
            // Its one frame is in the log, which is all it is for, also if the index has no room for that either.
            Err(failed) if failed.is_in_log => self.roll_back(),
            // The refused transaction may still be there: what this process answers would not be true.
            Err(failed) => Err(ControlError { is_io: true, ..failed }),
            Ok(()) => Ok(()),
        }
    }

    /// Runs one of the owner's pragmas, which answers nothing.
    pub(crate) fn control(&self, statement: &str) -> Result<(), ControlError> {
        self.as_owner(|connection| {
            let mut prepared = connection.prepare(statement)?;
            let mut rows = prepared.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })
    }

    /// Runs one of the owner's statements and answers the integers of its only row.
    pub(crate) fn control_row<const N: usize>(&self, statement: &str) -> Result<[i64; N], ControlError> {
        self.as_owner(|connection| {
            connection.query_row(statement, [], |row| {
                let mut values = [0; N];
                for (column, value) in values.iter_mut().enumerate() {
                    *value = row.get(column)?;
                }
                Ok(values)
            })
        })
    }

    /// Runs one of the owner's statements and answers the text of its only row.
    pub(crate) fn control_text(&self, statement: &str) -> Result<String, ControlError> {
        self.as_owner(|connection| connection.query_row(statement, [], |row| row.get(0)))
    }

    /// The statements of one call within the open transaction.
    pub(crate) fn statements(&self) -> Statements<'_> {
        Statements::new(&self.connection)
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Ends the open transaction, if any, without storing anything.
    pub(crate) fn roll_back(&self) -> Result<(), ControlError> {
        if self.in_transaction() { self.transact("ROLLBACK") } else { Ok(()) }
    }

    /// Copies the database as of one moment into `to`, which is overwritten.
    pub(crate) fn copy_into(&self, to: &Path) -> Result<(), ControlError> {
        self.as_owner(|connection| {
            let mut copy = Connection::open(to)?;
            // All pages in one step: one snapshot, which other connections' writes cannot restart.
            rusqlite::backup::Backup::new(connection, &mut copy)?.step(-1).map(drop)
        })
    }

    /// Writes what queries find as of one moment into `to`, an empty file: no free page, no byte of a deleted row.
    pub(crate) fn compact_into(&self, to: &Path) -> Result<(), ControlError> {
        self.as_owner(|connection| {
            let path = to.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(to.to_owned()))?;
            connection.execute("VACUUM INTO ?1", [path]).map(drop)
        })
    }

    fn as_owner<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ControlError> {
        self.owned.store(true, Ordering::Relaxed);
        let answer = run(&self.connection);
        self.owned.store(false, Ordering::Relaxed);
        answer.map_err(|error| ControlError {
            error: sql_error(&error),
            is_io: is_io(&error),
            is_in_log: is_index_full(&error),
        })
    }
}

/// Whether Durable Objects accept the action too.
fn is_portable(context: &AuthContext<'_>) -> bool {
    match &context.action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => false,
        AuthAction::CreateTable { .. } | AuthAction::CreateView { .. } | AuthAction::CreateTrigger { .. } => {
            context.database_name != Some("temp")
        }
        // Full text search asks for the first by itself, to notice other connections' changes; a column that is added
        // to a strict table for the second, to check what is there.
        AuthAction::Pragma { pragma_name, .. } => matches!(*pragma_name, "data_version" | "quick_check"),
        AuthAction::CreateVtable { module_name, .. } => matches!(*module_name, "fts5" | "fts5vocab"),
        AuthAction::Function { function_name } => *function_name != "load_extension",
        _ => true,
    }
}
