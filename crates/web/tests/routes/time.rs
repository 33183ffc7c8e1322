//! The time as an endpoint believes it.

use crate::world::World;
use axum::http::{Method, StatusCode};
use serde_json::json;
use tidegate_core::wire::{Authority, TimeAnswer, TimeStatement};
use tidegate_web::{Host as _, RouteClass};

#[tokio::test(start_paused = true)]
async fn the_time_is_bound_to_the_nonce_by_a_key_that_the_root_key_certified() {
    let world = World::new();
    let nonce = "0123456789abcdef";
    let response = world.open(Method::POST, "/runtime/v1/time", &json!({ "nonce": nonce })).await;
    assert_eq!(response.status, StatusCode::OK);
    let answer: TimeAnswer = serde_json::from_slice(&response.bytes).unwrap();
    assert_eq!(answer.root, world.root());
    let authority = Authority { root: answer.root, certificate: answer.authority };
    let statement_key = authority.open().unwrap().statement_key;
    let statement: TimeStatement = answer.time.open(&statement_key).unwrap();
    assert_eq!(statement.nonce, nonce);
    assert_eq!(statement.at, world.now());
    assert_eq!(*world.answered.lock().unwrap(), [(RouteClass::Time, 200)]);
    assert!(!response.headers.contains_key("content-security-policy"), "bytes of runtimes are metered");
}

#[tokio::test]
async fn a_nonce_that_is_too_short_or_too_long_is_refused() {
    let world = World::new();
    for nonce in ["", "0123456789abcde", &"0".repeat(65)] {
        let response = world.open(Method::POST, "/runtime/v1/time", &json!({ "nonce": nonce })).await;
        assert_eq!(response.problem().0, "invalid_request", "{nonce}");
    }
}
