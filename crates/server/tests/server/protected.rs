//! Backups that are of no use to a thief: without keys, or encrypted.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, KeypairBytes};
use serde_json::json;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::sql::{ReadSql, SqlError};
use tidegate_core::wire::OrderKind;
use tidegate_server::admin::order_key::{self, Before, Renewal};
use tidegate_server::admin::{BackupContents, Keys, Protection, RestoreOptions, backup, restore};
use tidegate_server::{ServeOptions, Server};
use tidegate_sqlite::{Fatal, Readers, Settings};

use crate::client::Client;
use crate::machine::Machine;
use crate::plane::{Home, enrolment_code, free_port};

/// Keys of no other use than in these tests, as `age-keygen` writes them.
const IDENTITY: &str =
    "# a comment\nAGE-SECRET-KEY-1AXUX7X46XAZ0H56KEWNHHTMJGUZNRU0888SEPQQFN58NS4WRFK8QMD3490\n";
const RECIPIENT: &str = "age1zvnjn3x9jx8h2atln69ny0drth5v3qs8xc57kjuejhqqfnpa7saswknr6z";
const OTHER_IDENTITY: &str = "AGE-SECRET-KEY-1U9RT0SGTR53JH9WFPRZ2EWULULVAZHLWXUUGZH8K8ARYTMW2ERLQ99NFRZ";

const RENEWAL: Renewal =
    Renewal { before: Before::Replaced, valid_for: None, serial: None, may_drop_revoke: false };

#[test]
fn no_byte_of_a_secret_key_is_in_a_backup_without_keys() {
    let home = Home::new();
    let mut seeds = seeds_in(&home.data());
    order_key::renew(&home.data(), &home.beside("root.pem"), RENEWAL).unwrap();
    order_key::request(&home.data(), &home.beside("request.json"), RENEWAL).unwrap();
    seeds.extend(seeds_in(&home.data()));
    assert_eq!(seeds.len(), 6, "two that were replaced, two in use, two that wait for the root key");
    let root = fs::read_to_string(home.beside("root.pem")).unwrap();
    seeds.push(KeypairBytes::from_pkcs8_pem(&root).unwrap().secret_key.to_vec());

    let (whole, out) = (home.beside("whole.db"), home.beside("keyless.db"));
    backup(&home.data(), &whole, &Protection::default()).unwrap();
    assert_eq!(found(&whole, &seeds), 2, "a whole backup has the keys in use, and not those that wait");
    assert_eq!(order_key::list(&home.data()).unwrap().pending.unwrap().key.serial, 3, "the request stays");
    let contents = backup(&home.data(), &out, &without_keys()).unwrap();
    assert_eq!(contents, BackupContents { has_keys: false, recipients: 0, is_recorded: true });
    assert_eq!(found(&out, &seeds), 0);
    assert!(seeds_in_database(&out).is_empty());
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());
}

/// Holds the list of secrets that a backup leaves out complete: a new column with one needs a line in `keys_erase`.
#[test]
fn a_column_that_could_hold_a_secret_is_one_that_a_backup_leaves_out() {
    let home = Home::new();
    let tables: Vec<(String, String)> = query(&home.data().join("tidegate.db"), |db| {
        let rows = db.query("SELECT name, sql FROM sqlite_schema WHERE type = 'table'", &[])?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_lowercase()))).collect()
    });
    let mut secret: Vec<_> = tables
        .iter()
        .flat_map(|(table, sql)| sql.lines().map(move |line| (table, line.trim())))
        .filter(|(_, line)| !line.starts_with("--"))
        .filter_map(|(table, line)| Some((table, line.split_whitespace().next()?)))
        .filter(|(_, column)| {
            ["seed", "secret", "private", "password"].iter().any(|word| column.contains(word))
        })
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    secret.sort();
    let left_out = [
        "order_key.order_seed",
        "order_key.statement_seed",
        "order_key_request.order_seed",
        "order_key_request.statement_seed",
        // Argon2id: only a hash, and people could not sign in after a restore without it.
        "person.password_hash",
    ];
    assert_eq!(secret, left_out);
}

#[tokio::test]
async fn a_backup_without_keys_takes_those_of_the_directory_that_it_replaces() {
    let (home, mut machine) = enrolled().await;
    backup(&home.data(), &home.beside("keyless.db"), &without_keys()).unwrap();
    let restored = restore(&home.data(), &replacing(home.beside("keyless.db"))).unwrap();
    assert_eq!((restored.endpoints, restored.keys), (1, Keys::Same { serial: 1 }));
    goes_on(&home, &mut machine).await;

    order_key::renew(&home.data(), &home.beside("root.pem"), RENEWAL).unwrap();
    let restored = restore(&home.data(), &replacing(home.beside("keyless.db"))).unwrap();
    assert_eq!(restored.keys, Keys::Carried { serial: 2 });
}

#[test]
fn a_backup_without_keys_takes_those_of_a_backup_that_is_named() {
    let home = Home::new();
    backup(&home.data(), &home.beside("keyless.db"), &without_keys()).unwrap();
    backup(&home.data(), &home.beside("keys.age"), &encrypted()).unwrap();
    fs::write(home.beside("identity"), IDENTITY).unwrap();
    let options = RestoreOptions {
        keys_from: Some(home.beside("keys.age")),
        identities: vec![home.beside("identity")],
        ..replacing(home.beside("keyless.db"))
    };
    let restored = restore(&home.beside("elsewhere"), &options).unwrap();
    assert_eq!(restored.keys, Keys::Same { serial: 1 });
    assert_eq!(seeds_in(&home.beside("elsewhere")), seeds_in(&home.data()));
    assert_eq!(leftovers(&home.beside("elsewhere")), Vec::<String>::new());
}

#[test]
fn without_a_key_that_machines_obey_nothing_is_changed_and_it_says_what_to_do() {
    let home = Home::new();
    backup(&home.data(), &home.beside("older.db"), &Protection::default()).unwrap();
    order_key::renew(&home.data(), &home.beside("root.pem"), RENEWAL).unwrap();
    backup(&home.data(), &home.beside("keyless.db"), &without_keys()).unwrap();
    let (from, elsewhere) = (home.beside("keyless.db"), home.beside("elsewhere"));

    let refused = restore(&elsewhere, &replacing(from.clone())).unwrap_err();
    told(&refused, Obstacle::BackupWithoutKeys, &["was made without keys", "--keys-from", "--root-key"]);
    let older = RestoreOptions { keys_from: Some(home.beside("older.db")), ..replacing(from.clone()) };
    let refused = restore(&elsewhere, &older).unwrap_err();
    told(&refused, Obstacle::BackupWithoutKeys, &["order key 2", "is 1, which machines no longer obey"]);
    let itself = RestoreOptions { keys_from: Some(from.clone()), ..replacing(from) };
    told(&restore(&elsewhere, &itself).unwrap_err(), Obstacle::BackupWithoutKeys, &["--keys-from"]);
    assert!(!elsewhere.join("tidegate.db").exists());
    assert_eq!(leftovers(&elsewhere), Vec::<String>::new());
}

#[tokio::test]
async fn the_root_key_makes_a_new_order_key_where_none_is_left() {
    let (home, mut machine) = enrolled().await;
    backup(&home.data(), &home.beside("keyless.db"), &without_keys()).unwrap();
    fs::remove_dir_all(home.data()).unwrap();
    let other = Home::new();
    let options =
        RestoreOptions { root_key: Some(other.beside("root.pem")), ..replacing(home.beside("keyless.db")) };
    told(&restore(&home.data(), &options).unwrap_err(), Obstacle::RootKeyUnusable, &["--root-key"]);
    let options = RestoreOptions { root_key: Some(home.beside("root.pem")), ..options };
    let restored = restore(&home.data(), &options).unwrap();
    assert_eq!(restored.keys, Keys::Made { serial: 2 });
    goes_on(&home, &mut machine).await;
}

#[tokio::test]
async fn a_backup_without_keys_that_is_copied_into_place_is_not_served_and_says_what_to_do() {
    let home = Home::new();
    backup(&home.data(), &home.beside("keyless.db"), &without_keys()).unwrap();
    let elsewhere = home.beside("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(home.beside("keyless.db"), elsewhere.join("tidegate.db")).unwrap();
    let refused = Server::start(ServeOptions::new(&elsewhere, free_port())).await.err().unwrap();
    told(&refused, Obstacle::BackupWithoutKeys, &["holds no keys", "tidegate admin restore"]);
}

#[tokio::test]
async fn an_encrypted_backup_shows_nothing_and_is_restored_by_a_recipient_alone() {
    let (home, mut machine) = enrolled().await;
    let contents = backup(&home.data(), &home.beside("backup.age"), &encrypted()).unwrap();
    assert_eq!(contents, BackupContents { has_keys: true, recipients: 1, is_recorded: true });
    let bytes = fs::read(home.beside("backup.age")).unwrap();
    for plain in [&b"SQLite format"[..], b"Hartmann", b"order_key"] {
        assert!(!holds(&bytes, plain), "{}", String::from_utf8_lossy(plain));
    }
    assert_eq!(found(&home.beside("backup.age"), &seeds_in(&home.data())), 0);
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());

    let before = fs::read(home.data().join("tidegate.db")).unwrap();
    let options = replacing(home.beside("backup.age"));
    let refused = restore(&home.data(), &options).unwrap_err();
    told(&refused, Obstacle::BackupEncrypted, &["is encrypted", "--identity"]);
    fs::write(home.beside("other"), OTHER_IDENTITY).unwrap();
    let wrong = RestoreOptions { identities: vec![home.beside("other")], ..options.clone() };
    told(&restore(&home.data(), &wrong).unwrap_err(), Obstacle::BackupEncrypted, &["other recipients"]);
    assert_eq!(fs::read(home.data().join("tidegate.db")).unwrap(), before);
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());

    fs::write(home.beside("identity"), IDENTITY).unwrap();
    let right = RestoreOptions { identities: vec![home.beside("other"), home.beside("identity")], ..options };
    let restored = restore(&home.data(), &right).unwrap();
    assert_eq!((restored.endpoints, restored.keys), (1, Keys::Same { serial: 1 }));
    goes_on(&home, &mut machine).await;
}

#[test]
fn an_encrypted_backup_that_was_cut_short_or_altered_changes_nothing() {
    let home = Home::new();
    backup(&home.data(), &home.beside("backup.age"), &encrypted()).unwrap();
    fs::write(home.beside("identity"), IDENTITY).unwrap();
    let before = fs::read(home.data().join("tidegate.db")).unwrap();
    let whole = fs::read(home.beside("backup.age")).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    let mut altered = whole.clone();
    altered[whole.len() - 100] ^= 1;
    for bytes in [cut, altered, [&whole[..], b"more"].concat(), whole[..40].to_vec()] {
        fs::write(home.beside("broken.age"), bytes).unwrap();
        let options = RestoreOptions {
            identities: vec![home.beside("identity")],
            ..replacing(home.beside("broken.age"))
        };
        let refused = restore(&home.data(), &options).unwrap_err();
        told(&refused, Obstacle::BackupUnusable, &["was cut short or altered", "is as it was"]);
        assert_eq!(fs::read(home.data().join("tidegate.db")).unwrap(), before);
        assert_eq!(leftovers(&home.data()), Vec::<String>::new());
    }
}

#[test]
fn an_encrypted_backup_without_keys_is_both() {
    let home = Home::new();
    let both = Protection { without_keys: true, ..encrypted() };
    let contents = backup(&home.data(), &home.beside("backup.age"), &both).unwrap();
    assert_eq!(contents, BackupContents { has_keys: false, recipients: 1, is_recorded: true });
    fs::write(home.beside("identity"), IDENTITY).unwrap();
    let options =
        RestoreOptions { identities: vec![home.beside("identity")], ..replacing(home.beside("backup.age")) };
    let refused = restore(&home.beside("elsewhere"), &options).unwrap_err();
    told(&refused, Obstacle::BackupWithoutKeys, &[]);
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());
}

#[test]
fn no_copy_is_left_when_the_backup_cannot_be_written_and_a_former_one_stays() {
    let home = Home::new();
    for protection in [without_keys(), encrypted(), Protection { without_keys: true, ..encrypted() }] {
        let refused = backup(&home.data(), Path::new("/no/such/folder/backup"), &protection).unwrap_err();
        told(&refused, Obstacle::FileNotWritten, &["/no/such/folder/backup"]);
        // A folder in the place of the file: all of the backup is written, and cannot get its name.
        let taken = home.beside("taken");
        let _ = fs::create_dir(&taken);
        backup(&home.data(), &taken, &protection).unwrap_err();
        assert!(!home.beside("taken.partial").exists());
        assert_eq!(leftovers(&home.data()), Vec::<String>::new());
    }
    let former = home.beside("former");
    fs::write(&former, "former").unwrap();
    let wrong = Protection { recipients: vec!["age1wrong".to_owned()], ..Protection::default() };
    told(&backup(&home.data(), &former, &wrong).unwrap_err(), Obstacle::AgeKeyUnusable, &["`age1wrong`"]);
    assert_eq!(fs::read(&former).unwrap(), b"former");
}

#[tokio::test]
async fn what_a_killed_backup_left_is_removed_by_the_next_one_and_at_the_start() {
    let home = Home::new();
    let leave = || {
        for name in ["being-backed-up", "being-backed-up-wal", "being-backed-up.partial", "being-encrypted"] {
            fs::write(home.data().join(format!("tidegate.db.{name}")), "with keys").unwrap();
        }
    };
    leave();
    backup(&home.data(), &home.beside("backup.age"), &encrypted()).unwrap();
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());
    leave();
    fs::write(home.data().join("tidegate.db.restoring-keys"), "with keys").unwrap();
    home.serve().await.shutdown().await;
    assert_eq!(leftovers(&home.data()), Vec::<String>::new());
}

#[test]
fn two_backups_that_need_a_copy_do_not_share_it() {
    let home = Home::new();
    let lock = fs::File::create(home.data().join("backup.lock")).unwrap();
    lock.lock().unwrap();
    let refused = backup(&home.data(), &home.beside("backup.age"), &encrypted()).unwrap_err();
    told(&refused, Obstacle::DataDirectoryInUse, &["another backup"]);
    drop(lock);
    backup(&home.data(), &home.beside("backup.age"), &encrypted()).unwrap();
}

fn without_keys() -> Protection {
    Protection { without_keys: true, ..Protection::default() }
}

fn encrypted() -> Protection {
    Protection { recipients: vec![RECIPIENT.to_owned()], ..Protection::default() }
}

fn replacing(from: PathBuf) -> RestoreOptions {
    RestoreOptions { from, replace: true, ..RestoreOptions::default() }
}

/// A control plane with one machine, which is stopped.
async fn enrolled() -> (Home, Machine) {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    machine.settle(&mut line).await;
    running.shutdown().await;
    (home, machine)
}

/// The machine takes up the order log that the restored control plane opened, and the owner's token still works.
async fn goes_on(home: &Home, machine: &mut Machine) {
    let running = home.serve().await;
    home.owner(&running).await.post("/api/v1/clients", &json!({ "name": "after" })).await.expect(201);
    let mut line = Client::connect(running.addresses().people, None).await;
    assert!(matches!(machine.settle(&mut line).await[..], [OrderKind::Adopt { .. }]), "a new order log");
    running.shutdown().await;
}

fn told(error: &anyhow::Error, obstacle: Obstacle, parts: &[&str]) {
    let obstructed = error.downcast_ref::<Obstructed>().unwrap_or_else(|| panic!("{error:#}"));
    assert_eq!(obstructed.obstacle, obstacle, "{error:#}");
    let text = format!("{error:#} / {}", obstructed.next);
    for part in parts {
        assert!(text.contains(part), "it does not say `{part}`: {text}");
    }
}

/// Files in a data directory that hold a copy of it.
fn leftovers(data: &Path) -> Vec<String> {
    let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("being-") || name.contains("restoring")).collect()
}

/// How many of the seeds are in the bytes of a file.
fn found(file: &Path, seeds: &[Vec<u8>]) -> usize {
    let bytes = fs::read(file).unwrap();
    seeds.iter().filter(|seed| holds(&bytes, seed)).count()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn seeds_in(data: &Path) -> Vec<Vec<u8>> {
    seeds_in_database(&data.join("tidegate.db"))
}

fn seeds_in_database(database: &Path) -> Vec<Vec<u8>> {
    query(database, |db| {
        let rows = db.query(
            "SELECT order_seed FROM order_key WHERE order_seed IS NOT NULL UNION ALL
             SELECT statement_seed FROM order_key WHERE statement_seed IS NOT NULL UNION ALL
             SELECT order_seed FROM order_key_request UNION ALL SELECT statement_seed FROM order_key_request",
            &[],
        )?;
        rows.iter().map(|row| Ok(row.blob(0)?.to_vec())).collect()
    })
}

fn query<T>(database: &Path, read: impl FnOnce(&dyn ReadSql) -> Result<T, SqlError>) -> T {
    let readers = Readers::open(database, 1, &Settings::endpoint(), Fatal::default()).unwrap();
    readers.with(read).unwrap()
}
