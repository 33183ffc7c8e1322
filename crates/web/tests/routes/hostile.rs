//! No input makes the server fail: whatever comes is answered below 500, and a refusal is always a whole problem.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::machine::{ENDPOINT, Machine};
use crate::refusals::operations;
use crate::world::{BEARER, World};

const IDS: [&str; 6] = ["%00", "..", "0000000000000000", "ZZZZZZZZZZZZZZZZ", "a%2Fb", "'%20OR%201=1--"];

const QUERIES: [&str; 8] =
    ["", "?", "?limit=0", "?limit=-1", "?cursor=%00", "?cursor=99999999999999999999", "?q=%FF", "?a=b&a=b"];

fn bodies() -> Vec<Vec<u8>> {
    let deep = json!({ "steps": [{ "probe": "shell", "with": nested(60) }] });
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{}",
        "[]",
        "null",
        "0",
        "\"\"",
        "{",
        "{\"a\":",
        "\u{feff}{}",
        "{\"name\":\"\"}",
        "{\"name\":\"\\u0000\"}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":null,\"name\":null}",
        "{\"steps\":[]}",
        "{\"steps\":[{}]}",
        "{\"steps\":[{\"probe\":\"\"}]}",
        "{\"draft\":\"yes\",\"steps\":[]}",
        "{\"draft\":true,\"steps\":[{\"probe\":\"shell\"}],\"expires_in\":\"99999999999d\"}",
        "{\"draft\":true,\"steps\":[{\"probe\":\"shell\"}],\"expires_at\":\"-9999-01-01T00:00:00Z\"}",
        "{\"journal_id\":\"0000000000000000\"}",
        "{\"text\":\"\"}",
        "{\"secret\":\"\"}",
        "{\"nonce\":\"\u{1F980}\"}",
        "{\"uses\":-1}",
        "{\"uses\":1e400}",
        "{\"site_id\":\"0000000000000000\",\"uses\":4294967296}",
        "{\"site_id\":\"0000000000000000\",\"name\":\"a\"}",
        "{\"client_id\":\"0000000000000000\",\"name\":\"a\"}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    bodies.push(deep.to_string().into_bytes());
    bodies.push(vec![0xff; 100]);
    bodies.push("[".repeat(5_000).into_bytes());
    bodies.push(json!({ "name": "a".repeat(10_000) }).to_string().into_bytes());
    bodies
}

fn nested(depth: usize) -> serde_json::Value {
    (0..depth).fold(json!({}), |inner, _| json!({ "a": inner }))
}

async fn check(world: &Arc<World>, request: Request<Body>, what: &str) {
    let response = world.send(request).await;
    assert!(response.status.as_u16() < 500, "{what}: {response:?}");
    if !response.status.is_success() {
        response.problem();
    }
}

fn request(method: &Method, path: &str, body: Vec<u8>) -> Option<Request<Body>> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", BEARER)
        .header("content-type", "application/json")
        .header("if-match", "\"1\"");
    request.body(Body::from(body)).ok()
}

#[tokio::test(start_paused = true)]
async fn no_body_makes_the_server_fail() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let draft = json!({ "draft": true, "steps": [{ "probe": "shell", "with": { "command": "x" } }] });
    let made = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &draft).await;
    let sequence = made.json()["id"].as_str().unwrap().to_owned();
    for (method, template, _) in operations().into_iter().filter(|(method, ..)| method != Method::GET) {
        let id = if template.contains("/sequences/{id}") { sequence.clone() } else { ENDPOINT.to_string() };
        let path = template.replace("{id}", &id);
        for body in bodies() {
            let what = format!("{method} {path} {:.80}", String::from_utf8_lossy(&body));
            check(&world, request(&method, &path, body).unwrap(), &what).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_path_or_query_makes_the_server_fail() {
    let world = World::new();
    Machine::enrolled(&world).await;
    for (method, template, _) in operations() {
        for id in IDS {
            for query in QUERIES {
                let path = format!("{}{query}", template.replace("{id}", id));
                // The stream of events does not end by itself.
                if path == "/api/v1/events" || path == "/api/v1/events?" {
                    continue;
                }
                let Some(request) = request(&method, &path, b"{}".to_vec()) else { continue };
                check(&world, request, &format!("{method} {path}")).await;
            }
        }
    }
}
