//! Adding a machine, and the codes for it, as a browser without script meets them.

use tidegate_core::keys::{KeyPair, Role};
use tidegate_web::Front;

use crate::machine::Machine;
use crate::pages::{Browser, location, text};
use crate::pages_settings::{HOSTILE, assert_inert, between, field, with_site, with_site_at};
use crate::world::World;

fn asked(site: &str) -> [(&str, &str); 3] {
    [("site", site), ("uses", "2"), ("valid_for", "1d")]
}

#[tokio::test]
async fn a_code_is_shown_once_with_the_commands_that_use_it() {
    let (world, mut owner, site) = with_site_at(Front::new(None, true, |_| true)).await;
    assert!(location(&Browser::new(&world).get("/machines/new").await).starts_with("/sign-in"));
    let chosen = text(&owner.get(&format!("/machines/new?site={site}")).await);
    assert!(chosen.contains(&format!("<option value=\"{site}\" selected>Plant 3")), "{chosen}");
    let answer = owner.submit_from("https://desk.example:8443", "/machines/new", &asked(&site)).await;
    let page = text(&answer);
    assert_eq!(answer.status, 200, "{page}");
    let code = field(&page, "code");
    assert!(code.starts_with("tg1."), "{code}");
    let enrol = format!("sudo tidegate-runtime enrol --server https://desk.example:8443 --code {code}");
    assert_eq!(field(&page, "enrol"), enrol);
    assert_eq!(field(&page, "install"), "sudo tidegate-runtime install");
    assert!(page.contains("2 machines") && page.contains("plant time"), "{page}");
    let secret = code.rsplit('.').next().unwrap();
    assert_eq!(page.matches(secret).count(), 2, "in the command and alone, and in no address");
    for path in ["/machines/new", "/settings/codes", "/machines"] {
        assert!(!text(&owner.get(path).await).contains(secret), "{path}");
    }
}

#[tokio::test]
async fn over_plain_http_the_command_says_so_and_the_page_warns() {
    let (_, mut owner, site) = with_site().await;
    let page = text(&owner.submit("/machines/new", &asked(&site)).await);
    assert!(field(&page, "enrol").ends_with(" --allow-http"), "{page}");
    assert!(page.contains("You reached this page over http"), "{page}");
    let page = text(&owner.submit_from("http://127.0.0.1:8080", "/machines/new", &asked(&site)).await);
    assert!(!page.contains("--allow-http"), "{page}");
}

#[tokio::test]
async fn machines_arrive_on_the_page_that_showed_the_code() {
    let (world, mut owner, site) = with_site().await;
    let page = text(&owner.submit("/machines/new", &asked(&site)).await);
    assert!(page.contains("Arrived: 0 machines"), "{page}");
    let place = between(&page, "hx-get=\"", "\"").replace("&amp;", "&");
    assert!(page.contains("href=\"/machines/new/arrivals?"), "a link does it without script");
    let code = field(&page, "code").parse().unwrap();
    let mut machine = Machine::new(&world);
    machine.keys = KeyPair::from_seed(Role::Endpoint, &[42; 32]);
    assert_eq!(machine.enrol(&code).await.status, 200);
    world.project();
    let arrived = text(&owner.get(&place).await);
    assert!(arrived.contains("Arrived: 1 machine<") && arrived.contains("HMI-07"), "{arrived}");
    assert!(arrived.contains("Enrolled. It checks in for the first time"), "{arrived}");
    let later = place.replace("since=2026", "since=2027");
    assert!(text(&owner.get(&later).await).contains("Arrived: 0 machines"), "older ones are not new");
    let codes = text(&owner.get("/settings/codes").await);
    assert!(codes.contains("1 more machine<"), "{codes}");
}

#[tokio::test]
async fn the_first_client_and_site_are_made_on_the_way() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let page = text(&owner.get("/machines/new").await);
    assert!(page.contains("<details open>") && !page.contains("name=\"site\""), "{page}");
    let mut fields = vec![
        ("client_name", "Nordwerk"),
        ("site_name", "Plant 3"),
        ("time_zone", "Europe/Berln"),
        ("uses", "1"),
        ("valid_for", "7d"),
    ];
    let misspelt = owner.submit("/machines/new", &fields).await;
    assert_eq!(misspelt.status, 400);
    assert!(text(&misspelt).contains("value=\"Plant 3\"") && text(&misspelt).contains("Europe/Berln"));
    assert!(text(&owner.get("/settings/places").await).contains("No clients yet"), "nothing was made");
    fields[2].1 = "";
    let long = "n".repeat(201);
    fields[1].1 = &long;
    let refused = text(&owner.submit("/machines/new", &fields).await);
    let client = between(&refused, "<select name=\"client\">", "</select>");
    assert!(client.contains("selected>Nordwerk"), "what was made is chosen: {client}");
    let client = between(client.split("selected>Nordwerk").next().unwrap(), "a new client", " ").to_owned();
    assert!(!client.is_empty());
    fields[1].1 = "Plant 3";
    assert_eq!(owner.submit("/machines/new", &fields).await.status, 409, "the client is there already");
    fields.remove(0);
    let listed = text(&owner.get("/settings/places").await);
    let id = between(&listed, "action=\"/settings/clients/", "/sites\"").to_owned();
    fields.push(("client", &id));
    let made = owner.submit("/machines/new", &fields).await;
    assert_eq!(made.status, 200, "{}", text(&made));
    assert!(text(&made).contains("Add a machine to Nordwerk › Plant 3"));
}

#[tokio::test]
async fn a_new_site_that_is_named_is_meant_whatever_else_is_chosen() {
    let (_, mut owner, site) = with_site().await;
    let listed = text(&owner.get("/settings/places").await);
    let client = between(&listed, "action=\"/settings/clients/", "/sites\"").to_owned();
    let mut fields = asked(&site).to_vec();
    fields.extend([("client", client.as_str()), ("site_name", "Plant 9"), ("time_zone", "Asia/Tokyo")]);
    let made = text(&owner.submit("/machines/new", &fields).await);
    assert!(made.contains("Add a machine to Nordwerk › Plant 9"), "{made}");
    fields.push(("client_name", "Südwerk"));
    fields[4].1 = "Plant 10";
    let refused = owner.submit("/machines/new", &fields).await;
    assert_eq!(refused.status, 400);
    assert!(text(&refused).contains("a client is chosen and a new one is named"), "{}", text(&refused));
}

#[tokio::test]
async fn a_form_that_cannot_be_is_told_in_words() {
    let (_, mut owner, site) = with_site().await;
    for (fields, wrong) in [
        (vec![("site", "x"), ("uses", "1"), ("valid_for", "1d")], "choose a site from the list"),
        (vec![("uses", "1"), ("valid_for", "1d")], "choose the site that the machines are at"),
        (vec![("site", &site), ("uses", "1001"), ("valid_for", "1d")], "1 to 1000 machines"),
        (vec![("site", &site), ("uses", "-1"), ("valid_for", "1d")], "1 to 1000 machines"),
        (vec![("site", &site), ("uses", "1"), ("valid_for", "soon")], "how long the code is valid"),
        (vec![("site", &site), ("uses", "1"), ("valid_for", "91d")], "90"),
        (vec![("site_name", "Plant 9"), ("uses", "1"), ("valid_for", "1d")], "belongs to a client"),
    ] {
        let answer = owner.submit("/machines/new", &fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(between(&page, "role=\"alert\"", "</p>").contains(wrong), "{page}");
    }
    assert!(text(&owner.get("/settings/codes").await).contains("No codes yet"), "nothing was made");
}

#[tokio::test]
async fn a_code_is_withdrawn_after_a_question_and_not_by_another_site() {
    let (world, mut owner, site) = with_site().await;
    let foreign = owner.submit_from("https://evil.example", "/machines/new", &asked(&site)).await;
    assert_eq!(foreign.status, 403);
    assert!(text(&owner.get("/settings/codes").await).contains("No codes yet"), "nothing was made");
    let page = text(&owner.submit("/machines/new", &asked(&site)).await);
    let code = field(&page, "code").parse().unwrap();
    let codes = text(&owner.get("/settings/codes").await);
    assert!(codes.contains("2 more machines") && codes.contains("owner@example.com"), "{codes}");
    assert!(codes.contains("Nordwerk › Plant 3"), "{codes}");
    let revoke =
        format!("/settings/codes/{}/revoke", between(&codes, "action=\"/settings/codes/", "/revoke"));
    assert_eq!(owner.submit_from("https://evil.example", &revoke, &[]).await.status, 403);
    assert_eq!(location(&owner.submit(&revoke, &[]).await), "/settings/codes");
    let codes = text(&owner.get("/settings/codes").await);
    assert!(codes.contains("used up or withdrawn") && !codes.contains("/revoke"), "{codes}");
    assert_ne!(Machine::new(&world).enrol(&code).await.status, 200);
}

#[tokio::test]
async fn hostile_names_of_places_are_inert_where_a_code_is_made() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    for name in HOSTILE {
        let fields = [("client_name", name), ("site_name", name), ("uses", "1"), ("valid_for", "1h")];
        let made = owner.submit("/machines/new", &fields).await;
        assert_eq!(made.status, 200, "{}", text(&made));
        assert_inert(&text(&made));
    }
    for path in ["/machines/new", "/settings/codes", "/settings/places", "/machines"] {
        assert_inert(&text(&owner.get(path).await));
    }
}
