//! Clients and sites that are edited over HTTP, and what machines learn of it.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_core::call::{Admission, EndpointInput, Input, ObjectId, Reply};
use tidegate_core::id::{CodeId, EndpointId};
use tidegate_core::keys::{KeyPair, Role};
use tidegate_web::Host as _;

use crate::machine::Machine;
use crate::world::World;

/// A site with UTC of a client; answers both.
async fn site(world: &Arc<World>, name: &str) -> (Value, Value) {
    let client = world.post("/api/v1/clients", &json!({ "name": format!("{name} Ltd") })).await.json();
    let body = json!({ "client_id": client["id"], "name": name, "time_zone": "UTC" });
    let site = world.post("/api/v1/sites", &body).await;
    assert_eq!(site.status, 201, "{:?}", site.json());
    (client, site.json())
}

fn path(kind: &str, of: &Value) -> String {
    format!("/api/v1/{kind}/{}", of["id"].as_str().unwrap())
}

/// Enrols a machine of its own into the site, as admission would have.
async fn enrol(world: &Arc<World>, number: u8, site: &Value) -> EndpointId {
    let endpoint = EndpointId::from_bytes([number; 10]);
    let mut machine = Machine::new(world);
    machine.keys = KeyPair::from_seed(Role::Endpoint, &[number; 32]);
    let admission = Admission {
        endpoint,
        site: site["id"].as_str().unwrap().parse().unwrap(),
        client: site["client_id"].as_str().unwrap().parse().unwrap(),
        time_zone: site["time_zone"].as_str().unwrap().to_owned(),
        code_by: "owner@example.com".to_owned(),
        request: machine.enrol_request(CodeId::from_bytes([8; 10]), "0".repeat(32)),
    };
    let input = Input::Endpoint(EndpointInput::Enrol(Box::new(admission)));
    let reply = world.handle(ObjectId::Endpoint(endpoint), input).await.unwrap();
    assert!(matches!(reply, Reply::Enrolled(_)), "{reply:?}");
    endpoint
}

/// What a sequence that starts at two in the afternoon UTC waits for on that machine.
async fn waits_for(world: &Arc<World>, endpoint: EndpointId) -> String {
    let body = json!({
        "title": "later", "not_before": "2026-11-24T14:00:00Z",
        "steps": [{ "probe": "shell", "with": { "command": "true" } }],
    });
    let queued = world.post(&format!("/api/v1/endpoints/{endpoint}/sequences"), &body).await;
    assert_eq!(queued.status, 201, "{:?}", queued.json());
    queued.json()["waiting_for"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_client_and_a_site_are_renamed_and_the_later_edit_stays() {
    let world = World::new();
    let (client, north) = site(&world, "North").await;
    for name in ["One", "Two"] {
        let renamed = world.patch(&path("clients", &client), None, &json!({ "name": name })).await;
        assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!(name)));
        let renamed = world.patch(&path("sites", &north), None, &json!({ "name": name })).await;
        assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!(name)));
    }
    assert_eq!(world.get("/api/v1/clients").await.json()["items"][0]["name"], "Two");
    let shown = world.get(&path("sites", &north)).await.json();
    assert_eq!((&shown["name"], &shown["time_zone"]), (&json!("Two"), &json!("UTC")));
    for (kind, of) in [("clients", &client), ("sites", &north)] {
        let refused = world.patch(&path(kind, of), None, &json!({ "name": "" })).await;
        assert_eq!(refused.problem().0, "invalid_request");
        let unknown =
            world.patch(&format!("/api/v1/{kind}/0000000000000000"), None, &json!({ "name": "a" })).await;
        assert_eq!(unknown.problem().0, "not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_time_zone_reaches_every_machine_of_the_site_and_no_other() {
    let world = World::new();
    let (_, north) = site(&world, "North").await;
    let (_, south) = site(&world, "South").await;
    let mut of_north = Vec::new();
    for number in 1..=120 {
        of_north.push(enrol(&world, number, &north).await);
    }
    let of_south = enrol(&world, 200, &south).await;
    while world.project() > 0 {}
    assert!(waits_for(&world, of_north[0]).await.contains("earliest start, 14:00 UTC"));
    let edited = world.patch(&path("sites", &north), None, &json!({ "time_zone": "Europe/Berlin" })).await;
    assert_eq!((edited.status.as_u16(), &edited.json()["time_zone"]), (200, &json!("Europe/Berlin")));
    for endpoint in &of_north {
        let words = waits_for(&world, *endpoint).await;
        assert!(words.contains("earliest start, 15:00 plant time"), "{endpoint}: {words}");
    }
    assert!(waits_for(&world, of_south).await.contains("earliest start, 14:00 UTC"));
}
