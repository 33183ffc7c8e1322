//! The suite that every host's storage passes, over each form of this one.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tempfile::TempDir;
use tidegate_core::conformance::{self, Harness};
use tidegate_core::sql::{ReadSql, Row, Sql, SqlError, Value};
use tidegate_sqlite::{Fatal, Settings, Store, WriteError, Writer};

#[test]
fn a_store_in_a_file_conforms() {
    assert_conforms(|| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store.db");
        let store = Store::open(&path, &Settings::endpoint(), Fatal::default()).unwrap();
        Box::new(StoreHarness { store, _directory: Some(directory) })
    });
}

#[test]
fn a_store_in_memory_conforms() {
    assert_conforms(|| {
        Box::new(StoreHarness { store: Store::in_memory(&Settings::endpoint()).unwrap(), _directory: None })
    });
}

#[test]
fn a_writer_conforms() {
    assert_conforms(|| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("writer.db");
        let writer = Writer::open(&path, &Settings::server(), Fatal::default()).unwrap();
        Box::new(WriterHarness { writer, _directory: directory })
    });
}

fn assert_conforms(harness: impl FnMut() -> Box<dyn Harness>) {
    let failures = conformance::failures(harness);
    assert!(failures.is_empty(), "{failures:#?}");
}

struct StoreHarness {
    store: Store,
    _directory: Option<TempDir>,
}

impl Harness for StoreHarness {
    fn transaction(&mut self, run: &mut dyn FnMut(&dyn Sql) -> Result<(), SqlError>) -> Result<(), SqlError> {
        self.store.transaction(|db| run(db)).map_err(sql_error)
    }

    fn outside_transaction(&mut self, run: &mut dyn FnMut(&dyn Sql)) {
        let _ = self.store.transaction(|db| {
            lose_transaction(db);
            run(db);
            Ok::<_, SqlError>(())
        });
    }
}

/// A case runs on the test's thread and its statements on the writer's.
struct WriterHarness {
    writer: Writer,
    _directory: TempDir,
}

impl WriterHarness {
    fn run(
        &mut self,
        lose: bool,
        run: &mut dyn FnMut(&dyn Sql) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let (asks, asked) = channel::<Ask>();
        let (ends, ended) = channel::<Result<(), SqlError>>();
        let asked = std::sync::Mutex::new(asked);
        let writer = &self.writer;
        // Moved, so that a panic here ends the conversation and the writer's call with it.
        thread::scope(move |scope| {
            let fate = scope.spawn(move || {
                writer.call(move |db| {
                    if lose {
                        lose_transaction(db);
                    }
                    for ask in asked.lock().unwrap().iter() {
                        ask.answer(db);
                    }
                    ended.recv().unwrap_or_else(|_| Err(SqlError::shape("a second run")))
                })
            });
            let remote = Remote(asks);
            ends.send(run(&remote)).unwrap();
            // A call that is tried again finds nobody to ask.
            drop((remote, ends));
            fate.join().unwrap().map_err(sql_error)
        })
    }
}

impl Harness for WriterHarness {
    fn transaction(&mut self, run: &mut dyn FnMut(&dyn Sql) -> Result<(), SqlError>) -> Result<(), SqlError> {
        self.run(false, run)
    }

    fn outside_transaction(&mut self, run: &mut dyn FnMut(&dyn Sql)) {
        // An error, so that the call is not tried again.
        let _ = self.run(true, &mut |db| {
            run(db);
            Err(SqlError::shape("anything"))
        });
    }
}

struct Ask {
    statement: &'static str,
    parameters: Vec<Value>,
    answer: Answer,
}

enum Answer {
    Rows(Sender<Result<Vec<Row>, SqlError>>),
    Changed(Sender<Result<u64, SqlError>>),
}

impl Ask {
    fn answer(&self, db: &dyn Sql) {
        match &self.answer {
            Answer::Rows(to) => to.send(db.query(self.statement, &self.parameters)).unwrap(),
            Answer::Changed(to) => to.send(db.execute(self.statement, &self.parameters)).unwrap(),
        }
    }
}

struct Remote(Sender<Ask>);

impl Remote {
    fn ask<T>(&self, statement: &'static str, parameters: &[Value], answer: fn(Sender<T>) -> Answer) -> T {
        let (to, from): (Sender<T>, Receiver<T>) = channel();
        self.0.send(Ask { statement, parameters: parameters.to_vec(), answer: answer(to) }).unwrap();
        from.recv().unwrap()
    }
}

impl ReadSql for Remote {
    fn query(&self, statement: &'static str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.ask(statement, parameters, Answer::Rows)
    }
}

impl Sql for Remote {
    fn execute(&self, statement: &'static str, parameters: &[Value]) -> Result<u64, SqlError> {
        self.ask(statement, parameters, Answer::Changed)
    }
}

/// Makes SQLite roll back the whole transaction from inside, as a full disk does.
fn lose_transaction(db: &dyn Sql) {
    db.execute("CREATE TABLE lost (id INTEGER PRIMARY KEY) STRICT", &[]).unwrap();
    db.execute("INSERT OR ROLLBACK INTO lost VALUES (1), (1)", &[]).unwrap_err();
}

fn sql_error(error: WriteError<SqlError>) -> SqlError {
    match error {
        WriteError::Job(error) | WriteError::Storage(error) => error,
        other => panic!("{other}"),
    }
}
