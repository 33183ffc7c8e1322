//! A disk with little room: what begins waits, what is under way ends. Full ones are in `programs`, on real disks.

use serde_json::json;
use tidegate_server::Server;

use crate::client::Client;
use crate::machine::Machine;
use crate::plane::{Home, enrolment_code};

#[tokio::test]
async fn with_less_room_than_the_reserve_new_work_is_refused_and_the_rest_goes_on() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    let sequences = format!("/api/v1/endpoints/{}/sequences", machine.endpoint.unwrap());
    let work = json!({ "title": "Look", "steps": [{ "probe": "system_info" }] });
    let [first, second] = [owner.post(&sequences, &work).await, owner.post(&sequences, &work).await]
        .map(|answer| answer.expect(201).json());
    drop((owner, line));
    running.shutdown().await;

    let mut options = home.options();
    options.reserve_bytes = u64::MAX / 2;
    let running = Server::start(options).await.unwrap();
    let mut owner = home.owner(&running).await;
    let refused = owner.post(&sequences, &work).await.expect(507).json();
    assert_eq!(refused["code"], "storage_full");
    assert!(refused["detail"].as_str().unwrap().contains("make room"), "{refused}");
    owner.post("/api/v1/clients", &json!({ "name": "Vogel" })).await.expect(507);
    let second = second["id"].as_str().unwrap();
    owner.post(&format!("/api/v1/sequences/{second}/retry"), &json!({})).await.expect(507);

    let cancelled =
        owner.post(&format!("/api/v1/sequences/{second}/cancel"), &json!({})).await.expect(200).json();
    assert_eq!(cancelled["state"], "cancelled");
    let mut line = Client::connect(running.addresses().people, None).await;
    assert_eq!(machine.settle(&mut line).await.len(), 2, "the machine is adopted and offered the first");
    let first =
        owner.get(&format!("/api/v1/sequences/{}", first["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(first["state"], "offered");

    let ready = owner.get("/readyz").await.expect(200).text();
    assert!(ready.contains("low on disk") && ready.contains("free some"), "{ready}");
    running.shutdown().await;
}
