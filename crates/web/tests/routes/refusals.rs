//! What the routers refuse before the core is asked, and how they say so.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::world::{Response, World};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use futures_util::stream;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Method, path and operation of every route in the document.
pub(crate) fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(tidegate_web::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()));
        }
    }
    operations
}

fn with_id(path: &str) -> String {
    let is_sequence = path.contains("/sequences/{id}");
    path.replace("{id}", if is_sequence { "0000000000000000-0000000000000000" } else { "0000000000000000" })
}

async fn get(world: &Arc<World>, path: &str) -> Response {
    world.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(world: &Arc<World>, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_a_problem_with_protecting_headers() {
    let response = get(&World::new(), "/api/v1/nothing").await;
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert_eq!(response.problem().0, "not_found");
    assert_eq!(response.headers["x-content-type-options"], "nosniff");
    assert_eq!(response.headers["cache-control"], "no-store");
    assert!(response.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}

#[tokio::test]
async fn another_method_is_a_problem_that_lists_the_methods() {
    let request = Request::delete("/api/v1/clients").body(Body::empty()).unwrap();
    let response = World::new().send(request).await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.problem().0, "method_not_allowed");
    let allow = response.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn every_documented_route_exists_on_its_own_router_alone() {
    let world = World::new();
    for (method, path, _) in operations() {
        let path = with_id(&path);
        let uri = format!("http://desk.example{path}");
        let request = || Request::builder().method(&method).uri(&uri).body(Body::empty()).unwrap();
        let people = tidegate_web::people_router(world.clone()).oneshot(request()).await.unwrap();
        let runtime = tidegate_web::runtime_router(world.clone()).oneshot(request()).await.unwrap();
        let (own, other) = if path.starts_with("/runtime/") { (runtime, people) } else { (people, runtime) };
        assert_ne!(own.status(), StatusCode::NOT_FOUND, "{method} {path}");
        assert_ne!(own.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(other.status(), StatusCode::NOT_FOUND, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_for_people_wants_a_token_before_anything_else() {
    let world = World::new();
    for (method, path, operation) in operations() {
        if operation["security"].is_null() {
            continue;
        }
        let path = with_id(&path);
        for authorization in ["", "Basic YTpi", "Bearer", "Bearer a b"] {
            let request =
                Request::builder().method(&method).uri(&path).header("authorization", authorization);
            let response = world.send(request.body(Body::from("not json")).unwrap()).await;
            assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{method} {path} {authorization}");
            assert_eq!(response.problem().0, "unauthenticated");
            assert_eq!(response.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_place_of_the_error() {
    let world = World::new();
    let json = [("content-type", "application/json")];
    let broken = post(&world, "/api/v1/sign-in", &json, "{\"secret\": \n oops}").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert!(broken.problem().1.contains("line 2"), "{broken:?}");
    let unknown = post(&world, "/api/v1/sign-in", &json, "{\"secret\": \"a\", \"more\": 1}").await;
    assert!(unknown.problem().1.contains("`more`"), "{unknown:?}");
    let deep = post(&world, "/api/v1/sign-in", &json, "[".repeat(10_000)).await;
    assert_eq!(deep.problem().0, "invalid_request");
    for headers in [&[][..], &[("content-type", "text/plain")]] {
        let other = post(&world, "/api/v1/sign-in", headers, "{\"secret\": \"a\"}").await;
        assert_eq!(other.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(other.problem().0, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_body_past_its_bound_is_refused_whether_it_says_so_or_not() {
    let world = World::new();
    let json = [("content-type", "application/json")];
    let huge = post(&world, "/api/v1/sign-in", &json, "a".repeat(17 * 1024)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(huge.problem().0, "too_large");
    let announced = [json[0], ("content-length", "17000")];
    let promised = post(&world, "/api/v1/sign-in", &announced, "").await;
    assert_eq!(promised.status, StatusCode::PAYLOAD_TOO_LARGE);
    // A stream announces nothing; it is cut at the bound, whatever would follow.
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let endless = post(&world, "/api/v1/sign-in", &json, Body::from_stream(chunks)).await;
    assert_eq!(endless.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn unknown_query_parameters_are_refused() {
    let world = World::new();
    assert_eq!(get(&world, "/api/openapi.json?format=yaml").await.problem().0, "invalid_request");
    let json = [("content-type", "application/json")];
    let response = post(&world, "/api/v1/sign-in?secret=a", &json, "{\"secret\":\"a\"}").await;
    assert_eq!(response.problem().0, "invalid_request");
}

#[tokio::test]
async fn a_sync_that_is_compressed_wrongly_or_too_well_is_refused() {
    let world = World::new();
    let bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![b' '; 32 * 1024 * 1024]).unwrap();
        encoder.finish().unwrap()
    };
    assert!(bomb.len() < 64 * 1024);
    let response = post(&world, "/runtime/v1/sync", &[("content-encoding", "gzip")], bomb).await;
    assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.problem().0, "too_large");
    for (encoding, status) in [("br", 415), ("gzip", 400), ("deflate", 400), ("gzip, gzip", 415)] {
        let response = post(&world, "/runtime/v1/sync", &[("content-encoding", encoding)], "{}").await;
        assert_eq!(response.status.as_u16(), status, "{encoding}");
        response.problem();
    }
    let plain = post(&world, "/runtime/v1/sync", &[("content-type", "text/html")], "{}").await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn what_does_not_read_as_a_message_of_an_endpoint_is_refused() {
    let world = World::new();
    for path in ["/runtime/v1/sync", "/runtime/v1/enrol"] {
        for body in ["", "{}", "null", "[]", "\u{0}", "{\"signed\": 1}"] {
            let response = post(&world, path, &[], body).await;
            assert_eq!(response.status, StatusCode::BAD_REQUEST, "{path} {body}");
            response.problem();
        }
    }
    let envelope =
        json!({ "payloadType": "application/vnd.tidegate.order.v2+json", "payload": "", "signatures": [] });
    let response = post(&world, "/runtime/v1/enrol", &[], envelope.to_string()).await;
    assert!(response.problem().1.contains("no request to enrol"), "{response:?}");
}

#[tokio::test]
async fn a_request_over_the_limit_says_when_to_come_back() {
    let world = World::new();
    world.is_closed.store(true, Ordering::Relaxed);
    let response = get(&world, "/api/v1/me").await;
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.problem().0, "rate_limited");
    assert_eq!(response.headers["retry-after"], "7");
}

#[tokio::test]
async fn a_panic_is_a_problem_that_says_nothing_of_it() {
    let world = World::new();
    world.is_broken.store(true, Ordering::Relaxed);
    let response = world.open(Method::POST, "/api/v1/sign-in", &json!({ "secret": "a" })).await;
    assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
    let (code, detail) = response.problem();
    assert_eq!(code, "internal");
    assert!(!detail.contains("broken"), "{detail}");
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let response = get(&World::new(), "/api/openapi.json").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.json(), serde_json::to_value(tidegate_web::document()).unwrap());
}
