//! A page asks as many questions for much as for little: none is asked for a row.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;
use tidegate_core::id::EndpointId;

use crate::machine::{ENDPOINT, Machine};
use crate::pages::Browser;
use crate::world::World;

/// A world of so many machines, sequences of each, steps of each and everything else; and the pages that show them.
async fn world_of(count: u8) -> (Arc<World>, Vec<String>) {
    let world = World::new();
    let mut sequence = String::new();
    for number in 0..count {
        let endpoint = if number == 0 { ENDPOINT } else { EndpointId::from_bytes([100 + number; 10]) };
        Machine::enrolled_as(&world, endpoint, 100 + number).await;
        let step = json!({ "probe": "shell", "with": { "command": "ipconfig /all" } });
        let spec = json!({ "title": "Look", "steps": vec![step; usize::from(count)] });
        for _ in 0..count {
            let made = world.post(&format!("/api/v1/endpoints/{endpoint}/sequences"), &spec).await;
            if number == 0 {
                sequence = made.json()["id"].as_str().unwrap().to_owned();
            }
        }
        let client = world.post("/api/v1/clients", &json!({ "name": format!("Client {number}") })).await;
        let site = json!({ "client_id": client.json()["id"], "name": "Plant" });
        let site = world.post("/api/v1/sites", &site).await;
        world.post("/api/v1/enrolment-codes", &json!({ "site_id": site.json()["id"] })).await;
        let person = json!({ "email": format!("person-{number}@example.com") });
        assert_eq!(world.post("/api/v1/people", &person).await.status, StatusCode::CREATED);
        let playbook = json!({ "name": format!("Playbook {number}"), "steps": [step_of_playbook()] });
        world.post("/api/v1/playbooks", &playbook).await;
        world.post(&format!("/api/v1/sequences/{sequence}/notes"), &json!({ "text": "Belt is worn." })).await;
        while world.project() > 0 {}
    }
    let draft =
        json!({ "title": "Draft", "draft": true, "steps": vec![step_of_playbook(); usize::from(count)] });
    let draft = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &draft).await.json();
    let pages = [
        "/".to_owned(),
        "/machines".to_owned(),
        "/machines?q=ipc".to_owned(),
        "/machines/new".to_owned(),
        format!("/machines/{ENDPOINT}"),
        format!("/machines/{ENDPOINT}/transcript"),
        format!("/sequences/{sequence}"),
        format!("/sequences/{sequence}/steps/1/previous"),
        format!("/sequences/{}/edit", draft["id"].as_str().unwrap()),
        "/playbooks".to_owned(),
        "/settings".to_owned(),
        "/settings/people".to_owned(),
        "/settings/places".to_owned(),
        "/settings/codes".to_owned(),
        "/settings/you".to_owned(),
        "/settings/audit".to_owned(),
    ];
    (world, pages.to_vec())
}

fn step_of_playbook() -> serde_json::Value {
    json!({ "probe": "shell", "with": { "command": "ipconfig /all" } })
}

/// How many statements each page ran.
async fn counts(count: u8) -> Vec<(String, u64)> {
    let (world, pages) = world_of(count).await;
    let mut browser = Browser::signed_in(&world).await;
    let mut counts = Vec::new();
    for page in pages {
        let before = world.statements.load(Ordering::Relaxed);
        let answer = browser.get(&page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        let ran = world.statements.load(Ordering::Relaxed) - before;
        assert!(ran > 0, "{page} asks who it is for");
        counts.push((page.split('/').take(3).collect::<Vec<_>>().join("/"), ran));
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn no_page_asks_a_question_for_each_row() {
    let (few, many) = (counts(2).await, counts(12).await);
    for ((page, few), (_, many)) in few.iter().zip(&many) {
        eprintln!("{page}: {few} statements, {many} with six times as much");
        assert!(many <= few, "{page} ran {few} statements, and {many} with six times as much");
    }
}
