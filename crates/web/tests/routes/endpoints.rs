//! Endpoints over HTTP.

use serde_json::json;

use crate::machine::{ENDPOINT, Machine, SECOND};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_shown_and_renamed() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}");
    let shown = world.get(&path).await;
    assert_eq!(shown.status, 200, "{:?}", shown.json());
    assert_eq!(shown.json()["name"], "HMI-07");
    let tag = shown.headers["etag"].to_str().unwrap();
    let renamed = world.patch(&path, Some(tag), &json!({ "name": "Press 7" })).await;
    assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!("Press 7")));
    assert_eq!(world.patch(&path, Some(tag), &json!({ "name": "x" })).await.status, 412);
    assert_eq!(world.patch(&path, None, &json!({ "name": "x" })).await.status, 428);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_tells_its_probes() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let probes = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/probes")).await;
    assert_eq!(
        (&probes.json()["known"], &probes.json()["items"][0]["name"]),
        (&json!(true), &json!("shell"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_not_there_is_not_found_in_words_for_people() {
    let world = World::new();
    for path in ["", "/probes", "/transcript", "/export"] {
        let response = world.get(&format!("/api/v1/endpoints/{ENDPOINT}{path}")).await;
        assert_eq!(response.status, 404, "{path}");
        let (code, detail) = response.problem();
        assert_eq!(code, "not_found", "{path}");
        assert!(!detail.contains("certificate"), "{path}: {detail}");
    }
    assert_eq!(world.get("/api/v1/endpoints/..%2F..").await.problem().0, "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_candidate_journal_is_adopted_and_an_unknown_one_is_not() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    machine.candidate_idle(std::time::Duration::ZERO).await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}/adopt");
    let adopted = world.post(&path, &json!({ "journal_id": SECOND })).await;
    assert_eq!(adopted.status, 200, "{:?}", adopted.json());
    assert_eq!(adopted.json()["journals"][0]["id"], SECOND.to_string());
    let unknown = world.post(&path, &json!({ "journal_id": "zzzzzzzzzzzzzzzz" })).await;
    assert!(unknown.status.is_client_error(), "{:?}", unknown.json());
    unknown.problem();
    assert_eq!(world.post(&path, &json!({ "journal_id": 7 })).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_endpoint_is_believed_no_more() {
    let world = World::new();
    let mut machine = Machine::enrolled(&world).await;
    let idle = machine.candidate_idle(std::time::Duration::ZERO).await;
    let revoked = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/revoke"), &json!({})).await;
    assert_eq!((revoked.status.as_u16(), &revoked.json()["state"]), (200, &json!("revoked")));
    let sync = machine.send(idle.write()).await;
    assert_eq!((sync.status.as_u16(), sync.problem().0.as_str()), (403, "revoked"));
}

#[tokio::test(start_paused = true)]
async fn a_retired_endpoint_is_told_so() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let retired = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/retire"), &json!({})).await;
    assert_eq!((retired.status.as_u16(), &retired.json()["state"]), (200, &json!("retired")));
}
