//! Playbooks over HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, Machine};
use crate::world::{Response, World};

const PLAYBOOKS: &str = "/api/v1/playbooks";

fn spec() -> Value {
    json!({
        "name": "Read a log",
        "parameters": [{ "name": "folder", "about": "Where.", "kind": "text", "required": true }],
        "steps": [{ "probe": "shell", "with": { "command": "ls {{folder}}" } }],
    })
}

async fn made(world: &Arc<World>) -> (String, Response) {
    let response = world.post(PLAYBOOKS, &spec()).await;
    assert_eq!(response.status, 201, "{:?}", response.json());
    (response.headers["location"].to_str().unwrap().to_owned(), response)
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_control_plane_has_the_starters_to_read() {
    let world = World::new();
    let listed = world.get(PLAYBOOKS).await.json();
    assert!(names(&listed).contains(&"Service is down"), "{listed}");
    for item in listed["items"].as_array().unwrap() {
        let one = world.get(&format!("{PLAYBOOKS}/{}", item["id"].as_str().unwrap())).await;
        assert_eq!((one.status.as_u16(), one.headers["etag"].to_str().unwrap()), (200, "\"1\""));
        assert_eq!(one.json()["spec"]["about"], item["about"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_makes_a_version_and_the_ones_before_can_be_read() {
    let world = World::new();
    let (path, made) = made(&world).await;
    let tag = made.headers["etag"].to_str().unwrap();
    let edit = json!({ "about": "Lists a folder." });
    let saved = world.patch(&path, Some(tag), &edit).await;
    assert_eq!((saved.status.as_u16(), saved.headers["etag"].to_str().unwrap()), (200, "\"2\""));
    assert_eq!(saved.json()["spec"]["about"], "Lists a folder.");
    let late = world.patch(&path, Some(tag), &json!({ "about": "Late." })).await;
    assert_eq!((late.status.as_u16(), late.problem().0.as_str()), (412, "revision_mismatch"));
    assert_eq!(world.patch(&path, None, &edit).await.problem().0, "revision_required");
    let first = world.get(&format!("{path}?version=1")).await;
    assert_eq!((&first.json()["version"], first.headers["etag"].to_str().unwrap()), (&json!(1), "\"1\""));
    assert_eq!((&first.json()["current_version"], &first.json()["spec"]), (&json!(2), &made.json()["spec"]));
    assert_eq!(world.get(&format!("{path}?version=3")).await.problem().0, "not_found");
    assert_eq!(world.get(&format!("{path}?version=x")).await.problem().0, "invalid_request");
    let versions = world.get(&format!("{path}/versions?limit=1")).await.json();
    assert_eq!((&versions["items"][0]["version"], versions["next"].is_string()), (&json!(2), true));
}

#[tokio::test(start_paused = true)]
async fn an_archived_playbook_is_listed_only_when_asked_for() {
    let world = World::new();
    let (path, _) = made(&world).await;
    let archived = world.post(&format!("{path}/archive"), &json!({})).await;
    assert_eq!(archived.status, 200, "{:?}", archived.json());
    assert!(archived.json()["archived_at"].is_string());
    assert!(!names(&world.get(PLAYBOOKS).await.json()).contains(&"Read a log"));
    assert!(names(&world.get(&format!("{PLAYBOOKS}?archived=true")).await.json()).contains(&"Read a log"));
    assert_eq!(world.get(&format!("{PLAYBOOKS}?archived=perhaps")).await.problem().0, "invalid_request");
    let filled = world.post(&format!("{path}/fill"), &json!({ "values": { "folder": "/var" } })).await;
    assert_eq!((filled.status.as_u16(), filled.problem().0.as_str()), (409, "conflict"));
    assert!(world.post(&format!("{path}/unarchive"), &json!({})).await.json()["archived_at"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_filled_playbook_is_queued_as_it_came_and_the_sequence_says_where_it_is_from() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let (path, _) = made(&world).await;
    let filled = world.post(&format!("{path}/fill"), &json!({ "values": { "folder": "/var/log" } })).await;
    assert_eq!(filled.status, 200, "{:?}", filled.json());
    assert_eq!(filled.json()["steps"][0]["with"]["command"], "ls /var/log");
    let queued = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &filled.json()).await;
    assert_eq!(queued.status, 201, "{:?}", queued.json());
    let id = path.rsplit('/').next().unwrap();
    let origin = json!({ "id": id, "name": "Read a log", "version": 1 });
    assert_eq!((&queued.json()["playbook"], &queued.json()["title"]), (&origin, &json!("Read a log")));
    world.project();
    for listing in [format!("/api/v1/sequences?endpoint={ENDPOINT}"), "/api/v1/sequences".to_owned()] {
        assert_eq!(world.get(&listing).await.json()["items"][0]["playbook"], origin, "{listing}");
    }
    let transcript = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/transcript")).await;
    assert!(String::from_utf8_lossy(&transcript.bytes).contains(id), "the record says so too");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_hold_or_fit_is_refused_with_its_place() {
    let world = World::new();
    let (path, _) = made(&world).await;
    let refused = |response: Response, status: u16, code: &str, part: &str| {
        let (told, detail) = response.problem();
        assert_eq!((response.status.as_u16(), told.as_str()), (status, code));
        assert!(detail.contains(part), "{detail}");
    };
    let fill = format!("{path}/fill");
    refused(world.post(&fill, &json!({})).await, 422, "invalid_playbook", "`folder` is missing");
    let hostile = json!({ "values": { "folder": "/ ; reboot" } });
    refused(world.post(&fill, &hostile).await, 422, "invalid_playbook", "one plain word");
    refused(world.post(&fill, &json!({ "folder": "/" })).await, 400, "invalid_request", "folder");
    let mut twice = spec();
    twice["name"] = json!("read a LOG");
    refused(world.post(PLAYBOOKS, &twice).await, 409, "conflict", "already");
    let mut broken = spec();
    broken["title"] = json!("{{place}}");
    refused(world.post(PLAYBOOKS, &broken).await, 422, "invalid_playbook", "`{{place}}`");
    broken["owner"] = json!("x");
    refused(world.post(PLAYBOOKS, &broken).await, 400, "invalid_request", "owner");
    let claimed = json!({ "steps": [{ "probe": "shell", "with": { "command": "x" } }],
        "playbook": { "id": "0000000000000000", "name": "x".repeat(101), "version": 1 } });
    Machine::enrolled(&world).await;
    let claimed = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &claimed).await;
    refused(claimed, 422, "invalid_sequence", "1 to 100 bytes");
}
