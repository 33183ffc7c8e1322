//! The operator's commands.

use std::fs;

use tidegate_core::api::TokenLife;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_server::admin::{OwnerOptions, Protection, backup, create_owner, create_token};
use tidegate_server::{ServeOptions, Server};

use crate::client::Client;
use crate::plane::{EMAIL, Home, free_port};

fn options(home: &std::path::Path, root_key: &str) -> OwnerOptions {
    OwnerOptions {
        data: home.join("data"),
        email: EMAIL.to_owned(),
        root_key: home.join(root_key),
        url_hint: Some("https://tidegate.example/".to_owned()),
    }
}

#[test]
fn an_owner_gets_a_link_and_a_root_key_that_only_they_can_read() {
    let home = tempfile::tempdir().unwrap();
    let owner = create_owner(&options(home.path(), "root.pem")).unwrap();
    assert!(owner.sign_in_link.starts_with("https://tidegate.example/sign-in#tgp_"));
    let pem = fs::read_to_string(home.path().join("root.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{pem}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("root.pem"), mode("data"), mode("data/tidegate.db")], [0o600, 0o700, 0o600]);
    }
    let stored = fs::read(home.path().join("data/tidegate.db")).unwrap();
    let secret = owner.sign_in_link.split_once('#').unwrap().1.as_bytes();
    assert!(!stored.windows(secret.len()).any(|window| window == secret), "secrets are stored as digests");
}

#[test]
fn a_root_key_is_never_put_into_the_data_directory_or_over_another_file() {
    let home = tempfile::tempdir().unwrap();
    let refused = create_owner(&options(home.path(), "data/root.pem")).unwrap_err();
    assert!(refused.to_string().contains("is in a data directory"), "{refused:#}");
    assert!(!home.path().join("data/root.pem").exists());
    fs::write(home.path().join("root.pem"), "mine").unwrap();
    let refused = create_owner(&options(home.path(), "root.pem")).unwrap_err();
    assert!(refused.to_string().contains("exists already"), "{refused:#}");
    assert_eq!(fs::read(home.path().join("root.pem")).unwrap(), b"mine");
    create_owner(&options(home.path(), "other.pem")).unwrap();
}

#[test]
fn a_second_owner_is_refused_and_leaves_no_key() {
    let home = tempfile::tempdir().unwrap();
    create_owner(&options(home.path(), "root.pem")).unwrap();
    let refused = create_owner(&options(home.path(), "second.pem")).unwrap_err();
    assert!(refused.to_string().contains("has an owner already"), "{refused:#}");
    assert!(!home.path().join("second.pem").exists());
}

#[test]
fn an_address_that_is_none_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let wrong = OwnerOptions { email: String::new(), ..options(home.path(), "root.pem") };
    create_owner(&wrong).unwrap_err();
    assert!(!home.path().join("root.pem").exists());
    create_owner(&options(home.path(), "root.pem")).unwrap();
}

#[tokio::test]
async fn a_directory_without_an_owner_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let says_so = |error: anyhow::Error| {
        let told = error.downcast_ref::<Obstructed>().is_some_and(|told| {
            told.obstacle == Obstacle::NoOwner && told.next.contains("tidegate admin owner --data ")
        });
        assert!(told, "{error:#}");
    };
    let refused = Server::start(ServeOptions::new(home.path(), free_port())).await.err().unwrap();
    says_so(refused);
    says_so(create_token(home.path(), EMAIL, TokenLife::default()).unwrap_err());
    assert!(backup(home.path(), &home.path().join("out"), &Protection::default()).is_err());
    assert!(!home.path().join("tidegate.db").exists());
}

#[tokio::test]
async fn a_token_can_be_made_while_the_directory_is_served() {
    let home = Home::new();
    let running = home.serve().await;
    let token = create_token(&home.data(), EMAIL, TokenLife::default()).unwrap();
    let mut owner = Client::connect(running.addresses().people, Some(&token)).await;
    assert_eq!(owner.get("/api/v1/me").await.expect(200).json()["email"], EMAIL);
    assert!(create_token(&home.data(), "nobody@msp.example", TokenLife::default()).is_err());
    running.shutdown().await;
}
