//! From a fresh data directory to an order on a machine.

use std::time::Duration;

use serde_json::json;
use tidegate_core::wire::OrderKind;

use hyper::Method;

use crate::client::Client;
use crate::machine::{Machine, believed};
use crate::plane::{Home, enrolment_code};

const HOLD: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_queued_reaches_a_machine_that_waits() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    assert!(matches!(machine.settle(&mut line).await[..], [OrderKind::Adopt { .. }]));

    let idle = machine.idle(HOLD);
    let held = tokio::spawn(async move {
        let response = line.send(Method::POST, "/runtime/v1/sync", idle).await;
        (line, response)
    });
    let endpoint = machine.endpoint.unwrap();
    let path = format!("/api/v1/endpoints/{endpoint}");
    until(async || metric(&mut owner, "tidegate_syncs_held").await == 1.0).await;
    assert_eq!(owner.get(&path).await.expect(200).json()["reachability"], "reachable");

    let work = json!({ "title": "Look", "steps": [{ "probe": "system_info" }] });
    let sequence = owner.post(&format!("{path}/sequences"), &work).await.expect(201).json();
    let (mut line, response) = held.await.unwrap();
    let answer = believed(&response);
    let order: tidegate_core::wire::Order = answer.offered[0].order.peek().unwrap();
    assert!(matches!(order.order, OrderKind::Run { sequence: id, .. } if sequence["id"] == id.to_string()));
    assert!(machine.settle(&mut line).await.iter().any(|order| matches!(order, OrderKind::Run { .. })));

    let listed = async || {
        let mut owner = home.owner(&running).await;
        let endpoints = owner.get("/api/v1/endpoints?q=hmi").await.expect(200).json();
        let sequences = owner.get("/api/v1/sequences").await.expect(200).json();
        endpoints["items"][0]["id"] == endpoint.to_string()
            && sequences["items"][0]["id"] == sequence["id"]
            && sequences["items"][0]["state"] == "offered"
    };
    until(listed).await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_sign_in_link_works_once() {
    let home = Home::new();
    let running = home.serve().await;
    let (place, secret) = home.sign_in_link.split_once('#').unwrap();
    assert_eq!(place, "http://127.0.0.1:8080/sign-in");
    let mut anybody = Client::connect(running.addresses().people, None).await;
    let signed_in = anybody.post("/api/v1/sign-in", &json!({ "secret": secret })).await;
    let token = signed_in.expect(201).json()["token"].as_str().unwrap().to_owned();
    let mut owner = Client::connect(running.addresses().people, Some(&token)).await;
    assert_eq!(owner.get("/api/v1/me").await.expect(200).json()["email"], crate::plane::EMAIL);
    let again = anybody.post("/api/v1/sign-in", &json!({ "secret": secret })).await;
    assert!(again.status.is_client_error(), "{}", again.text());
    running.shutdown().await;
}

#[tokio::test]
async fn runtimes_can_have_a_listener_of_their_own() {
    let home = Home::new();
    let options =
        tidegate_server::ServeOptions { runtime_listen: Some(crate::plane::free_port()), ..home.options() };
    let running = tidegate_server::Server::start(options).await.unwrap();
    let mut people = home.owner(&running).await;
    let mut runtimes = Client::connect(running.addresses().runtime.unwrap(), Some(&home.token)).await;
    people.get("/api/v1/me").await.expect(200);
    people.get("/metrics").await.expect(200);
    people.post("/runtime/v1/time", &json!({ "nonce": "0123456789abcdef" })).await.expect(404);
    runtimes.post("/runtime/v1/time", &json!({ "nonce": "0123456789abcdef" })).await.expect(200);
    runtimes.get("/healthz").await.expect(200);
    runtimes.get("/api/v1/me").await.expect(404);
    runtimes.get("/metrics").await.expect(404);
    runtimes.get("/readyz").await.expect(404);
    running.shutdown().await;
}

#[tokio::test]
async fn what_was_heard_outlives_a_restart() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    machine.settle(&mut line).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let idle = machine.idle(Duration::ZERO);
    line.send(Method::POST, "/runtime/v1/sync", idle).await.expect(204);
    let path = format!("/api/v1/endpoints/{}", machine.endpoint.unwrap());
    let before = owner.get(&path).await.expect(200).json();
    running.shutdown().await;

    let running = home.serve().await;
    let after = home.owner(&running).await.get(&path).await.expect(200).json();
    assert_eq!(after["last_seen_at"], before["last_seen_at"]);
    assert_eq!(after["reachability"], "reachable");
    running.shutdown().await;
}

/// A figure without labels.
pub(crate) async fn metric(client: &mut Client, name: &str) -> f64 {
    let text = client.get("/metrics").await.expect(200).text();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no `{name}` in {text}")).split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits until something comes to be, for ten seconds at most.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come to be within ten seconds");
}
