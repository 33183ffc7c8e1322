//! The audit log over HTTP and on its page.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tidegate_core::call::{DirectoryInput, Input, ObjectId, RefusedSignIn, RefusedSignIns};
use tidegate_core::directory::RefusedWith;
use tidegate_core::verify::AuditVerifier;
use tidegate_web::Host as _;

use crate::pages::{Browser, text};
use crate::pages_settings::{HOSTILE, assert_inert};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn every_refused_sign_in_is_counted_with_its_account_and_without_what_may_be_a_password() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    for (email, account) in [
        ("owner@example.com", Some("owner@example.com")),
        ("nobody@example.com", Some("nobody@example.com")),
        ("P@ssw0rd", None),
    ] {
        browser.submit("/sign-in", &[("email", email), ("password", "a wrong password")]).await;
        let last = world.refused.lock().unwrap().pop().unwrap();
        assert_eq!((last.account.as_deref(), last.with), (account, RefusedWith::Password), "{email}");
    }
    browser.submit("/sign-in", &[("secret", "tgp_wrong")]).await;
    world.open(Method::POST, "/api/v1/sign-in", &json!({ "secret": "tgp_wrong" })).await;
    world.get_as("tgp_wrong", "/api/v1/me").await;
    let kinds: Vec<_> = world.refused.lock().unwrap().drain(..).map(|attempt| attempt.with).collect();
    assert_eq!(kinds, [RefusedWith::Link, RefusedWith::Link, RefusedWith::Token]);
    let nothing = Request::get("/api/v1/me").body(Body::empty()).unwrap();
    assert_eq!(world.send(nothing).await.status, 401);
    assert_eq!(*world.refused.lock().unwrap(), [], "whoever shows nothing tried nothing");
    world.is_closed.store(true, std::sync::atomic::Ordering::Relaxed);
    browser.submit("/sign-in", &[("email", "owner@example.com"), ("password", "unread")]).await;
    browser.submit("/sign-in/link", &[("secret", "tgp_wrong")]).await;
    world.open(Method::POST, "/api/v1/sign-in", &json!({ "secret": "tgp_wrong" })).await;
    browser.get("/sign-in").await;
    let last: Vec<_> = world.refused.lock().unwrap().drain(..).collect();
    assert_eq!(last.len(), 3, "a page that is looked at is no attempt");
    for attempt in last {
        assert_eq!((attempt.account, attempt.with), (None, RefusedWith::Limited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_confirmation_is_counted_for_the_person_of_the_session() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let password = "correct horse battery";
    browser.submit("/settings/you/password", &[("password", password), ("repeated", password)]).await;
    let fields = [("confirm_to", "/settings/people"), ("confirm_password", "a wrong password")];
    assert_eq!(browser.submit("/confirm", &fields).await.status, 422);
    let last = world.refused.lock().unwrap().pop().unwrap();
    assert_eq!((last.account.as_deref(), last.with), (Some("owner@example.com"), RefusedWith::Password));
}

async fn told(world: &World) {
    let refused = RefusedSignIn {
        account: Some("owner@example.com".into()),
        with: RefusedWith::Password,
        address: Some("192.0.2.7".into()),
        count: 3,
    };
    let told = RefusedSignIns { from: world.now(), until: world.now(), named: vec![refused], others: 0 };
    let input = Input::Directory(DirectoryInput::SignInsRefused(told));
    world.handle(ObjectId::Directory, input).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_log_is_read_in_pages_from_either_end() {
    let world = World::new();
    for number in 0..4 {
        world.post("/api/v1/clients", &json!({ "name": format!("Client {number}") })).await;
    }
    told(&world).await;
    let newest = world.get("/api/v1/audit?order=newest&limit=2").await.json();
    assert_eq!(newest["items"][0]["kind"], "sign_in_refused");
    assert_eq!(newest["items"][0]["about"], "owner@example.com");
    assert_eq!(newest["items"][1]["body"]["name"], "Client 3");
    let next = newest["next"].as_str().unwrap();
    let older = world.get(&format!("/api/v1/audit?order=newest&limit=2&cursor={next}")).await.json();
    assert_eq!(older["items"][0]["body"]["name"], "Client 2");
    let oldest = world.get("/api/v1/audit").await.json();
    assert_eq!((&oldest["items"][0]["number"], &oldest["next"]), (&json!(1), &Value::Null));
    assert_eq!(world.get("/api/v1/audit?order=both").await.problem().0, "invalid_request");
    assert_eq!(world.get(&format!("/api/v1/audit?cursor={next}")).await.problem().0, "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn the_exported_log_is_whole_and_proves_itself() {
    let world = World::new();
    for number in 0..600 {
        world.post("/api/v1/clients", &json!({ "name": format!("Client {number}") })).await;
    }
    let file = world.get("/api/v1/audit/export").await;
    assert_eq!(file.headers["content-type"], "application/x-ndjson");
    let mut verifier = AuditVerifier::new(Some(world.root().fingerprint()));
    verifier.feed(&file.bytes);
    let report = verifier.finish();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.complete_to > 600, "{report:?}");
    let mut browser = Browser::signed_in(&world).await;
    let downloaded = browser.get("/settings/audit/file").await;
    assert!(downloaded.headers["content-disposition"].to_str().unwrap().contains("tidegate-audit-"));
    assert!(downloaded.bytes.len() > file.bytes.len(), "the sign-in is in it too");
    assert!(Browser::new(&world).get("/settings/audit/file").await.status == 303);
}

#[tokio::test(start_paused = true)]
async fn the_page_tells_in_words_and_names_of_ill_will_are_nothing_but_names() {
    let world = World::new();
    for name in HOSTILE {
        world.post("/api/v1/clients", &json!({ "name": name })).await;
    }
    told(&world).await;
    let mut browser = Browser::signed_in(&world).await;
    let page = text(&browser.get("/settings/audit").await);
    assert_inert(&page);
    assert!(
        page.contains("refused 3 sign-ins for owner@example.com: wrong password from 192.0.2.7"),
        "{page}"
    );
    assert!(page.contains("signed in with a link"), "{page}");
    assert!(page.contains("made the client “"), "{page}");
}
