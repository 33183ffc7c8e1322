//! What every host's [`Sql`] must do, as named cases that any host can run.
//!
//! A host that is stricter than another would be a bug found in production, so the union of all
//! refusals binds every host: what Durable Objects refuse, native SQLite refuses too. One difference
//! remains that no case can remove: Durable Objects bind integers as doubles, so the *type* of a bare
//! parameter (`typeof(?1)`, `?1 / 2`, `json_object('n', ?1)`) differs between hosts. Integers belong
//! into `INTEGER` columns of `STRICT` tables; elsewhere say `CAST(?1 AS INTEGER)`.

use crate::sql::{INTEGER_MAX, Row, Sql, SqlError, SqlErrorKind, Value};

/// A host under test, with one database that is empty when a case starts.
pub trait Harness {
    /// Runs `run` in one transaction: `Ok` commits durably, `Err` stores nothing and is answered.
    ///
    /// `run` may be called again when the host tries a transaction again.
    ///
    /// # Errors
    ///
    /// What `run` answered, or the host's own failure to begin or commit.
    fn transaction(&mut self, run: &mut dyn FnMut(&dyn Sql) -> Result<(), SqlError>) -> Result<(), SqlError>;

    /// Runs `run` with the same storage while no transaction is open.
    fn outside_transaction(&mut self, run: &mut dyn FnMut(&dyn Sql));
}

/// One thing every host must do. The error says what the host did otherwise.
pub type Case = fn(&mut dyn Harness) -> Result<(), SqlError>;

/// Every case, named as a sentence. Each wants a database of its own.
pub const CASES: &[(&str, Case)] = &[
    ("a committed transaction is read by the next", committed_is_read),
    ("an error rolls back the whole transaction", error_rolls_back),
    ("statements outside a transaction are refused", outside_is_refused),
    ("every kind of value comes back as it was stored", values_come_back),
    ("integers to the largest magnitude come back exactly", integers_come_back),
    ("integers beyond the largest magnitude are refused as parameters", large_parameters_are_refused),
    ("integers beyond the largest magnitude are refused in rows", large_results_are_refused),
    ("a whole real reads as an integer", whole_real_reads_as_integer),
    ("a strict table refuses the wrong type", strict_table_refuses),
    ("constraint errors are of kind constraint", constraints_have_their_kind),
    ("a transaction goes on after a refused row", transaction_survives_constraint),
    ("execute answers the rows changed, not the index entries", execute_counts_rows),
    ("returning answers the rows written", returning_answers),
    ("upserts work", upserts_work),
    ("json functions work", json_works),
    ("recursive queries work", recursion_works),
    ("full text search works", full_text_search_works),
    ("a second statement in one call is refused, not ignored", second_statement_is_refused),
    ("a final semicolon is accepted", final_semicolon_is_accepted),
    ("transaction and connection statements are refused", connection_statements_are_refused),
    ("temporary tables are refused", temporary_tables_are_refused),
    ("a wrong number of parameters is refused", parameter_count_is_checked),
];

/// Runs every case, each with a harness of its own, and answers the failures by name.
pub fn failures(mut harness: impl FnMut() -> Box<dyn Harness>) -> Vec<(&'static str, SqlError)> {
    CASES.iter().filter_map(|(name, case)| case(&mut *harness()).err().map(|error| (*name, error))).collect()
}

fn committed_is_read(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| insert(db, 1, "one"))?;
    host.transaction(&mut |db| rows_are(db, "SELECT id, name FROM thing", &[row![1, "one"]]))
}

fn error_rolls_back(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    let answer = host.transaction(&mut |db| {
        insert(db, 1, "one")?;
        db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY) STRICT", &[])?;
        Err(SqlError::new(SqlErrorKind::Shape, "on purpose"))
    });
    expect_kind("the transaction", answer, SqlErrorKind::Shape)?;
    host.transaction(&mut |db| {
        rows_are(db, "SELECT id FROM thing", &[])?;
        rows_are(db, "SELECT name FROM sqlite_schema WHERE name = 'other'", &[])
    })
}

fn outside_is_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    let mut outcome = Ok(());
    host.outside_transaction(&mut |db| {
        outcome = expect_kind("a write", insert(db, 1, "one"), SqlErrorKind::NoTransaction)
            .and_then(|()| expect_kind("a read", db.query("SELECT 1", &[]), SqlErrorKind::NoTransaction));
    });
    outcome?;
    host.transaction(&mut |db| rows_are(db, "SELECT id FROM thing", &[]))
}

fn values_come_back(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        db.execute("CREATE TABLE v (n INTEGER, i INTEGER, r REAL, t TEXT, b BLOB, e BLOB) STRICT", &[])?;
        let stored = [
            Value::Null,
            Value::Integer(-7),
            Value::Real(0.1),
            Value::from("größer ✓"),
            Value::Blob(vec![0, 255, 1]),
            Value::Blob(Vec::new()),
        ];
        db.execute("INSERT INTO v VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &stored)?;
        rows_are(db, "SELECT n, i, r, t, b, e FROM v", &[Row(stored.to_vec())])
    })
}

fn integers_come_back(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        for id in [INTEGER_MAX, -INTEGER_MAX, 0] {
            insert(db, id, "n")?;
            let rows = db.query("SELECT id FROM thing WHERE id = ?1", &[Value::Integer(id)])?;
            expect("the integer comes back", rows.len() == 1 && rows[0].integer(0)? == id)?;
        }
        Ok(())
    })
}

fn large_parameters_are_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        for id in [INTEGER_MAX + 1, -INTEGER_MAX - 1, i64::MAX, i64::MIN] {
            expect_kind("a write", insert(db, id, "n"), SqlErrorKind::IntegerRange)?;
            let read = db.query("SELECT 1 WHERE 1 = ?1", &[Value::Integer(id)]);
            expect_kind("a read", read, SqlErrorKind::IntegerRange)?;
        }
        rows_are(db, "SELECT id FROM thing", &[])
    })
}

fn large_results_are_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        expect_kind("2^53", db.query("SELECT 9007199254740992", &[]), SqlErrorKind::IntegerRange)?;
        expect_kind("-2^53", db.query("SELECT -9007199254740992", &[]), SqlErrorKind::IntegerRange)?;
        let rows = db.query("SELECT 9007199254740991", &[])?;
        expect("2^53 - 1 is read", rows.len() == 1 && rows[0].integer(0)? == INTEGER_MAX)
    })
}

fn whole_real_reads_as_integer(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        db.execute("CREATE TABLE r (x REAL) STRICT", &[])?;
        db.execute("INSERT INTO r VALUES (?1)", &[Value::Real(3.0)])?;
        let rows = db.query("SELECT x FROM r", &[])?;
        expect("3.0 reads as 3", rows.len() == 1 && rows[0].integer(0)? == 3)
    })
}

fn strict_table_refuses(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        let text = db.execute("INSERT INTO thing (id, name) VALUES ('x', 'name')", &[]);
        expect("text in an INTEGER column is refused", text.is_err())?;
        let fraction = db.execute("INSERT INTO thing (id, name) VALUES (?1, 'name')", &[Value::Real(1.5)]);
        expect("a fraction in an INTEGER column is refused", fraction.is_err())
    })
}

fn constraints_have_their_kind(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        insert(db, 1, "one")?;
        expect_kind("a repeated key", insert(db, 1, "uno"), SqlErrorKind::Constraint)?;
        expect_kind("a repeated name", insert(db, 2, "one"), SqlErrorKind::Constraint)?;
        let null = db.execute("INSERT INTO thing (id, name) VALUES (3, NULL)", &[]);
        expect_kind("NULL where NOT NULL", null, SqlErrorKind::Constraint)?;
        expect_kind("a failed CHECK", insert(db, 4, ""), SqlErrorKind::Constraint)?;
        db.execute("CREATE TABLE child (thing INTEGER REFERENCES thing (id)) STRICT", &[])?;
        let orphan = db.execute("INSERT INTO child VALUES (99)", &[]);
        expect_kind("a dangling reference", orphan, SqlErrorKind::Constraint)
    })
}

fn transaction_survives_constraint(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        insert(db, 1, "one")?;
        expect("a repeated key is refused", insert(db, 1, "uno").is_err())?;
        insert(db, 2, "two")
    })?;
    host.transaction(&mut |db| rows_are(db, "SELECT id FROM thing ORDER BY id", &[row![1], row![2]]))
}

fn execute_counts_rows(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        let two = db.execute("INSERT INTO thing (id, name) VALUES (1, 'one'), (2, 'two')", &[])?;
        expect("two rows inserted count 2", two == 2)?;
        let one = db.execute("UPDATE thing SET name = 'uno' WHERE id = 1", &[])?;
        expect("one row updated counts 1", one == 1)?;
        expect("none deleted count 0", db.execute("DELETE FROM thing WHERE id = 9", &[])? == 0)?;
        expect("two deleted count 2", db.execute("DELETE FROM thing", &[])? == 2)
    })
}

fn returning_answers(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        rows_are(db, "INSERT INTO thing VALUES (1, 'a'), (2, 'b') RETURNING id", &[row![1], row![2]])?;
        rows_are(db, "UPDATE thing SET name = 'c' WHERE id = 2 RETURNING name", &[row!["c"]])?;
        rows_are(db, "DELETE FROM thing WHERE id = 1 RETURNING id, name", &[row![1, "a"]])
    })?;
    host.transaction(&mut |db| rows_are(db, "SELECT id, name FROM thing", &[row![2, "c"]]))
}

fn upserts_work(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        for name in ["one", "uno"] {
            db.execute(
                "INSERT INTO thing VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                &[name.into()],
            )?;
        }
        rows_are(db, "SELECT id, name FROM thing", &[row![1, "uno"]])
    })
}

fn json_works(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        rows_are(db, "SELECT json_extract('{\"a\":[1,\"x\"]}', '$.a[1]')", &[row!["x"]])?;
        rows_are(db, "SELECT '{\"a\":\"y\"}' ->> '$.a'", &[row!["y"]])?;
        rows_are(db, "SELECT value FROM json_each('[\"p\",\"q\"]')", &[row!["p"], row!["q"]])
    })
}

fn recursion_works(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        rows_are(
            db,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
            &[row![1], row![2], row![3]],
        )
    })
}

fn full_text_search_works(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        db.execute("CREATE VIRTUAL TABLE words USING fts5 (body)", &[])?;
        db.execute("INSERT INTO words (rowid, body) VALUES (1, 'servo drive lost')", &[])?;
        db.execute("INSERT INTO words (rowid, body) VALUES (2, 'all well')", &[])?;
        Ok(())
    })?;
    host.transaction(&mut |db| {
        let rows = db.query("SELECT rowid FROM words WHERE words MATCH ?1", &["servo*".into()])?;
        expect("one row matches", rows.len() == 1 && rows[0].integer(0)? == 1)?;
        db.execute("DELETE FROM words WHERE rowid = 1", &[])?;
        rows_are(db, "SELECT rowid FROM words WHERE words MATCH 'servo'", &[])
    })
}

fn second_statement_is_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    table(host)?;
    host.transaction(&mut |db| {
        let both = db.execute("INSERT INTO thing VALUES (1, 'a'); INSERT INTO thing VALUES (2, 'b')", &[]);
        expect("two writes in one call are refused", both.is_err())?;
        expect("two reads in one call are refused", db.query("SELECT 1; SELECT 2", &[]).is_err())?;
        rows_are(db, "SELECT id FROM thing", &[])
    })
}

fn final_semicolon_is_accepted(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| rows_are(db, "SELECT 1;\n", &[row![1]]))
}

fn connection_statements_are_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    const STATEMENTS: &[&str] = &[
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "ROLLBACK TO s",
        "ATTACH ':memory:' AS other",
        "DETACH other",
        "VACUUM",
        "VACUUM INTO 'copy'",
        "PRAGMA user_version",
        "PRAGMA user_version = 3",
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = DELETE",
        "/* hidden */ BEGIN",
    ];
    table(host)?;
    host.transaction(&mut |db| {
        insert(db, 1, "one")?;
        for statement in STATEMENTS.iter().copied() {
            expect(statement, db.execute(statement, &[]).is_err())?;
            expect(statement, db.query(statement, &[]).is_err())?;
        }
        Ok(())
    })?;
    host.transaction(&mut |db| rows_are(db, "SELECT id FROM thing", &[row![1]]))
}

fn temporary_tables_are_refused(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        for statement in [
            "CREATE TEMP TABLE t (i INTEGER)",
            "CREATE TEMPORARY TABLE t AS SELECT 1",
            "CREATE TABLE temp.t (i INTEGER)",
            "CREATE TEMP VIEW w AS SELECT 1",
        ] {
            expect(statement, db.execute(statement, &[]).is_err())?;
        }
        Ok(())
    })
}

fn parameter_count_is_checked(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        expect("a missing parameter is refused", db.query("SELECT ?1", &[]).is_err())?;
        expect("an extra parameter is refused", db.query("SELECT 1", &[1_i64.into()]).is_err())
    })
}

/// A row of literals.
macro_rules! row {
    ($($value:expr),*) => { Row(vec![$(Literal::from($value).0),*]) };
}
use row;

struct Literal(Value);

impl From<i32> for Literal {
    fn from(value: i32) -> Self {
        Self(Value::Integer(value.into()))
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self(value.into())
    }
}

fn table(host: &mut dyn Harness) -> Result<(), SqlError> {
    host.transaction(&mut |db| {
        db.execute(
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE CHECK (name <> '')) STRICT",
            &[],
        )
        .map(drop)
    })
}

fn insert(db: &dyn Sql, id: i64, name: &str) -> Result<(), SqlError> {
    // Keys at both ends of the range share a name in no case, so the name carries the id.
    let name = if name == "n" { format!("n{id}") } else { name.to_owned() };
    db.execute("INSERT INTO thing (id, name) VALUES (?1, ?2)", &[id.into(), name.into()]).map(drop)
}

fn rows_are(db: &dyn Sql, statement: &'static str, expected: &[Row]) -> Result<(), SqlError> {
    let rows = db.query(statement, &[])?;
    if rows == expected { Ok(()) } else { Err(failure(format!("`{statement}` answered {rows:?}"))) }
}

fn expect(what: &str, holds: bool) -> Result<(), SqlError> {
    if holds { Ok(()) } else { Err(failure(format!("expected otherwise: {what}"))) }
}

fn expect_kind<T>(what: &str, answer: Result<T, SqlError>, kind: SqlErrorKind) -> Result<(), SqlError> {
    match answer {
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => Err(failure(format!("{what}: expected {kind:?}, was {:?}: {error}", error.kind))),
        Ok(_) => Err(failure(format!("{what}: expected {kind:?}, was accepted"))),
    }
}

fn failure(message: String) -> SqlError {
    SqlError::new(SqlErrorKind::Other, message)
}
