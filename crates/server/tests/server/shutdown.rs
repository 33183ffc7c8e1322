//! How a server ends.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use hyper::Method;
use serde_json::json;
use tidegate_server::Server;

use crate::client::Client;
use crate::flow::{metric, until};
use crate::machine::Machine;
use crate::plane::{Home, enrolment_code};

#[tokio::test]
async fn held_syncs_and_streams_are_answered_at_once() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    machine.settle(&mut line).await;
    let idle = machine.idle(Duration::from_secs(240));
    let held = tokio::spawn(async move { line.send(Method::POST, "/runtime/v1/sync", idle).await });
    let mut listener = home.owner(&running).await;
    let stream = tokio::spawn(async move { listener.get("/api/v1/events").await });
    until(async || metric(&mut owner, "tidegate_syncs_held").await == 1.0).await;
    let began = Instant::now();
    running.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    held.await.unwrap().expect(204);
    stream.await.unwrap().expect(200);
    assert!(owner.try_send(Method::GET, "/healthz", Bytes::new()).await.is_err(), "the connection is closed");
}

#[tokio::test]
async fn what_wanswered_with_is_there_after_a_restart_and_the_log_is_empty() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    owner.post("/api/v1/clients", &json!({ "name": "Hartmann" })).await.expect(201);
    running.shutdown().await;
    let log = std::fs::metadata(home.data().join("tidegate.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
    let running = home.serve().await;
    let listed = home.owner(&running).await.get("/api/v1/clients").await.expect(200).json();
    assert_eq!(listed["items"][0]["name"], "Hartmann");
    running.shutdown().await;
}

#[tokio::test]
async fn a_data_directory_that_is_served_is_refused_to_others_and_free_afterwards() {
    let home = Home::new();
    let running = home.serve().await;
    let refused = Server::start(home.options()).await.err().unwrap();
    assert!(format!("{refused:#}").contains("is in use: another tidegate is running on it"), "{refused:#}");
    running.shutdown().await;
    home.serve().await.shutdown().await;
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let [first, second] = [Home::new(), Home::new()];
    let running = first.serve().await;
    let taken = running.addresses().people;
    let options = tidegate_server::ServeOptions { listen: taken, ..second.options() };
    let refused = Server::start(options).await.err().unwrap();
    let text = refused.to_string();
    assert_eq!(text, format!("failed to listen on `{taken}`: another program listens there already"));
    running.shutdown().await;
}
