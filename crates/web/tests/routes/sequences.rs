//! Sequences over HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, Machine};
use crate::world::{Response, World};

const UNKNOWN: &str = "zzzzzzzzzzzzzzzz";

async fn world() -> Arc<World> {
    let world = World::new();
    Machine::enrolled(&world).await;
    world
}

async fn create(world: &Arc<World>, body: &Value) -> Response {
    world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), body).await
}

fn spec() -> Value {
    json!({ "title": "Look", "steps": [{ "probe": "shell", "with": { "command": "ipconfig /all" } }] })
}

fn draft() -> Value {
    let mut draft = spec();
    draft["draft"] = json!(true);
    draft
}

fn path(response: &Response) -> String {
    response.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_sequence_is_made_at_a_place_where_it_is_found_again() {
    let world = world().await;
    let made = create(&world, &spec()).await;
    assert_eq!(made.status, 201, "{:?}", made.json());
    assert_eq!(made.json()["endpoint_id"], ENDPOINT.to_string());
    assert_eq!(path(&made), format!("/api/v1/sequences/{}", made.json()["id"].as_str().unwrap()));
    let found = world.get(&path(&made)).await;
    assert_eq!(found.status, 200);
    assert_eq!(found.json()["id"], made.json()["id"]);
    assert_eq!(found.headers["etag"], format!("\"{}\"", found.json()["revision"]));
    assert_eq!(found.headers["cache-control"], "no-store");
    assert!(found.headers.contains_key("x-request-id"));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_with_the_same_key_makes_nothing_new_and_another_body_is_refused() {
    let world = world().await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}/sequences");
    let first = world.post_once(&path, "k-1", &spec()).await;
    let again = world.post_once(&path, "k-1", &spec()).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(again.headers["location"], first.headers["location"]);
    let other = world.post_once(&path, "k-1", &draft()).await;
    assert_eq!(other.status, 422);
    assert_eq!(other.problem().0, "idempotency_mismatch");
    assert_eq!(world.post_once(&path, "k 1", &spec()).await.problem().0, "invalid_request");
    let all = world.get(&format!("/api/v1/sequences?endpoint={ENDPOINT}")).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_read_or_fit_is_refused_by_its_kind() {
    let world = world().await;
    let unknown_field = create(&world, &json!({ "steps": [], "stepz": 1 })).await;
    assert_eq!(unknown_field.status, 400);
    assert!(unknown_field.problem().1.contains("stepz"));
    let no_steps = create(&world, &json!({ "steps": [] })).await;
    assert_eq!(no_steps.status, 422);
    assert_eq!(no_steps.problem().0, "invalid_sequence");
    let elsewhere = world.post(&format!("/api/v1/endpoints/{UNKNOWN}/sequences"), &spec()).await;
    assert_eq!(elsewhere.status, 404);
    assert_eq!(elsewhere.problem().0, "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_list_filters_and_pages() {
    let world = world().await;
    for _ in 0..3 {
        create(&world, &draft()).await;
    }
    create(&world, &spec()).await;
    let list = |query: &str| {
        let path = format!("/api/v1/sequences?endpoint={ENDPOINT}&{query}");
        let world = world.clone();
        async move { world.get(&path).await }
    };
    assert_eq!(list("state=draft").await.json()["items"].as_array().unwrap().len(), 3);
    let first = list("limit=3&state=").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let rest = list(&format!("limit=3&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(list("since=2027-01-01T00:00:00Z").await.json()["items"], json!([]));
    for wrong in ["limit=0", "limit=501", "state=gone", "since=yesterday", "order=asc", "cursor=oops"] {
        let response = list(wrong).await;
        assert_eq!(response.status, 400, "{wrong}: {:?}", response.json());
        response.problem();
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_names_the_revision_it_saw() {
    let world = world().await;
    let made = create(&world, &draft()).await;
    let path = path(&made);
    let tag = made.headers["etag"].to_str().unwrap();
    let patch = json!({ "title": "Look again" });
    let blind = world.patch(&path, None, &patch).await;
    assert_eq!((blind.status.as_u16(), blind.problem().0.as_str()), (428, "revision_required"));
    for malformed in [format!("W/{tag}"), "*".to_owned(), "7".to_owned()] {
        assert_eq!(world.patch(&path, Some(&malformed), &patch).await.status, 400, "{malformed}");
    }
    let edited = world.patch(&path, Some(tag), &patch).await;
    assert_eq!(edited.status, 200, "{:?}", edited.json());
    assert_eq!(edited.json()["title"], "Look again");
    assert_ne!(edited.headers["etag"], tag);
    let late = world.patch(&path, Some(tag), &patch).await;
    assert_eq!((late.status.as_u16(), late.problem().0.as_str()), (412, "revision_mismatch"));
    let tag = edited.headers["etag"].to_str().unwrap();
    let plan = json!({ "stop_on": "never", "not_before": "2026-11-24T08:00:00Z" });
    let planned = world.patch(&path, Some(tag), &plan).await;
    assert_eq!(planned.json()["draft"]["stop_on"], "never", "{:?}", planned.json());
    let tag = planned.headers["etag"].to_str().unwrap();
    let cleared = world.patch(&path, Some(tag), &json!({ "title": null, "not_before": null })).await.json();
    let written = &cleared["draft"];
    assert_eq!((&written["title"], &written["not_before"]), (&Value::Null, &Value::Null), "{cleared}");
    assert_eq!(written["stop_on"], "never", "what is absent stays");
}

#[tokio::test(start_paused = true)]
async fn a_draft_is_queued_noted_on_cancelled_and_retried() {
    let world = world().await;
    let path = path(&create(&world, &draft()).await);
    let queued = world.post(&format!("{path}/queue"), &json!({})).await;
    assert_eq!((queued.status.as_u16(), &queued.json()["state"]), (200, &json!("queued")));
    let noted = world.post(&format!("{path}/notes"), &json!({ "text": "see the door" })).await;
    assert_eq!(noted.json()["notes"][0]["text"], "see the door");
    assert_eq!(noted.status, 200);
    let cancelled = world.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(cancelled.json()["state"], "cancelled");
    let retried = world.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(retried.status, 201);
    assert_eq!(retried.json()["retry_of"], cancelled.json()["id"]);
    assert!(retried.headers.contains_key("location"));
    let conflict = world.post(&format!("{path}/release"), &json!({})).await;
    assert_eq!((conflict.status.as_u16(), conflict.problem().0.as_str()), (409, "conflict"));
    let body = world.post(&format!("{path}/cancel"), &json!({ "why": "x" })).await;
    assert_eq!(body.status, 400);
    assert_eq!(world.get("/api/v1/sequences/nonsense").await.problem().0, "not_found");
}
