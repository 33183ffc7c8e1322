//! The morning over HTTP, and what people do with it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, Machine};
use crate::world::World;

async fn world() -> Arc<World> {
    let world = World::new();
    Machine::enrolled(&world).await;
    world
}

/// Queues work and answers its path.
async fn queued(world: &Arc<World>) -> String {
    let spec = json!({ "steps": [{ "probe": "shell", "with": { "command": "ipconfig /all" } }] });
    let made = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &spec).await;
    made.headers["location"].to_str().unwrap().to_owned()
}

async fn overnight(world: &Arc<World>, query: &str) -> Value {
    world.project();
    let response = world.get(&format!("/api/v1/overnight{query}")).await;
    assert_eq!(response.status, 200, "{:?}", response.json());
    response.json()
}

fn count(view: &Value, group: &str) -> usize {
    view[group]["items"].as_array().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_morning_has_what_waits_and_what_ended_with_the_machines_name() {
    let world = world().await;
    let first = queued(&world).await;
    queued(&world).await;
    world.post(&format!("{first}/cancel"), &json!({})).await;
    let view = overnight(&world, "").await;
    assert_eq!((count(&view, "waiting"), count(&view, "clean")), (1, 1));
    let waiting = &view["waiting"]["items"][0];
    assert_eq!(waiting["sequence"]["state"], "queued");
    assert!(waiting["waiting_for"].as_str().unwrap().contains("check-in"), "{waiting}");
    assert_eq!(waiting["machine"]["endpoint_id"], ENDPOINT.to_string());
    assert_eq!(view["waiting"]["rest"], 0);
    let later = overnight(&world, "?since=2027-01-01T00:00:00Z&limit=1").await;
    assert_eq!((count(&later, "waiting"), count(&later, "clean")), (1, 0));
    for wrong in ["?limit=0", "?limit=501", "?since=yesterday", "?state=held"] {
        assert_eq!(world.get(&format!("/api/v1/overnight{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sequence_is_reviewed_assigned_and_put_first_by_name() {
    let world = world().await;
    let (first, second) = (queued(&world).await, queued(&world).await);
    let early = world.post(&format!("{second}/review"), &json!({})).await;
    assert_eq!((early.status.as_u16(), early.problem().0.as_str()), (409, "conflict"));
    let moved = world.post(&format!("{second}/run-next"), &json!({})).await;
    assert_eq!(moved.json()["run_next"]["by"], "owner@example.com");
    let assigned = world.post(&format!("{first}/assign"), &json!({ "assignee": "OWNER@example.com" })).await;
    assert_eq!(assigned.json()["assignee"], "owner@example.com", "{:?}", assigned.json());
    for wrong in [
        json!({}),
        json!({ "assignee": 7 }),
        json!({ "to": "ben@example.com" }),
        json!({ "assignee": "ben@example.com" }),
    ] {
        let refused = world.post(&format!("{first}/assign"), &wrong).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem().0.as_str()),
            (400, "invalid_request"),
            "{wrong}"
        );
    }
    let nobody = world.post(&format!("{first}/assign"), &json!({ "assignee": null })).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["assignee"]), (200, &Value::Null));
    world.post(&format!("{first}/cancel"), &json!({})).await;
    let reviewed = world.post(&format!("{first}/review"), &json!({})).await;
    assert_eq!(reviewed.json()["reviewed"]["by"], "owner@example.com");
    let view = overnight(&world, "").await;
    assert_eq!(view["clean"]["items"][0]["sequence"]["reviewed"]["by"], "owner@example.com");
    let taken_back = world.post(&format!("{first}/unreview"), &json!({})).await;
    assert_eq!(taken_back.json()["reviewed"], Value::Null);
    let sequence = &first["/api/v1/sequences/".len()..];
    let transcript =
        world.get(&format!("/api/v1/endpoints/{ENDPOINT}/transcript?sequence={sequence}")).await.json();
    let kinds: Vec<_> =
        transcript["items"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["queued", "assigned", "assigned", "ended", "reviewed", "unreviewed"]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_tagged_noted_on_and_found_by_both_words() {
    let world = world().await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}");
    let noted = world.post(&format!("{path}/notes"), &json!({ "text": "the key is at the gate" })).await;
    assert_eq!((noted.status.as_u16(), &noted.json()["notes"][0]["by"]), (200, &json!("owner@example.com")));
    assert_eq!(world.post(&format!("{path}/notes"), &json!({ "text": " " })).await.status, 400);
    let tag = noted.headers["etag"].to_str().unwrap();
    let tagged = world.patch(&path, Some(tag), &json!({ "tags": ["Line 4", "press"] })).await;
    assert_eq!(tagged.json()["tags"], json!(["Line 4", "press"]), "{:?}", tagged.json());
    world.project();
    for (query, found) in [("press%20line", 1), ("press%20missing", 0), ("a%20b%20c%20d%20e%20f%20g", 400)] {
        let response = world.get(&format!("/api/v1/endpoints?q={query}")).await;
        match found {
            400 => assert_eq!(response.problem().0, "invalid_request"),
            found => assert_eq!(response.json()["items"].as_array().unwrap().len(), found, "{query}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_is_compared_and_contacts_are_told_by_their_kind() {
    let world = world().await;
    let path = queued(&world).await;
    let none = world.get(&format!("{path}/steps/1/previous")).await;
    assert_eq!((none.status.as_u16(), &none.json()["previous"]), (200, &Value::Null));
    for wrong in ["steps/0/previous", "steps/2/previous", "steps/x/previous"] {
        let response = world.get(&format!("{path}/{wrong}")).await;
        assert_eq!((response.status.as_u16(), response.problem().0.as_str()), (404, "not_found"), "{wrong}");
    }
    let contacts = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/contacts")).await;
    let spans = contacts.json()["spans"].as_array().unwrap().clone();
    assert_eq!((spans.len(), &spans[0]["kind"]), (1, &json!("unknown")), "it was never heard");
    assert_eq!(world.get(&format!("/api/v1/endpoints/{ENDPOINT}/contacts?since=x")).await.status, 400);
    assert_eq!(world.get("/api/v1/endpoints/zzzzzzzzzzzzzzzz/contacts").await.status, 404);
}
