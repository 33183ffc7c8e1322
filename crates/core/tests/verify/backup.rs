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
            BACKUP
                .iter()
                .map(|(name, select, _)| {
                    Ok(((*name).to_owned(), db.query(select, &[])?.into_iter().map(|row| row.0).collect()))
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
                let (_, _, insert) = BACKUP.iter().find(|(known, _, _)| known == name).unwrap();
                for row in rows {
                    db.execute(insert, row)?;
                }
            }
            Ok::<_, sql::SqlError>(())
        };
        let mut fresh = Store::in_memory(&Settings::server()).unwrap();
        fresh.transaction(tables).unwrap();
        self.control = fresh;
    }
}

/// What the tests copy of a control plane's database: everything that an export or a sync reads.
const BACKUP: &[(&str, &str, &str)] = &[
    (
        "endpoint",
        "SELECT * FROM endpoint",
        "INSERT INTO endpoint VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,\
         ?23,?24,?25,?26,?27)",
    ),
    ("catalogue", "SELECT * FROM catalogue", "INSERT INTO catalogue VALUES (?1,?2)"),
    ("endpoint_key", "SELECT * FROM endpoint_key", "INSERT INTO endpoint_key VALUES (?1,?2,?3,?4)"),
    ("journal", "SELECT * FROM journal", "INSERT INTO journal VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"),
    ("order_log", "SELECT * FROM order_log", "INSERT INTO order_log VALUES (?1,?2,?3,?4,?5,?6,?7)"),
    ("order_entry", "SELECT * FROM order_entry", "INSERT INTO order_entry VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"),
    ("sequence", "SELECT * FROM sequence", "INSERT INTO sequence VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"),
    ("work", "SELECT * FROM work", "INSERT INTO work VALUES (?1,?2,?3)"),
    ("transcript", "SELECT * FROM transcript", "INSERT INTO transcript VALUES (?1,?2,?3,?4,?5,?6,?7)"),
];
