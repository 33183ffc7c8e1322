//! The control plane set back to an earlier day.

use tidegate_core::{control, schema, sql};
use tidegate_sqlite::{Settings, Store};

use crate::world::World;

/// The rows of every table that an export or a sync reads.
pub(crate) type Backup = Vec<(String, Vec<Vec<sql::Value>>)>;

impl World {
    /// A consistent copy of the control plane's database, and back.
    pub(crate) fn backup(&self) -> Backup {
        let dump = |db: &dyn sql::ReadSql| {
            TABLES
                .iter()
                .map(|name| {
                    let rows = db.query(format!("SELECT * FROM {name}").leak(), &[])?;
                    Ok(((*name).to_owned(), rows.into_iter().map(|row| row.0).collect()))
                })
                .collect::<Result<Vec<_>, sql::SqlError>>()
        };
        self.control.read(dump).unwrap()
    }

    /// Sets the control plane back.
    pub(crate) fn set_back(&mut self, backup: &Backup) {
        let tables = |db: &dyn sql::Sql| {
            schema::migrate(db, &control::SCHEMA).unwrap();
            for (name, rows) in backup {
                for row in rows {
                    let places: Vec<_> = (1..=row.len()).map(|place| format!("?{place}")).collect();
                    let insert = format!("INSERT INTO {name} VALUES ({})", places.join(", "));
                    db.execute(insert.leak(), row)?;
                }
            }
            Ok::<_, sql::SqlError>(())
        };
        let mut fresh = Store::in_memory(&Settings::server()).unwrap();
        fresh.transaction(tables).unwrap();
        self.control = fresh;
    }
}

/// The tables that an export or a sync reads. Statements are constants everywhere, so the tests leak theirs.
const TABLES: &[&str] = &[
    "endpoint",
    "catalogue",
    "endpoint_key",
    "journal",
    "order_log",
    "order_entry",
    "sequence",
    "work",
    "transcript",
    "claim",
];
