//! What callers of a writer are told is what is stored, whatever happens to their neighbours.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tidegate_core::sql::{Sql, SqlError, SqlErrorKind};
use tidegate_sqlite::{Fatal, Readers, Settings, WriteError, Writer};

type Fate = Result<(), WriteError<SqlError>>;

#[test]
fn calls_take_effect_and_are_answered_in_the_order_submitted() {
    let fixture = Fixture::new(&Settings::server());
    let answered = Arc::new(Mutex::new(Vec::new()));
    for id in 0..500_i64 {
        let answered = Arc::clone(&answered);
        fixture.writer.submit(
            move |db| insert(db, id, 10),
            move |fate: Fate| {
                fate.unwrap();
                answered.lock().unwrap().push(id);
            },
        );
    }
    fixture.writer.close();
    assert_eq!(*answered.lock().unwrap(), (0..500).collect::<Vec<_>>());
    assert_eq!(fixture.stored("SELECT id FROM item ORDER BY position"), (0..500).collect::<Vec<_>>());
}

#[test]
fn an_error_undoes_its_own_call_and_no_other() {
    let fixture = Fixture::new(&Settings::server());
    let fates = fixture.batch(|id, db| {
        insert(db, id, 10)?;
        if id % 3 == 0 { Err(SqlError::shape("a multiple of three")) } else { Ok(()) }
    });
    for (id, fate) in &fates {
        assert_eq!(fate.is_err(), id % 3 == 0, "call {id}: {fate:?}");
    }
    assert_eq!(fixture.ids(), told_stored(&fates));
}

#[test]
fn a_panic_undoes_its_own_call_and_the_writer_survives() {
    let fixture = Fixture::new(&Settings::server());
    let fates = fixture.batch(|id, db| {
        insert(db, id, 10)?;
        assert!(id != 7, "seven panics");
        Ok(())
    });
    let panicked = &fates[7].1;
    assert!(matches!(panicked, Err(WriteError::Panicked(why)) if why == "seven panics"), "{panicked:?}");
    assert_eq!(fixture.ids(), told_stored(&fates));
    assert_eq!(fixture.ids().len(), fates.len() - 1);
    fixture.writer.call(|db| insert(db, 1000, 10)).unwrap();
}

#[test]
fn a_panic_in_a_receiver_harms_nobody() {
    let fixture = Fixture::new(&Settings::server());
    fixture.writer.submit(|db| insert(db, 1, 10), |_: Fate| panic!("on purpose"));
    fixture.writer.call(|db| insert(db, 2, 10)).unwrap();
    assert_eq!(fixture.ids(), [1, 2]);
}

#[test]
fn a_full_database_stores_what_it_says_and_nothing_else() {
    let fixture = Fixture::new(&Settings::server().with_size_limit(128 << 10));
    // Sizes differ so that small calls still fit after a large one did not.
    let fates = fixture.batch(|id, db| insert(db, id, if id % 4 == 0 { 20_000 } else { 200 }));
    let refused = fates.iter().filter(|(_, fate)| fate.is_err()).count();
    assert!(refused > 0 && refused < fates.len(), "{refused} of {} refused", fates.len());
    for (id, fate) in &fates {
        if let Err(error) = fate {
            let full = matches!(error, WriteError::Job(error) if error.kind == SqlErrorKind::Full);
            assert!(full, "call {id}: {error:?}");
        }
    }
    assert_eq!(fixture.ids(), told_stored(&fates));
}

#[test]
fn a_call_that_ignores_a_full_database_is_told_so() {
    let fixture = Fixture::new(&Settings::server().with_size_limit(128 << 10));
    let fates = fixture.batch(|id, db| {
        let large = insert(db, id, if id == 5 { 400_000 } else { 100 });
        let after = insert(db, id + 1000, 100);
        if large.is_err() {
            assert_eq!(after.unwrap_err().kind, SqlErrorKind::NoTransaction);
        }
        Ok(())
    });
    let fate = &fates[5].1;
    assert!(matches!(fate, Err(WriteError::Storage(error)) if error.kind == SqlErrorKind::Full), "{fate:?}");
    let mut expected = told_stored(&fates);
    expected.extend(told_stored(&fates).iter().map(|id| id + 1000));
    assert_eq!(fixture.ids(), expected);
    assert_eq!(expected.len(), 2 * (fates.len() - 1));
}

#[test]
fn a_constraint_checked_at_the_commit_fails_its_own_call_alone() {
    let fixture = Fixture::new(&Settings::server());
    let create =
        "CREATE TABLE child (item INTEGER REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED) STRICT";
    fixture.writer.call(|db| db.execute(create, &[])).unwrap();
    let fates = fixture.batch(|id, db| {
        insert(db, id, 10)?;
        let parent = if id == 3 { 9999 } else { id };
        db.execute("INSERT INTO child VALUES (?1)", &[parent.into()]).map(drop)
    });
    let fate = &fates[3].1;
    let constraint =
        matches!(fate, Err(WriteError::Storage(error)) if error.kind == SqlErrorKind::Constraint);
    assert!(constraint, "{fate:?}");
    assert_eq!(fixture.ids(), told_stored(&fates));
    assert_eq!(fixture.ids().len(), fates.len() - 1);
}

#[test]
fn a_full_queue_refuses_at_once_and_a_closed_writer_too() {
    let fixture = Fixture::new(&Settings::server());
    let release = fixture.hold();
    let fates = Arc::new(Mutex::new(Vec::new()));
    for id in 0..2000_i64 {
        let fates = Arc::clone(&fates);
        fixture
            .writer
            .submit(move |db| insert(db, id, 10), move |fate: Fate| fates.lock().unwrap().push((id, fate)));
    }
    let busy = fates.lock().unwrap().len();
    assert!(busy >= 900, "{busy} calls were refused before the writer moved");
    release.send(()).unwrap();
    fixture.writer.close();
    let mut fates = std::mem::take(&mut *fates.lock().unwrap());
    fates.sort_by_key(|(id, _)| *id);
    assert_eq!(fates.len(), 2000);
    assert!(fates.iter().all(|(_, fate)| matches!(fate, Ok(()) | Err(WriteError::Busy))));
    assert_eq!(fixture.ids(), told_stored(&fates));
    assert!(matches!(fixture.writer.call(|db| insert(db, 5000, 1)), Err(WriteError::Closed)));
}

#[test]
fn a_reader_keeps_its_snapshot_while_the_writer_goes_on() {
    let fixture = Fixture::new(&Settings::server());
    fixture.writer.call(|db| insert(db, 1, 10)).unwrap();
    let readers = fixture.readers(2);
    let count = "SELECT count(*) FROM item";
    readers
        .with(|db| {
            assert_eq!(db.query(count, &[])?[0].integer(0)?, 1);
            fixture.writer.call(|db| insert(db, 2, 10)).unwrap();
            assert_eq!(db.query(count, &[])?[0].integer(0)?, 1, "the snapshot moved");
            let beside = readers.with(|db| db.query(count, &[])?[0].integer(0)).unwrap();
            assert_eq!(beside, 2, "a new snapshot is behind");
            Ok::<_, SqlError>(())
        })
        .unwrap();
}

#[test]
fn a_reader_cannot_write_and_comes_back_after_a_panic() {
    let fixture = Fixture::new(&Settings::server());
    let readers = fixture.readers(1);
    for _ in 0..3 {
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = readers.with(|_| -> Result<(), SqlError> { panic!("on purpose") });
        }));
        assert!(unwound.is_err());
    }
    let written = readers.with(|db| db.query("INSERT INTO item (id) VALUES (1) RETURNING id", &[]));
    assert!(written.is_err());
    assert!(fixture.ids().is_empty());
}

#[test]
fn the_log_stays_bounded_and_is_empty_after_closing() {
    let fixture = Fixture::new(&Settings { checkpoint_bytes: 64 << 10, ..Settings::server() });
    let log = || std::fs::metadata(fixture.path.with_extension("db-wal")).unwrap().len();
    let mut largest = 0;
    for id in 0..300 {
        fixture.writer.call(move |db| insert(db, id, 4000)).unwrap();
        largest = largest.max(log());
    }
    assert!(largest < 256 << 10, "the log grew to {largest} bytes");
    fixture.writer.close();
    assert_eq!(log(), 0);
    assert_eq!(fixture.ids().len(), 300);
}

struct Fixture {
    writer: Writer,
    path: PathBuf,
    _directory: TempDir,
}

impl Fixture {
    fn new(settings: &Settings) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("writer.db");
        let writer = Writer::open(&path, settings, Fatal::default()).unwrap();
        let create = "CREATE TABLE item (position INTEGER PRIMARY KEY, id INTEGER UNIQUE, body BLOB) STRICT";
        writer.call(|db| db.execute(create, &[])).unwrap();
        Self { writer, path, _directory: directory }
    }

    /// Runs 100 calls that are queued while the writer is held, so that they share a batch.
    fn batch(
        &self,
        job: impl Fn(i64, &dyn Sql) -> Result<(), SqlError> + Send + Sync + 'static,
    ) -> Vec<(i64, Fate)> {
        let job = Arc::new(job);
        let release = self.hold();
        let (fates, told) = channel();
        for id in 0..100 {
            let (job, fates) = (Arc::clone(&job), fates.clone());
            self.writer.submit(move |db| job(id, db), move |fate: Fate| fates.send((id, fate)).unwrap());
        }
        drop(fates);
        release.send(()).unwrap();
        told.iter().collect()
    }

    /// Keeps the writer in a call until told to go on.
    fn hold(&self) -> Sender<()> {
        let (release, released) = channel::<()>();
        let (holds, held) = channel();
        let mut released = Some(released);
        self.writer.submit(
            move |_| {
                if let Some(released) = released.take() {
                    holds.send(()).unwrap();
                    released.recv().unwrap();
                }
                Ok::<_, SqlError>(())
            },
            |fate: Fate| fate.unwrap(),
        );
        held.recv().unwrap();
        release
    }

    fn readers(&self, count: usize) -> Readers {
        readers(&self.path, count)
    }

    fn ids(&self) -> Vec<i64> {
        self.stored("SELECT id FROM item ORDER BY id")
    }

    fn stored(&self, statement: &'static str) -> Vec<i64> {
        let read = self.readers(1).with(|db| {
            db.query(statement, &[])?.iter().map(|row| row.integer(0)).collect::<Result<_, SqlError>>()
        });
        read.unwrap()
    }
}

fn readers(path: &Path, count: usize) -> Readers {
    Readers::open(path, count, &Settings::server(), Fatal::default()).unwrap()
}

fn insert(db: &dyn Sql, id: i64, bytes: usize) -> Result<(), SqlError> {
    db.execute("INSERT INTO item (id, body) VALUES (?1, ?2)", &[id.into(), vec![7; bytes].into()]).map(drop)
}

fn told_stored(fates: &[(i64, Fate)]) -> Vec<i64> {
    fates.iter().filter(|(_, fate)| fate.is_ok()).map(|(id, _)| *id).collect()
}
