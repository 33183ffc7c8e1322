//! Backups made while the directory is served, and what a restore makes of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tidegate_core::api::TokenLife;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::wire::OrderKind;
use tidegate_server::Server;
use tidegate_server::admin::order_key::{self, Before, Renewal};
use tidegate_server::admin::{
    Keys, OwnerOptions, Protection, RestoreOptions, backup, create_owner, create_token, restore,
};

use crate::client::Client;
use crate::machine::Machine;
use crate::plane::{EMAIL, Home, enrolment_code};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_people_write_is_consistent() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let writing = Arc::new(AtomicBool::new(true));
    let is_writing = Arc::clone(&writing);
    let writer = tokio::spawn(async move {
        let mut written = 0;
        while is_writing.load(Ordering::Relaxed) {
            let client = json!({ "name": format!("client {written:06}") });
            owner.post("/api/v1/clients", &client).await.expect(201);
            written += 1;
        }
        written
    });
    let (data, out) = (home.data(), home.beside("backup.db"));
    let copies = tokio::task::spawn_blocking(move || {
        for _ in 0..10 {
            backup(&data, &out, &Protection::default()).unwrap();
        }
    });
    copies.await.unwrap();
    writing.store(false, Ordering::Relaxed);
    let written = writer.await.unwrap();
    running.shutdown().await;

    let restored = restore(&home.data(), &replacing(&home.beside("backup.db"))).unwrap();
    assert!(restored.replaced.is_some());
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let names = names(&mut owner).await;
    assert!(!names.is_empty() && names.len() <= written, "{} of {written}", names.len());
    let expected: Vec<String> = (0..names.len()).map(|number| format!("client {number:06}")).collect();
    assert_eq!(names, expected, "a prefix of what was written");
    running.shutdown().await;
}

#[tokio::test]
async fn a_restore_closes_order_logs_and_the_machine_goes_on() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    machine.settle(&mut line).await;
    backup(&home.data(), &home.beside("backup.db"), &Protection::default()).unwrap();
    running.shutdown().await;

    let restored = restore(&home.data(), &replacing(&home.beside("backup.db"))).unwrap();
    assert_eq!(restored.endpoints, 1);
    let running = home.serve().await;
    let mut line = Client::connect(running.addresses().people, None).await;
    assert!(matches!(machine.settle(&mut line).await[..], [OrderKind::Adopt { .. }]), "a new order log");
    running.shutdown().await;
}

#[tokio::test]
async fn a_restore_does_not_touch_what_is_used_or_was_not_to_be_replaced() {
    let home = Home::new();
    let out = home.beside("backup.db");
    backup(&home.data(), &out, &Protection::default()).unwrap();
    let refused = restore(&home.data(), &RestoreOptions { replace: false, ..replacing(&out) }).unwrap_err();
    assert!(refused.to_string().contains("has a database already"), "{refused:#}");
    let running = home.serve().await;
    let refused = restore(&home.data(), &replacing(&out)).unwrap_err();
    assert!(refused.to_string().contains("is in use"), "{refused:#}");
    running.shutdown().await;
}

#[tokio::test]
async fn a_damaged_backup_leaves_everything_as_it_was() {
    let home = Home::new();
    let out = home.beside("backup.db");
    backup(&home.data(), &out, &Protection::default()).unwrap();
    let mut bytes = fs::read(&out).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    fs::write(&out, bytes).unwrap();
    let before = fs::read(home.data().join("tidegate.db")).unwrap();
    restore(&home.data(), &replacing(&out)).unwrap_err();
    fs::write(&out, "no database").unwrap();
    restore(&home.data(), &replacing(&out)).unwrap_err();
    assert_eq!(fs::read(home.data().join("tidegate.db")).unwrap(), before);
    let names: Vec<_> = fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("restoring")), "{names:?}");
    home.serve().await.shutdown().await;
}

#[tokio::test]
async fn a_backup_moves_to_another_machine() {
    let home = Home::new();
    let out = home.beside("backup.db");
    backup(&home.data(), &out, &Protection::default()).unwrap();
    let elsewhere = home.beside("elsewhere");
    let restored = restore(&elsewhere, &RestoreOptions { replace: false, ..replacing(&out) }).unwrap();
    assert_eq!((restored.endpoints, restored.replaced), (0, None));
    let options = tidegate_server::ServeOptions { data: elsewhere, ..home.options() };
    let running = Server::start(options).await.unwrap();
    home.owner(&running).await.get("/api/v1/me").await.expect(200);
    running.shutdown().await;
}

#[tokio::test]
async fn a_restore_that_is_killed_at_its_last_step_is_finished_at_the_next_start_with_the_newest_key() {
    let home = killed_at_the_last_step();
    fs::rename(home.data().join("tidegate.db"), home.data().join("tidegate.db.restored")).unwrap();
    let kept = leftovers(&home).remove(0);
    let _ = fs::remove_file(home.data().join(format!("{kept}-wal")));
    fs::write(home.data().join("tidegate.db-wal"), "of the database that was moved aside").unwrap();
    refused(create_token(&home.data(), EMAIL, TokenLife::default()), &["tidegate.db.restored"]);
    home.serve().await.shutdown().await;
    assert_eq!(in_use(&home), 2);
    let left = leftovers(&home);
    assert_eq!(left, [kept.clone(), format!("{kept}-wal")], "the former database and its log");
}

#[tokio::test]
async fn a_restore_that_is_killed_before_it_moves_anything_never_happened() {
    let home = Home::new();
    fs::write(home.data().join("tidegate.db.restored"), "a copy").unwrap();
    home.serve().await.shutdown().await;
    assert_eq!(leftovers(&home), Vec::<String>::new());
}

#[tokio::test]
async fn without_its_database_a_directory_says_what_a_restore_left_and_keeps_its_newest_key() {
    let home = killed_at_the_last_step();
    fs::remove_file(home.data().join("tidegate.db")).unwrap();
    fs::write(home.data().join("tidegate.db.restoring"), "half a copy").unwrap();
    let kept = leftovers(&home).remove(0);
    let parts = ["tidegate.db.restoring", &kept, "tidegate admin restore"];
    refused(Server::start(home.options()).await.map(drop), &parts);
    let owner = create_owner(&OwnerOptions {
        data: home.data(),
        email: EMAIL.to_owned(),
        root_key: home.beside("second.pem"),
        url_hint: None,
    });
    refused(owner, &parts);
    assert!(!home.beside("second.pem").exists() && !home.data().join("tidegate.db").exists());

    let restored = restore(&home.data(), &replacing(&home.beside("older.db"))).unwrap();
    assert_eq!(restored.keys, Keys::Carried { serial: 2 });
    assert_eq!(restored.keys_found_in, Some(home.data().join(kept)));
    home.serve().await.shutdown().await;
}

#[tokio::test]
async fn the_audit_log_says_what_operators_did_to_keys_and_backups_also_while_served() {
    let home = Home::new();
    let running = home.serve().await;
    backup(&home.data(), &home.beside("backup.db"), &Protection::default()).unwrap();
    running.shutdown().await;
    restore(&home.data(), &replacing(&home.beside("backup.db"))).unwrap();
    backup(&home.data(), &home.beside("backup.db"), &Protection::default()).unwrap();
    let revoke = Renewal { before: Before::Revoked, ..Renewal::default() };
    order_key::request(&home.data(), &home.beside("request.json"), revoke).unwrap();
    order_key::renew(&home.data(), &home.beside("root.pem"), revoke).unwrap();
    let running = home.serve().await;
    let log = home.owner(&running).await.get("/api/v1/audit?limit=100").await.expect(200).json();
    let kinds = ["backup_made", "backup_restored", "order_key_requested", "order_key_renewed"];
    let entries = log["items"].as_array().unwrap().iter();
    let mut told: Vec<_> = entries.filter(|entry| kinds.iter().any(|kind| entry["kind"] == *kind)).collect();
    told.sort_by_key(|entry| entry["number"].as_u64());
    let told_kinds: Vec<_> = told.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(told_kinds, ["backup_restored", "backup_made", "order_key_requested", "order_key_renewed"]);
    let renewed = &told[3]["body"];
    assert_eq!((&renewed["serial"], &renewed["revokes"]), (&json!(2), &json!([1])));
    assert!(renewed["uid"].is_u64() && renewed["dropped"] == 2, "{renewed}");
    running.shutdown().await;
}

#[test]
fn what_is_wrong_with_a_later_backup_is_said_of_it_and_of_no_other() {
    let (home, other) = (Home::new(), Home::new());
    backup(&home.data(), &home.beside("backup.db"), &Protection::default()).unwrap();
    let of_other = home.beside("of-other.db");
    backup(&other.data(), &of_other, &Protection::default()).unwrap();
    let bad = home.beside("bad.db");
    fs::write(&bad, "no database").unwrap();
    for keys_from in [of_other, bad, home.beside("not-there.db")] {
        let name = keys_from.display().to_string();
        let options = RestoreOptions { keys_from: Some(keys_from), ..replacing(&home.beside("backup.db")) };
        let error = restore(&home.data(), &options).unwrap_err();
        let told = error.downcast_ref::<Obstructed>().unwrap();
        assert!(told.what.contains(&name) && told.next.contains("--keys-from"), "{told:?}");
    }
}

/// A control plane whose key was revoked and whose older backup was restored. The last steps can be undone by renaming.
fn killed_at_the_last_step() -> Home {
    let home = Home::new();
    backup(&home.data(), &home.beside("older.db"), &Protection::default()).unwrap();
    let revoke = Renewal { before: Before::Revoked, ..Renewal::default() };
    order_key::renew(&home.data(), &home.beside("root.pem"), revoke).unwrap();
    let restored = restore(&home.data(), &replacing(&home.beside("older.db"))).unwrap();
    assert_eq!((restored.keys, restored.keys_found_in), (Keys::Carried { serial: 2 }, None));
    home
}

fn in_use(home: &Home) -> u64 {
    order_key::list(&home.data()).unwrap().keys[0].serial
}

/// What restores left in the data directory.
fn leftovers(home: &Home) -> Vec<String> {
    let names = fs::read_dir(home.data()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(".re") && !name.ends_with("-shm")).collect();
    names.sort();
    names
}

fn refused<T>(answer: anyhow::Result<T>, parts: &[&str]) {
    let error = answer.err().unwrap();
    let told = error.downcast_ref::<Obstructed>().unwrap_or_else(|| panic!("{error:#}"));
    assert_eq!(told.obstacle, Obstacle::RestoreInterrupted, "{error:#}");
    let text = format!("{} / {}", told.what, told.next);
    for part in parts {
        assert!(text.contains(part), "it does not say `{part}`: {text}");
    }
}

/// A restore of the backup `from` that may replace a database.
fn replacing(from: &Path) -> RestoreOptions {
    RestoreOptions { from: from.to_owned(), replace: true, ..RestoreOptions::default() }
}

async fn names(owner: &mut Client) -> Vec<String> {
    let mut names = Vec::new();
    let mut path = "/api/v1/clients?limit=100".to_owned();
    loop {
        let page = owner.get(&path).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return names };
        path = format!("/api/v1/clients?limit=100&cursor={next}");
    }
}
