//! Two machines of one site under one name: what people, scripts and the machine itself are told.

use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_core::id::EndpointId;
use tidegate_core::keys::{KeyPair, Role};

use crate::machine::{ENDPOINT, Machine};
use crate::pages::{Browser, text};
use crate::pages_settings::{field, with_site};
use crate::world::World;

const OTHER: EndpointId = EndpointId::from_bytes([7; 10]);

/// A world with two machines of one site: `HMI-07`, and another under this name.
async fn twins(name: &str) -> (Arc<World>, Browser) {
    let world = World::new();
    Machine::enrolled(&world).await;
    Machine::enrolled_as(&world, OTHER, 9).await;
    rename(&world, OTHER, name).await;
    let browser = Browser::signed_in(&world).await;
    (world, browser)
}

async fn view(world: &Arc<World>, endpoint: EndpointId) -> Value {
    world.get(&format!("/api/v1/endpoints/{endpoint}")).await.json()
}

async fn rename(world: &Arc<World>, endpoint: EndpointId, name: &str) {
    let revision = view(world, endpoint).await["revision"].to_string();
    let place = format!("/api/v1/endpoints/{endpoint}");
    let renamed = world.patch(&place, Some(&format!("\"{revision}\"")), &json!({ "name": name })).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    while world.project() > 0 {}
}

#[tokio::test]
async fn two_machines_of_one_name_are_told_on_both_pages_and_in_every_list_with_a_link_to_the_other() {
    let (world, mut browser) = twins("hmi-07").await;
    for (one, other) in [(ENDPOINT, OTHER), (OTHER, ENDPOINT)] {
        for place in ["", "/transcript"] {
            let page = text(&browser.get(&format!("/machines/{one}{place}")).await);
            assert!(page.contains("!\u{a0}Another machine has this name"), "{page}");
        }
        let page = text(&browser.get(&format!("/machines/{one}")).await);
        assert!(page.contains("another machine at this site has the same name"), "{page}");
        assert!(page.contains(&format!("href=\"/machines/{other}\"")), "{page}");
        let view = view(&world, one).await;
        assert_eq!(view["same_name"][0]["id"], other.to_string(), "{view}");
        assert_eq!(view["attention"][0]["code"], "same_name", "{view}");
    }
    for list in ["/machines", "/"] {
        let page = text(&browser.get(list).await);
        assert_eq!(page.matches("another machine at this site has the same name").count(), 2, "{page}");
    }
    let listed = world.get("/api/v1/endpoints").await.json();
    let others: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|it| &it["same_name"][0]["id"]).collect();
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|id| id.is_string()), "{listed}");
}

#[tokio::test]
async fn a_new_name_clears_the_warning_everywhere() {
    let (world, mut browser) = twins("HMI-07").await;
    assert!(text(&browser.get("/machines").await).contains("the same name"));
    rename(&world, OTHER, "hmi-of-the-new-line").await;
    for page in ["/", "/machines", &format!("/machines/{ENDPOINT}"), &format!("/machines/{OTHER}")] {
        let page = text(&browser.get(page).await);
        assert!(!page.contains("same name") && !page.contains("has this name"), "{page}");
    }
    assert_eq!(view(&world, OTHER).await.get("same_name"), None);
}

#[tokio::test]
async fn a_machine_that_enrols_under_a_taken_name_is_told_so_and_arrivals_and_audit_log_say_it() {
    let (world, mut browser, site) = with_site().await;
    let made = browser.submit("/machines/new", &[("site", &site), ("uses", "2"), ("valid_for", "1d")]).await;
    let code = field(&text(&made), "code").parse().unwrap();
    let first = Machine::new(&world).enrol(&code).await.json();
    assert_eq!(first.get("same_name"), None, "{first}");
    while world.project() > 0 {}
    let mut second = Machine::new(&world);
    second.keys = KeyPair::from_seed(Role::Endpoint, &[9; 32]);
    let second = second.enrol(&code).await.json();
    assert_eq!(second["same_name"], json!([first["endpoint"]]), "it is enrolled all the same: {second}");
    while world.project() > 0 {}
    let arrivals = format!("/machines/new/arrivals?site={site}&since=2020-01-01T00:00:00Z");
    let arrivals = text(&browser.get(&arrivals).await);
    assert_eq!(arrivals.matches("another machine at this site has the same name").count(), 2, "{arrivals}");
    let audit = text(&browser.get("/settings/audit").await);
    let said = format!("which has the name of machine {}", first["endpoint"].as_str().unwrap());
    assert_eq!(audit.matches(&said).count(), 1, "{audit}");
}
