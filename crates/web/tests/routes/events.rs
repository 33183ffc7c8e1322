//! The stream of hints.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::machine::{ENDPOINT, Machine};
use crate::world::{BEARER, World};

/// The next piece of the stream; `None`: it ended.
async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.unwrap().into_data().unwrap();
    Some(String::from_utf8(frame.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_change_is_a_hint_and_silence_a_comment() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let request = Request::get("http://desk.example/api/v1/events").header("authorization", BEARER);
    let request = request.body(Body::empty()).unwrap();
    let response = tidegate_web::people_router(world.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    let draft = json!({ "draft": true, "steps": [{ "probe": "shell", "with": { "command": "x" } }] });
    world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &draft).await;
    let hint = format!("event: endpoint\ndata: {{\"endpoint_id\":\"{ENDPOINT}\"}}\n\n");
    assert_eq!(next(&mut body).await.unwrap(), hint);
    let began = tokio::time::Instant::now();
    assert_eq!(next(&mut body).await.unwrap(), ":\n\n");
    assert_eq!(began.elapsed(), Duration::from_secs(15));
}
