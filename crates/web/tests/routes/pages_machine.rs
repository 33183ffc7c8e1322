//! A machine's page, its transcript and how it leaves, as a browser without script meets them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, FIRST, Machine};
use crate::pages::{Browser, location, text};
use crate::pages_settings::{field, with_site};
use crate::world::World;

async fn opened() -> (Arc<World>, Machine, Browser) {
    let world = World::new();
    let machine = Machine::enrolled(&world).await;
    world.project();
    let browser = Browser::signed_in(&world).await;
    (world, machine, browser)
}

/// A machine that enrolled into a site in Berlin's time zone, with the ids of both.
async fn placed() -> (Arc<World>, Browser, String, String) {
    let (world, mut browser, site) = with_site().await;
    let made = browser.submit("/machines/new", &[("site", &site), ("uses", "1"), ("valid_for", "1d")]).await;
    let code = field(&text(&made), "code").parse().unwrap();
    assert_eq!(Machine::new(&world).enrol(&code).await.status, 200);
    world.project();
    let listed = world.get("/api/v1/endpoints").await.json();
    let endpoint = listed["items"][0]["id"].as_str().unwrap().to_owned();
    (world, browser, site, endpoint)
}

fn place(rest: &str) -> String {
    format!("/machines/{ENDPOINT}{rest}")
}

async fn noted(world: &Arc<World>, note: &str) {
    let path = format!("/api/v1/endpoints/{ENDPOINT}/notes");
    assert_eq!(world.post(&path, &json!({ "text": note })).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn contacts_are_drawn_by_day_and_said_in_words() {
    let (_, mut machine, mut browser) = opened().await;
    let before = text(&browser.get(&place("")).await);
    assert_eq!(before.matches("<svg").count(), 7, "{before}");
    assert!(!before.contains("class=\"heard\""), "it was never heard: {before}");
    machine.sync(FIRST).await;
    tokio::time::advance(std::time::Duration::from_secs(7_200)).await;
    let after = text(&browser.get(&place("")).await);
    assert!(after.contains("Nothing was heard of it since <time"), "{after}");
    assert!(after.contains("The last 7 days") && after.contains("role=\"img\" aria-label=\""), "{after}");
    assert!(!after.contains("style=\""), "{after}");
}

#[tokio::test]
async fn the_transcript_is_read_newest_first_and_page_by_page() {
    let (world, _, mut browser) = opened().await;
    for number in 1..=120 {
        noted(&world, &format!("note {number}: <script>alert(1)</script>\u{202e}")).await;
    }
    let page = text(&browser.get(&place("/transcript")).await);
    assert_eq!(page.matches("data-label=\"What\"").count(), 100, "{page}");
    let (newest, older) = (page.find("note 120:").unwrap(), page.find("note 119:").unwrap());
    assert!(newest < older, "{page}");
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("owner@example.com") && page.contains("<strong>noted</strong>"), "{page}");
    assert!(!page.contains(">The newest<"), "{page}");
    let next = page.split("href=\"").find(|rest| rest.contains("rel=\"next\"")).unwrap();
    let next = next.split('"').next().unwrap();
    let last = text(&browser.get(next).await);
    assert!(last.contains("enrolled") && last.contains("note 1:") && !last.contains("note 120:"), "{last}");
    assert!(last.contains(">The newest<") && !last.contains("rel=\"next\""), "{last}");
    let shown = page.matches("data-label=\"What\"").count() + last.matches("data-label=\"What\"").count();
    let path = format!("/api/v1/endpoints/{ENDPOINT}/transcript?limit=500");
    let all = world.get(&path).await.json()["items"].as_array().unwrap().len();
    assert_eq!(shown, all, "none twice and none missing");
    for wrong in ["?before=x", "?before=-1", "?sequence=zz", "?after=3"] {
        assert_eq!(browser.get(&place(&format!("/transcript{wrong}"))).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn one_entry_of_the_transcript_is_a_page_with_its_whole_body() {
    let (world, _, mut browser) = opened().await;
    noted(&world, &format!("{}<script>alert(1)</script>", "x".repeat(9_000))).await;
    let path = format!("/api/v1/endpoints/{ENDPOINT}/transcript?limit=500");
    let all = world.get(&path).await.json()["items"].as_array().unwrap().len();
    let page = text(&browser.get(&place(&format!("/transcript/{all}"))).await);
    assert!(page.contains(&"x".repeat(9_000)) && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("owner@example.com") && page.contains(&place(&format!("/transcript/{}", all - 1))));
    let among = format!("/transcript?before={}", all + 1);
    assert!(page.contains(&format!("href=\"{}#entry-{all}\"", place(&among))), "{page}");
    assert!(text(&browser.get(&place(&among)).await).contains(&format!("id=\"entry-{all}\"")));
    for absent in ["0", "4000", "x"] {
        assert_eq!(browser.get(&place(&format!("/transcript/{absent}"))).await.status, 404, "{absent}");
    }
}

#[tokio::test]
async fn the_transcript_of_one_sequence_has_nothing_else() {
    let (world, _, mut browser) = opened().await;
    let spec = json!({ "steps": [{ "probe": "shell", "with": { "command": "true" } }] });
    let made = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &spec).await.json();
    noted(&world, "about the machine").await;
    let id = made["id"].as_str().unwrap();
    let page = text(&browser.get(&place(&format!("/transcript?sequence={id}"))).await);
    assert!(page.contains("queued") && !page.contains("about the machine"), "{page}");
    assert!(text(&browser.get(&place("/transcript")).await).contains("about the machine"));
}

#[tokio::test]
async fn the_whole_record_is_downloaded_with_the_session_alone() {
    let (world, _, mut browser) = opened().await;
    let stranger = Browser::new(&world).get(&place("/transcript/file")).await;
    assert!(location(&stranger).starts_with("/sign-in"), "{stranger:?}");
    let file = browser.get(&place("/transcript/file")).await;
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename="));
    let of_api = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/export")).await;
    // The first line is signed at another moment.
    let entries = |bytes: &[u8]| String::from_utf8_lossy(bytes).split_once('\n').unwrap().1.to_owned();
    assert!(!entries(&file.bytes).is_empty());
    assert_eq!(entries(&file.bytes), entries(&of_api.bytes));
}

#[tokio::test]
async fn a_machine_is_retired_and_then_revoked_with_words_before_each() {
    let (world, _, mut browser) = opened().await;
    let page = text(&browser.get(&place("")).await);
    for words in ["stops and removes itself", "is believed", "This cannot be undone"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let retired = browser.submit(&place("/retire"), &[]).await;
    assert_eq!(location(&retired), place(""));
    let page = text(&browser.get(&place("")).await);
    assert!(page.contains("Retired") && !page.contains(&place("/retire")), "{page}");
    assert!(page.contains(&place("/revoke")), "{page}");
    assert_eq!(location(&browser.submit(&place("/revoke"), &[]).await), place(""));
    let page = text(&browser.get(&place("")).await);
    assert!(page.contains("Revoked") && !page.contains(&place("/revoke")), "{page}");
    assert_eq!(browser.submit(&place("/retire"), &[]).await.status, 409);
    let record: Value = world.get(&format!("/api/v1/endpoints/{ENDPOINT}/transcript")).await.json();
    let entries = record["items"].as_array().unwrap();
    let by_person: Vec<_> = entries
        .iter()
        .filter(|entry| entry["actor"] == "owner@example.com")
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .collect();
    assert!(by_person.ends_with(&["retired".to_owned(), "revoked".to_owned()]), "{by_person:?}");
}

#[tokio::test]
async fn nobody_ends_a_machine_from_another_site_or_without_a_session() {
    let (world, _, mut browser) = opened().await;
    for act in ["/retire", "/revoke"] {
        let foreign = browser.submit_from("https://evil.example", &place(act), &[]).await;
        assert_eq!(foreign.status, 403, "{act}");
        assert!(location(&Browser::new(&world).submit(&place(act), &[]).await).starts_with("/sign-in"));
    }
    let state = world.get(&format!("/api/v1/endpoints/{ENDPOINT}")).await.json();
    assert_eq!(state["state"], "active");
}

#[tokio::test]
async fn a_step_is_compared_where_there_is_one() {
    let (world, _, mut browser) = opened().await;
    let spec = json!({ "steps": [{ "probe": "shell", "with": { "command": "true" } }] });
    let made = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &spec).await.json();
    let steps = format!("/sequences/{}/steps", made["id"].as_str().unwrap());
    let page = text(&browser.get(&format!("{steps}/1/previous")).await);
    assert!(page.contains("has not run here before"), "{page}");
    for wrong in ["0", "2", "x", "4294967296"] {
        assert_eq!(browser.get(&format!("{steps}/{wrong}/previous")).await.status, 404, "{wrong}");
    }
    assert_eq!(browser.get("/sequences/x/steps/1/previous").await.status, 404);
}

#[tokio::test]
async fn a_night_is_told_on_the_clock_of_each_plant() {
    let (world, mut browser, _, endpoint) = placed().await;
    let spec = json!({ "steps": [{ "probe": "shell", "with": { "command": "true" } }] });
    world.post(&format!("/api/v1/endpoints/{endpoint}/sequences"), &spec).await;
    world.project();
    let night = world.get("/api/v1/overnight").await.json();
    assert_eq!(night["waiting"]["items"][0]["machine"]["time_zone"], "Europe/Berlin");
    let page = text(&browser.get("/").await);
    let (_, card) = page.split_once("Still waiting").unwrap();
    assert!(card.contains("title=\"15:03:") && card.contains(" plant time · 2026-11-23 14:03:"), "{card}");
}

#[tokio::test(start_paused = true)]
async fn what_its_site_plans_is_drawn_and_stands_beside_what_waits() {
    let (world, mut browser, site, endpoint) = placed().await;
    let place = format!("/machines/{endpoint}");
    let unplanned = text(&browser.get(&place).await);
    assert!(unplanned.contains("No maintenance window is planned for its site."), "{unplanned}");
    assert!(!unplanned.contains("class=\"planned\""), "{unplanned}");
    assert!(unplanned.contains("It was never heard."), "{unplanned}");

    let plan = json!({ "windows": ["Mon-Tue 17:00-17:12"] });
    let edited = world.patch(&format!("/api/v1/sites/{site}"), None, &plan).await;
    assert_eq!((edited.status, &edited.json()["windows"]), (200.try_into().unwrap(), &plan["windows"]));
    let spec = json!({ "steps": [{ "probe": "shell", "with": { "command": "true" } }] });
    world.post(&format!("/api/v1/endpoints/{endpoint}/sequences"), &spec).await;
    let planned = text(&browser.get(&place).await);
    assert_eq!(planned.matches("class=\"planned\"").count(), 2, "Tuesday and Monday: {planned}");
    assert_eq!(planned.matches("The next maintenance window opens <time").count(), 2, "{planned}");
    assert!(planned.contains(">Mon 23 Nov 17:00 plant time</time>, for 12 min."), "{planned}");

    tokio::time::advance(std::time::Duration::from_secs(4 * 3_600)).await;
    let missed = text(&browser.get(&place).await);
    assert!(missed.contains("It was reached in 0 of 1 window that is over."), "{missed}");
    assert!(missed.contains("Missed last: <time"), "{missed}");
    assert!(missed.contains(">Tue 24 Nov 17:00 plant time</time>"), "{missed}");

    for odd in [json!(["Mon"]), json!([7]), json!("Mon 01:00-02:00"), json!(vec!["daily 01:00-02:00"; 15])] {
        let refused = world.patch(&format!("/api/v1/sites/{site}"), None, &json!({ "windows": odd })).await;
        assert_eq!(refused.status, 400, "{odd}");
    }
}
