//! The small form, the file it makes, and the copy of one that is in use.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tempfile::TempDir;
use tidegate_core::sql::{ReadSql, Sql, SqlError, SqlErrorKind};
use tidegate_sqlite::{Fatal, Settings, Store, WriteError, Writer, backup};

#[test]
fn a_full_store_refuses_the_whole_transaction_and_goes_on_after_a_deletion() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let mut store = create(&path, &Settings::endpoint().with_size_limit(256 << 10));
    let mut stored = 0;
    let full = loop {
        match store.transaction(|db| insert(db, 10_000)) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, WriteError::Job(SqlError { kind: SqlErrorKind::Full, .. })), "{full:?}");
    assert_eq!(count(&store), stored);
    let usage = store.usage().unwrap();
    assert_eq!(usage.limit_bytes, 256 << 10);
    assert!(usage.used_bytes + 20_000 > usage.limit_bytes, "{usage:?}");
    store.transaction(|db| db.execute("DELETE FROM item WHERE id % 2 = 0", &[])).unwrap();
    store.transaction(|db| insert(db, 10_000)).unwrap();
}

#[test]
fn a_store_gives_room_back_to_the_file_system() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let mut store = create(&path, &Settings::endpoint());
    store.transaction(|db| insert(db, 1 << 20)).unwrap();
    store.checkpoint().unwrap();
    let before = fs::metadata(&path).unwrap().len();
    store.transaction(|db| db.execute("DELETE FROM item", &[])).unwrap();
    assert!(store.usage().unwrap().free_bytes > 1 << 19);
    store.shrink(1 << 30).unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(before > 1 << 20 && after < 64 << 10, "{before} bytes, then {after}");
}

#[test]
fn a_panic_stores_nothing_and_leaves_the_store_usable() {
    let directory = TempDir::new().unwrap();
    let mut store = create(&directory.path().join("store.db"), &Settings::endpoint());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _ = store.transaction(|db| -> Result<(), SqlError> {
            insert(db, 10)?;
            panic!("on purpose")
        });
    }));
    assert!(unwound.is_err());
    assert_eq!(count(&store), 0);
    store.transaction(|db| insert(db, 10)).unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn what_is_committed_is_there_when_opened_again_and_the_log_is_empty() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    create(&path, &Settings::endpoint()).transaction(|db| insert(db, 10)).unwrap();
    assert_eq!(fs::metadata(path.with_extension("db-wal")).unwrap().len(), 0);
    let store = Store::open(&path, &Settings::endpoint(), Fatal::default()).unwrap();
    assert_eq!(count(&store), 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    let _store = create(&path, &Settings::endpoint());
    backup(&path, &directory.path().join("copy.db")).unwrap();
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    fs::write(&path, vec![b'x'; 8192]).unwrap();
    let refused = Store::open(&path, &Settings::endpoint(), Fatal::default()).unwrap_err();
    assert!(refused.to_string().contains("store.db"), "{refused}");
}

#[test]
fn a_copy_of_a_database_in_use_is_whole_and_replaces_a_former_one() {
    let directory = TempDir::new().unwrap();
    let (path, to) = (directory.path().join("live.db"), directory.path().join("copy.db"));
    let writer = Writer::open(&path, &Settings::server(), Fatal::default()).unwrap();
    writer.call(create_table).unwrap();
    fs::write(directory.path().join("copy.db.partial"), "left by a killed backup").unwrap();
    for round in 1..=3_i64 {
        // The last rows are in the log only.
        for _ in 0..20 {
            writer.call(|db| insert(db, 3000)).unwrap();
        }
        backup(&path, &to).unwrap();
        let copy = Store::open(&to, &Settings::server(), Fatal::default()).unwrap();
        assert_eq!(count(&copy), 20 * round);
        drop(copy);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(directory.path().join(format!("copy.db{suffix}")));
        }
    }
    assert!(!directory.path().join("copy.db.partial").exists());
}

#[test]
fn a_compact_copy_has_what_queries_find_and_no_byte_of_what_was_deleted() {
    let directory = TempDir::new().unwrap();
    let (path, to) = (directory.path().join("live.db"), directory.path().join("it's a copy.db"));
    create(&path, &Settings::server()).transaction(|db| insert(db, 10)).unwrap();
    // As a tool leaves it that does not overwrite what it deletes.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "secure_delete", false).unwrap();
    other
        .execute_batch(
            "CREATE TABLE former (body TEXT); INSERT INTO former VALUES ('the former secret'); DROP TABLE former;",
        )
        .unwrap();
    drop(other);
    let holds = |file: &Path| {
        let secret = b"the former secret";
        fs::read(file).unwrap().windows(secret.len()).any(|window| window == secret)
    };
    let store = Store::open(&path, &Settings::server(), Fatal::default()).unwrap();
    store.compact_into(&to).unwrap();
    assert!(holds(&path) && !holds(&to));
    store.compact_into(&to).unwrap();
    let copy = Store::open(&to, &Settings::server(), Fatal::default()).unwrap();
    assert_eq!(count(&copy), 1);
    copy.check_integrity().unwrap();
    assert!(!directory.path().join("it's a copy.db.partial").exists());
}

#[test]
fn a_backup_of_nothing_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let to = directory.path().join("copy.db");
    backup(&directory.path().join("missing.db"), &to).unwrap_err();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

fn create(path: &Path, settings: &Settings) -> Store {
    let mut store = Store::open(path, settings, Fatal::default()).unwrap();
    store.transaction(create_table).unwrap();
    store
}

fn create_table(db: &dyn Sql) -> Result<(), SqlError> {
    db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB) STRICT", &[]).map(drop)
}

fn insert(db: &dyn Sql, bytes: usize) -> Result<(), SqlError> {
    db.execute("INSERT INTO item (body) VALUES (?1)", &[vec![7; bytes].into()]).map(drop)
}

fn count(store: &Store) -> i64 {
    let read = |db: &dyn ReadSql| db.query("SELECT count(*) FROM item", &[])?[0].integer(0);
    store.read(read).unwrap()
}
