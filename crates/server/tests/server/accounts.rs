//! People on a served control plane: what outlives them, and what is recorded of them.

use hyper::Method;
use serde_json::{Value, json};
use tidegate_server::admin::create_sign_in_link;

use crate::client::Client;
use crate::flow::until;
use crate::machine::Machine;
use crate::plane::{EMAIL, Home, enrolment_code};

/// Ben, invited and signed in with a token of his own; his id.
async fn ben(owner: &mut Client, home: &Home, running: &tidegate_server::Running) -> (Client, String) {
    let invited =
        owner.post("/api/v1/people", &json!({ "email": "ben@msp.example" })).await.expect(201).json();
    let mut anybody = home.anybody(running).await;
    let secret = json!({ "secret": invited["sign_in_secret"] });
    let signed_in = anybody.post("/api/v1/sign-in", &secret).await.expect(201).json();
    let ben = Client::connect(running.addresses().people, signed_in["token"].as_str()).await;
    (ben, invited["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn unsent_work_of_whoever_is_deactivated_is_held_and_another_person_releases_it() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    let mut machine = Machine::new(1);
    machine.enrol(&mut line, &enrolment_code(&mut owner).await).await;
    machine.settle(&mut line).await;
    let (mut ben, id) = ben(&mut owner, &home, &running).await;
    let queue = format!("/api/v1/endpoints/{}/sequences", machine.endpoint.unwrap());
    let work = json!({ "title": "Of Ben", "steps": [{ "probe": "system_info" }] });
    let of_ben = ben.post(&queue, &work).await.expect(201).json();
    let of_kim =
        owner.post(&queue, &json!({ "title": "Of Kim", "steps": work["steps"] })).await.expect(201).json();
    owner.post(&format!("/api/v1/people/{id}/deactivate"), &json!({})).await.expect(200);
    let place = |work: &Value| format!("/api/v1/sequences/{}", work["id"].as_str().unwrap());
    until(async || owner.get(&place(&of_ben)).await.json()["state"] == "held").await;
    let held = owner.get(&place(&of_ben)).await.json();
    assert_eq!(held["waiting"]["cause"], "person_deactivated", "{held}");
    assert_eq!(owner.get(&place(&of_kim)).await.json()["state"], "queued");
    assert_eq!(ben.post(&queue, &work).await.status, 401);
    owner.post(&format!("/api/v1/people/{id}/reactivate"), &json!({})).await.expect(200);
    assert_eq!(owner.get(&place(&of_ben)).await.json()["state"], "held", "reactivation releases nothing");
    owner.post(&format!("{}/release", place(&of_ben)), &json!({})).await.expect(200);
    let sent = machine.settle(&mut line).await;
    assert_eq!(sent.len(), 2, "{sent:?}");
    running.shutdown().await;
}

#[tokio::test]
async fn refused_sign_ins_are_in_the_audit_log_after_a_restart_and_the_log_is_for_owners() {
    let home = Home::new();
    let running = home.serve().await;
    let mut anybody = home.anybody(&running).await;
    for _ in 0..3 {
        anybody.post("/api/v1/sign-in", &json!({ "secret": "tgp_wrong" })).await.expect(401);
    }
    assert_eq!(anybody.get("/api/v1/audit").await.status, 401);
    // The last minute is stored as the server stops.
    running.shutdown().await;
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let log = owner.get("/api/v1/audit?order=newest&limit=5").await.expect(200).json();
    let refused = log["items"].as_array().unwrap().iter().find(|entry| entry["kind"] == "sign_in_refused");
    let body = &refused.unwrap_or_else(|| panic!("{log}"))["body"];
    assert_eq!(
        (&body["count"], &body["with"], &body["address"]),
        (&json!(3), &json!("link"), &json!("127.0.0.1"))
    );
    running.shutdown().await;
}

#[tokio::test]
async fn a_link_that_an_operator_makes_signs_its_person_in_also_while_the_directory_is_served() {
    let home = Home::new();
    let running = home.serve().await;
    let link = create_sign_in_link(&home.data(), EMAIL, "https://tg.example/").unwrap();
    let secret = link.strip_prefix("https://tg.example/sign-in#").unwrap();
    let mut anybody = home.anybody(&running).await;
    let token = anybody.post("/api/v1/sign-in", &json!({ "secret": secret })).await.expect(201).json();
    assert_eq!(token["email"], EMAIL);
    assert!(create_sign_in_link(&home.data(), "nobody@msp.example", "https://tg.example").is_err());
    running.shutdown().await;
}

#[tokio::test]
async fn the_last_use_of_a_token_is_shown_and_costs_no_write_each_time() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let tokens = async |owner: &mut Client| owner.get("/api/v1/tokens").await.expect(200).json();
    let listed = tokens(&mut owner).await;
    let today = &listed["items"][0]["last_used_on"];
    assert!(today.is_string(), "{listed}");
    let commits = async |owner: &mut Client| {
        let metrics = owner.send(Method::GET, "/metrics", Default::default()).await.text();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("tidegate_commit_duration_seconds_count"))
            .map(str::to_owned);
        line.unwrap_or_else(|| panic!("no count of commits in {metrics}"))
    };
    let before = commits(&mut owner).await;
    for _ in 0..50 {
        tokens(&mut owner).await;
    }
    assert_eq!(commits(&mut owner).await, before, "reading writes nothing");
    running.shutdown().await;
}
