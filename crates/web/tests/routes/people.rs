//! People and tokens over HTTP.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::World;

async fn invited(world: &Arc<World>, email: &str) -> Value {
    let response = world.post("/api/v1/people", &json!({ "email": email })).await;
    assert_eq!(response.status, 201, "{:?}", response.json());
    response.json()
}

/// A token of whoever holds the link.
async fn token(world: &Arc<World>, person: &Value) -> String {
    let body = json!({ "secret": person["sign_in_secret"] });
    let signed_in = world.open(Method::POST, "/api/v1/sign-in", &body).await;
    assert_eq!(signed_in.status, 201, "{:?}", signed_in.json());
    signed_in.json()["token"].as_str().unwrap().to_owned()
}

fn place(of: &Value, act: &str) -> String {
    format!("/api/v1/people/{}/{act}", of["id"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn who_is_invited_signs_in_with_the_secret_of_that_answer_alone() {
    let world = World::new();
    let ben = invited(&world, "ben@example.com").await;
    assert_eq!((&ben["role"], &ben["has_password"]), (&json!("owner"), &json!(false)));
    let token = token(&world, &ben).await;
    assert_eq!(world.get_as(&token, "/api/v1/me").await.json()["email"], "ben@example.com");
    let listed = world.get("/api/v1/people").await.json();
    let emails: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| &item["email"]).collect();
    assert_eq!(emails, ["ben@example.com", "owner@example.com"]);
    assert!(!listed.to_string().contains("secret"), "{listed}");
    let twice = world.post("/api/v1/people", &json!({ "email": "ben@example.com" })).await;
    assert_eq!((twice.status.as_u16(), twice.problem().0.as_str()), (409, "conflict"));
}

#[tokio::test(start_paused = true)]
async fn who_is_deactivated_is_refused_until_reactivated_with_a_new_link() {
    let world = World::new();
    let ben = invited(&world, "ben@example.com").await;
    let first = token(&world, &ben).await;
    let deactivated = world.post(&place(&ben, "deactivate"), &json!({})).await;
    assert_eq!(deactivated.status, 200, "{:?}", deactivated.json());
    assert!(deactivated.json()["deactivated_at"].is_string());
    assert_eq!(world.get_as(&first, "/api/v1/me").await.problem().0, "unauthenticated");
    let link = world.post(&place(&ben, "sign-in-link"), &json!({})).await;
    assert_eq!(link.problem().0, "conflict");
    assert_eq!(world.post(&place(&ben, "reactivate"), &json!({})).await.status, 200);
    assert_eq!(world.get_as(&first, "/api/v1/me").await.problem().0, "unauthenticated");
    let link = world.post(&place(&ben, "sign-in-link"), &json!({})).await.json();
    let second = token(&world, &link).await;
    assert_eq!(world.get_as(&second, "/api/v1/me").await.status, 200);
    let unknown = world.post("/api/v1/people/0000000000000000/deactivate", &json!({})).await;
    assert_eq!(unknown.problem().0, "not_found");
}

#[tokio::test(start_paused = true)]
async fn tokens_are_made_listed_renamed_and_withdrawn() {
    let world = World::new();
    let made = world.post("/api/v1/tokens", &json!({ "name": "backup" })).await;
    assert_eq!(made.status, 201, "{:?}", made.json());
    let made = made.json();
    let secret = made["token"].as_str().unwrap();
    assert_eq!(world.get_as(secret, "/api/v1/me").await.json()["email"], "owner@example.com");
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    let renamed = world.patch(&path, None, &json!({ "name": "cron" })).await;
    assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!("cron")));
    let of_one = format!("/api/v1/tokens?person={}", made["person_id"].as_str().unwrap());
    let listed = world.get(&of_one).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(secret));
    assert_eq!(world.post(&format!("{path}/revoke"), &json!({})).await.status, 200);
    assert_eq!(world.get_as(secret, "/api/v1/me").await.problem().0, "unauthenticated");
    assert_eq!(world.get("/api/v1/tokens").await.json()["items"].as_array().unwrap().len(), 1);
    for name in [json!(""), json!("a".repeat(101)), json!(7)] {
        let refused = world.post("/api/v1/tokens", &json!({ "name": name })).await;
        assert_eq!(refused.problem().0, "invalid_request");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_shows_what_was_made_and_never_a_secret_that_does_not_work() {
    let world = World::new();
    for (path, body, secret) in [
        ("/api/v1/tokens", json!({ "name": "backup" }), "token"),
        ("/api/v1/people", json!({ "email": "ben@example.com" }), "sign_in_secret"),
    ] {
        let first = world.post_once(path, "k", &body).await.json();
        let again = world.post_once(path, "k", &body).await.json();
        assert!(first[secret].is_string(), "{first}");
        assert_eq!((&again["id"], &again[secret]), (&first["id"], &Value::Null));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_when_it_was_asked_to_and_the_refusal_says_so() {
    let world = World::new();
    let make = |body: Value| {
        let world = Arc::clone(&world);
        async move { world.post("/api/v1/tokens", &body).await }
    };
    let usual = make(json!({ "name": "usual" })).await.json();
    assert_eq!(usual["expires_at"], "2027-02-21T14:03:00.000Z", "90 days where nothing is said");
    let never = make(json!({ "name": "never", "expires_in": "never" })).await.json();
    assert_eq!(never["expires_at"], Value::Null);
    for wrong in ["", "0s", "367d", "forever"] {
        assert_eq!(make(json!({ "name": "x", "expires_in": wrong })).await.problem().0, "invalid_request");
    }
    let short = make(json!({ "name": "short", "expires_in": "1h" })).await.json();
    let secret = short["token"].as_str().unwrap();
    assert_eq!(world.get_as(secret, "/api/v1/me").await.status, 200);
    let listed = world.get("/api/v1/tokens").await.json();
    let used = |name: &str| {
        let mut items = listed["items"].as_array().unwrap().iter();
        items.find(|token| token["name"] == name).unwrap()["last_used_on"].clone()
    };
    assert_eq!((used("short"), used("usual")), (json!("2026-11-23"), Value::Null), "{listed}");
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    let refused = world.get_as(secret, "/api/v1/me").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    let (code, detail) = refused.problem();
    assert_eq!(code, "api_token_expired");
    assert!(detail.contains("2026-11-23T15:03:00.000Z"), "{detail}");
    let signed_in = crate::pages::Browser::new(&world).submit("/sign-in", &[("secret", secret)]).await;
    assert_eq!(signed_in.status, 422);
    assert!(crate::pages::text(&signed_in).contains("this API token expired"));
    let link = world.sign_in_link().await;
    let of_link = json!({ "secret": link, "expires_in": "1d" });
    let of_link = world.open(Method::POST, "/api/v1/sign-in", &of_link).await.json();
    assert_eq!(of_link["expires_at"], "2026-11-24T15:03:00.000Z");
}
