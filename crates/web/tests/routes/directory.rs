//! People, clients, sites, codes and the list of endpoints over HTTP.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use tidegate_core::call::{DirectoryInput, Input, ObjectId};
use tidegate_core::directory::token_digest;
use tidegate_core::wire::{EnrolAnswer, EnrolmentCode};
use tidegate_web::Host as _;

use crate::machine::Machine;
use crate::world::World;

async fn made(world: &Arc<World>, path: &str, body: &Value) -> Value {
    let response = world.post(path, body).await;
    assert_eq!(response.status, 201, "{path}: {:?}", response.json());
    let value = response.json();
    let place = format!("{path}/{}", value["id"].as_str().unwrap());
    assert_eq!(response.headers["location"], place.as_str());
    value
}

/// A site of a new client; answers both.
async fn site(world: &Arc<World>, name: &str) -> (Value, Value) {
    let client = made(world, "/api/v1/clients", &json!({ "name": format!("{name} Ltd") })).await;
    let body = json!({ "client_id": client["id"], "name": name, "time_zone": "Europe/Berlin" });
    let site = made(world, "/api/v1/sites", &body).await;
    (client, site)
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_link_becomes_a_token_once() {
    let world = World::new();
    let owner = DirectoryInput::CreateOwner { email: "o@example.com".into(), sign_in: token_digest("link") };
    world.handle(ObjectId::Directory, Input::Directory(owner)).await.unwrap();
    let body = json!({ "secret": "link" });
    let signed_in = world.open(Method::POST, "/api/v1/sign-in", &body).await;
    assert_eq!(signed_in.status, 201, "{:?}", signed_in.json());
    let token = signed_in.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.get_as(&token, "/api/v1/me").await.json()["email"], "o@example.com");
    let again = world.open(Method::POST, "/api/v1/sign-in", &body).await;
    assert!(again.status.is_client_error(), "{:?}", again.json());
    again.problem();
    let unknown = world.get_as("tgp_nobody", "/api/v1/me").await;
    assert_eq!((unknown.status.as_u16(), unknown.problem().0.as_str()), (401, "unauthenticated"));
}

#[tokio::test(start_paused = true)]
async fn clients_and_sites_are_made_once_and_listed_by_name() {
    let world = World::new();
    let (client, first) = site(&world, "Plant B").await;
    site(&world, "Plant A").await;
    let twice = world.post("/api/v1/clients", &json!({ "name": client["name"] })).await;
    assert_eq!((twice.status.as_u16(), twice.problem().0.as_str()), (409, "conflict"));
    let names = |list: Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(world.get("/api/v1/clients").await.json()), ["Plant A Ltd", "Plant B Ltd"]);
    assert_eq!(names(world.get("/api/v1/sites").await.json()), ["Plant A", "Plant B"]);
    let of_one = format!("/api/v1/sites?client={}", client["id"].as_str().unwrap());
    assert_eq!(names(world.get(&of_one).await.json()), ["Plant B"]);
    let path = format!("/api/v1/sites/{}", first["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.json(), first);
    assert_eq!(world.get("/api/v1/sites/zzzzzzzzzzzzzzzz").await.problem().0, "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_creation_with_a_key_makes_one_client() {
    let world = World::new();
    let body = json!({ "name": "Acme" });
    let first = world.post_once("/api/v1/clients", "k-1", &body).await;
    let again = world.post_once("/api/v1/clients", "k-1", &body).await;
    assert_eq!((again.status.as_u16(), again.json()), (201, first.json()));
    let other = world.post_once("/api/v1/clients", "k-1", &json!({ "name": "Other" })).await;
    assert_eq!((other.status.as_u16(), other.problem().0.as_str()), (422, "idempotency_mismatch"));
}

#[tokio::test(start_paused = true)]
async fn a_code_admits_a_machine_which_is_then_listed_and_moved() {
    let world = World::new();
    let (_, site_one) = site(&world, "Plant A").await;
    let (client_two, site_two) = site(&world, "Plant B").await;
    let code = made(&world, "/api/v1/enrolment-codes", &json!({ "site_id": site_one["id"] })).await;
    let parsed: EnrolmentCode = code["code"].as_str().unwrap().parse().unwrap();
    assert_eq!(parsed.root_fingerprint, world.root().fingerprint());
    let listed = world.get("/api/v1/enrolment-codes").await.json();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["code"]), (&code["id"], &Value::Null));

    let machine = Machine::new(&world);
    let enrolled = machine.enrol(&parsed).await;
    assert_eq!(enrolled.status, 200, "{:?}", enrolled.json());
    let enrolled: EnrolAnswer = serde_json::from_slice(&enrolled.bytes).unwrap();
    let again: EnrolAnswer = serde_json::from_slice(&machine.enrol(&parsed).await.bytes).unwrap();
    assert_eq!(again.endpoint, enrolled.endpoint, "an answer that was lost is asked for again");

    world.project();
    let of_site = format!("/api/v1/endpoints?q=hmi&site={}", site_one["id"].as_str().unwrap());
    let found = world.get(&of_site).await.json();
    assert_eq!(found["items"][0]["id"], enrolled.endpoint.to_string());

    let path = format!("/api/v1/endpoints/{}", enrolled.endpoint);
    let tag = world.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let nowhere = world.patch(&path, Some(&tag), &json!({ "site_id": "zzzzzzzzzzzzzzzz" })).await;
    assert_eq!((nowhere.status.as_u16(), nowhere.problem().0.as_str()), (400, "invalid_request"));
    let moved = world.patch(&path, Some(&tag), &json!({ "site_id": site_two["id"] })).await;
    assert_eq!(moved.status, 200, "{:?}", moved.json());
    assert_eq!(moved.json()["client_id"], client_two["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_code_that_was_withdrawn_admits_nobody() {
    let world = World::new();
    let (_, site) = site(&world, "Plant A").await;
    let code = made(&world, "/api/v1/enrolment-codes", &json!({ "site_id": site["id"], "uses": 5 })).await;
    let path = format!("/api/v1/enrolment-codes/{}/revoke", code["id"].as_str().unwrap());
    assert_eq!(world.post(&path, &json!({})).await.status, 200);
    let parsed: EnrolmentCode = code["code"].as_str().unwrap().parse().unwrap();
    let refused = Machine::new(&world).enrol(&parsed).await;
    assert_eq!((refused.status.as_u16(), refused.problem().0.as_str()), (403, "invalid_code"));
}
