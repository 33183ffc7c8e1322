//! Real disks that are really full: what was told is what is stored, and work goes on when there is room.
//!
//! Each test runs itself again in a mount namespace of its own, once for every kind of small file system that can be
//! made here: tmpfs, and ext4 in a file, with blocks of 4 KiB and of 1 KiB. The namespace ends with it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::Command;

use tidegate_core::sql::{ReadSql, Sql, SqlError, SqlErrorKind};
use tidegate_sqlite::{Fatal, OpenError, Readers, Settings, Store, WriteError, Writer};

#[test]
fn a_full_disk_refuses_what_it_cannot_store_and_nothing_else() {
    on_small_disks("a_full_disk_refuses_what_it_cannot_store_and_nothing_else", |disk| {
        let settings = Settings { checkpoint_bytes: 256 << 10, ..Settings::server() };
        let writer = Writer::open(&disk.database(), &settings, Fatal::default()).unwrap();
        writer.call(create_table).unwrap();
        let readers = Readers::open(&disk.database(), 2, &settings, Fatal::default()).unwrap();
        let mut stored = 0_i64;
        for round in 0..5 {
            disk.fill(round * 3000);
            let refused = loop {
                match writer.call(|db| insert(db, 20_000)) {
                    Ok(()) => stored += 1,
                    Err(error) => break error,
                }
            };
            assert!(is_full(&refused), "{refused:?}");
            for _ in 0..50 {
                stored += i64::from(writer.call(|db| insert(db, 20_000)).is_ok());
                assert_eq!(readers.with(count).unwrap(), stored);
            }
            disk.clear();
            writer.call(|db| insert(db, 20_000)).unwrap();
            stored += 1;
        }
        writer.close();
        let store = Store::open(&disk.database(), &settings, Fatal::default()).unwrap();
        assert_eq!(store.read(count).unwrap(), stored);
        store.check_integrity().unwrap();
    });
}

#[test]
fn what_was_reserved_is_there_when_nothing_else_is() {
    on_small_disks("what_was_reserved_is_there_when_nothing_else_is", |disk| {
        let settings = Settings::endpoint().with_log_reserve(4 << 20);
        let mut store = Store::open(&disk.database(), &settings, Fatal::default()).unwrap();
        store.transaction(create_table).unwrap();
        let mut stored = 0;
        for round in 0..5 {
            assert!(store.make_room(4 << 20).unwrap() >= 4 << 20, "round {round}");
            disk.fill(0);
            // 3.5 MiB in the pages of the log, each with its header.
            for _ in 0..7 {
                store.transaction(|db| insert(db, 480 << 10)).unwrap();
                stored += 1;
            }
            assert!(store.make_room(4 << 20).unwrap() < 1 << 20, "nothing could be taken from a full disk");
            let refused = loop {
                match store.transaction(|db| insert(db, 100_000)) {
                    Ok(()) => stored += 1,
                    Err(error) => break error,
                }
            };
            assert!(is_full(&refused), "{refused:?}");
            assert_eq!(store.read(count).unwrap(), stored);
            disk.clear();
            // What a full disk refused is tried again after a rest.
            while store.make_room(4 << 20).unwrap() < 4 << 20 {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        drop(store);
        let store = Store::open(&disk.database(), &settings, Fatal::default()).unwrap();
        assert_eq!(store.read(count).unwrap(), stored);
        store.check_integrity().unwrap();
    });
}

#[test]
fn a_commit_that_was_refused_is_not_there_after_a_crash_either() {
    on_small_disks("a_commit_that_was_refused_is_not_there_after_a_crash_either", |disk| {
        // The log has room, and its shared index, which needs 32 KiB more after 4062 frames, has none.
        let settings = Settings { checkpoint_bytes: 1 << 30, truncate_bytes: 1 << 30, ..Settings::server() };
        let mut store =
            Store::open(&disk.database(), &settings.with_log_reserve(20 << 20), Fatal::default()).unwrap();
        store.transaction(create_table).unwrap();
        assert!(store.make_room(20 << 20).unwrap() >= 20 << 20);
        disk.fill(0);
        let mut stored = 0;
        let refused = loop {
            match store.transaction(|db| insert(db, 200_000)) {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(is_full(&refused), "{refused:?}");
        assert!(stored > 70, "the log had room for more than {stored}");
        assert_eq!(store.read(count).unwrap(), stored);
        // What somebody finds who opens the files as a crash leaves them.
        let crashed = tempfile::tempdir().unwrap();
        for file in ["store.db", "store.db-wal"] {
            fs::copy(disk.path.join(file), crashed.path().join(file)).unwrap();
        }
        let copy =
            Store::open(&crashed.path().join("store.db"), &Settings::endpoint(), Fatal::default()).unwrap();
        assert_eq!(copy.read(count).unwrap(), stored);
        disk.clear();
        store.transaction(|db| insert(db, 200_000)).unwrap();
        store.check_integrity().unwrap();
    });
}

#[test]
fn opening_on_a_disk_with_hardly_any_room_works_or_says_so() {
    on_small_disks("opening_on_a_disk_with_hardly_any_room_works_or_says_so", |disk| {
        let open = || Store::open(&disk.database(), &Settings::endpoint(), Fatal::default());
        open().unwrap().transaction(create_table).unwrap();
        let (mut opened, mut refused) = (0, 0);
        for left in (0..400).step_by(9) {
            disk.fill(left << 10);
            match open() {
                Ok(mut store) => {
                    opened += 1;
                    store.transaction(|db| insert(db, 100)).unwrap();
                }
                Err(OpenError::Database { source, .. }) if source.kind == SqlErrorKind::Full => refused += 1,
                Err(other) => panic!("with {left} KiB left: {other:?}"),
            }
            disk.clear();
        }
        assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
    });
}

struct SmallDisk {
    path: PathBuf,
}

/// Says to the program, run again, which disk is its own.
const VARIABLE: &str = "TIDEGATE_SMALL_DISK";

/// Kinds of file systems: how each is mounted at `$D` in a namespace of its own.
const KINDS: [(&str, &str); 3] = [
    ("tmpfs", "mount -t tmpfs -o size=48m none $D"),
    ("ext4, 4 KiB", "truncate -s 48M $D.image && mkfs.ext4 -q -b 4096 $D.image && mount -o loop $D.image $D"),
    ("ext4, 1 KiB", "truncate -s 48M $D.image && mkfs.ext4 -q -b 1024 $D.image && mount -o loop $D.image $D"),
];

/// Runs `test`, whose name is `name`, on small disks of every kind that can be made here.
fn on_small_disks(name: &str, test: impl Fn(&SmallDisk)) {
    if let Some(path) = std::env::var_os(VARIABLE) {
        test(&SmallDisk { path: path.into() });
        return;
    }
    let mut ran = 0;
    for (kind, mount) in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let script = format!("({mount}) || exit 77; exec \"$0\" --exact {name} --nocapture");
        let output = Command::new("unshare")
            .args(rights())
            .args(["sh", "-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env("D", &disk)
            .env(VARIABLE, &disk)
            .output();
        let said = match &output {
            Ok(output) => {
                String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
            }
            Err(error) => error.to_string(),
        };
        match output.ok().and_then(|output| output.status.code()) {
            Some(0) => {
                assert!(said.contains("1 passed"), "{kind}: the test did not run: {said}");
                ran += 1;
            }
            Some(77 | 1) | None if !said.contains("running 1 test") => {
                eprintln!("SKIPPED on {kind}, which cannot be made here: {said}");
            }
            code => panic!("on {kind} it ended with {code:?}: {said}"),
        }
    }
    eprintln!("{name}: ran on {ran} of {} kinds of disk", KINDS.len());
}

/// Root mounts what it likes in a namespace of its own, others tmpfs in a user namespace.
fn rights() -> &'static [&'static str] {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root { &["--mount"] } else { &["--mount", "--user", "--map-root-user"] }
}

impl SmallDisk {
    fn database(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// Fills the disk up to about so many bytes.
    fn fill(&self, left_bytes: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 20, 64 << 10, 4 << 10, 1 << 10, 512] {
            let chunk = vec![7_u8; size];
            loop {
                match file.write(&chunk) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        sync(&file);
        let filled = file.metadata().unwrap().len();
        file.set_len(filled.saturating_sub(left_bytes as u64)).unwrap();
        sync(&file);
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
        sync(&File::open(&self.path).unwrap());
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

fn sync(file: &File) {
    file.sync_all().unwrap();
}

fn create_table(db: &dyn Sql) -> Result<(), SqlError> {
    db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB) STRICT", &[]).map(drop)
}

fn insert(db: &dyn Sql, bytes: usize) -> Result<(), SqlError> {
    db.execute("INSERT INTO item (body) VALUES (?1)", &[vec![7; bytes].into()]).map(drop)
}

fn count(db: &dyn ReadSql) -> Result<i64, SqlError> {
    db.query("SELECT count(*) FROM item", &[])?[0].integer(0)
}

fn is_full(error: &WriteError<SqlError>) -> bool {
    matches!(error, WriteError::Job(error) | WriteError::Storage(error) if error.kind == SqlErrorKind::Full)
}
