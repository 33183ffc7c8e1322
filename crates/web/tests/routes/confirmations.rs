//! A browser whose person went away: it is asked who they are before a sensitive act, and then carries on.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate_web::{Host as _, RouteClass};

use crate::machine::{ENDPOINT, Machine};
use crate::pages::{Browser, location, text};
use crate::pages_settings::{between, field};
use crate::world::{Response, World, owner};

const PASSWORD: &str = "correct horse battery";

/// A form of a sensitive act: where it is sent, what it holds, and what shows that it was done.
struct Deed {
    path: String,
    fields: Vec<(&'static str, &'static str)>,
    shown_at: String,
    shown_by: fn(&Value) -> bool,
}

/// Every form of a sensitive act but the password's, which asks by itself.
async fn deeds(world: &Arc<World>) -> Vec<Deed> {
    Machine::enrolled_as(world, ENDPOINT, 100).await;
    let ben = world.post("/api/v1/people", &json!({ "email": "ben@example.com" })).await.json();
    let cleo = world.post("/api/v1/people", &json!({ "email": "cleo@example.com" })).await.json();
    let of_person =
        |person: &Value, act: &str| format!("/settings/people/{}/{act}", person["id"].as_str().unwrap());
    world.post(&format!("/api/v1/people/{}/deactivate", cleo["id"].as_str().unwrap()), &json!({})).await;
    let token = world.post("/api/v1/tokens", &json!({ "name": "doomed" })).await.json();
    let machine = format!("/api/v1/endpoints/{ENDPOINT}");
    let deed = |path: String, fields: &[(&'static str, &'static str)], shown_at: &str, shown_by| Deed {
        path,
        fields: fields.to_vec(),
        shown_at: shown_at.to_owned(),
        shown_by,
    };
    vec![
        deed(
            "/settings/you/tokens".into(),
            &[("name", "ticket <system> & \"more\"")],
            "/api/v1/tokens",
            |seen| seen.to_string().contains("ticket <system> & "),
        ),
        deed(
            format!("/settings/you/tokens/{}/revoke", token["id"].as_str().unwrap()),
            &[],
            "/api/v1/tokens",
            |seen| !seen.to_string().contains("doomed"),
        ),
        deed("/settings/people".into(), &[("email", "nora@example.com")], "/api/v1/people", |seen| {
            seen.to_string().contains("nora@example.com")
        }),
        deed(of_person(&ben, "deactivate"), &[], "/api/v1/people", |seen| {
            seen["items"][0]["deactivated_at"].is_string()
        }),
        deed(of_person(&cleo, "reactivate"), &[], "/api/v1/people", |seen| {
            seen["items"][1]["deactivated_at"].is_null()
        }),
        deed(format!("/machines/{ENDPOINT}/retire"), &[], &machine, |seen| seen["state"] == "retired"),
        deed(format!("/machines/{ENDPOINT}/revoke"), &[], &machine, |seen| seen["state"] == "revoked"),
    ]
}

/// The owner with a password, signed in 10 minutes ago.
async fn owner_later(world: &Arc<World>) -> Browser {
    let mut browser = Browser::signed_in(world).await;
    let set =
        browser.submit("/settings/you/password", &[("password", PASSWORD), ("repeated", PASSWORD)]).await;
    assert_eq!(location(&set), "/settings/you?done=password", "{}", text(&set));
    tokio::time::advance(Duration::from_secs(600)).await;
    browser
}

/// The hidden fields of the confirmation, as a browser sends them again.
fn hidden(page: &str) -> Vec<(String, String)> {
    let form = between(page, "action=\"/confirm\"", "</form>");
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let read = |text: &str| {
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    };
    inputs
        .map(|input| (read(input.split('"').next().unwrap()), read(between(input, "value=\"", "\""))))
        .collect()
}

/// Confirms on the page that asks, and carries on as a browser does with 307: the same form goes to the place it names.
async fn confirm(browser: &mut Browser, asked: &Response, proof: (&str, &str)) -> Response {
    let fields = hidden(&text(asked));
    let mut fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(proof);
    let answer = browser.submit("/confirm", &fields).await;
    if answer.status != StatusCode::TEMPORARY_REDIRECT {
        return answer;
    }
    browser.submit(&location(&answer), &fields).await
}

#[tokio::test(start_paused = true)]
async fn each_sensitive_form_asks_first_and_loses_nothing_that_was_typed() {
    let world = World::new();
    let deeds = deeds(&world).await;
    let mut browser = owner_later(&world).await;
    for Deed { path, fields, shown_at, shown_by } in deeds {
        let asked = browser.submit(&path, &fields).await;
        assert_eq!(asked.status, StatusCode::FORBIDDEN, "{path}: {}", text(&asked));
        assert!(text(&asked).contains("Confirm that it is you"), "{path}");
        assert!(!shown_by(&world.get(&shown_at).await.json()), "{path} was done unasked");
        let wrong = confirm(&mut browser, &asked, ("confirm_password", "a wrong password")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(text(&wrong).contains("the password is wrong") && !text(&wrong).contains("a wrong password"));
        assert!(!shown_by(&world.get(&shown_at).await.json()), "{path} was done with a wrong password");
        let done = confirm(&mut browser, &wrong, ("confirm_password", PASSWORD)).await;
        assert!(done.status == 200 || done.status == 303, "{path}: {} {}", done.status, text(&done));
        assert!(shown_by(&world.get(&shown_at).await.json()), "{path} was not done");
        tokio::time::advance(Duration::from_secs(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_lasts_for_10_minutes_and_for_its_own_session() {
    let world = World::new();
    let mut browser = owner_later(&world).await;
    let mut other = Browser::new(&world);
    other.submit("/sign-in", &[("secret", crate::world::TOKEN)]).await;
    let new = [("name", "first")];
    let asked = browser.submit("/settings/you/tokens", &new).await;
    assert_eq!(confirm(&mut browser, &asked, ("confirm_password", PASSWORD)).await.status, 200);
    tokio::time::advance(Duration::from_secs(599)).await;
    assert_eq!(browser.submit("/settings/you/tokens", &[("name", "second")]).await.status, 200);
    assert_eq!(
        other.submit("/settings/you/tokens", &new).await.status,
        403,
        "a token's session is never confirmed"
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(browser.submit("/settings/you/tokens", &[("name", "third")]).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_password_confirms_with_a_new_one_time_link_of_their_own() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    tokio::time::advance(Duration::from_secs(600)).await;
    let asked = browser.submit("/settings/people", &[("email", "nora@example.com")]).await;
    assert!(
        text(&asked).contains("confirm_link") && !text(&asked).contains("confirm_password"),
        "{}",
        text(&asked)
    );
    let foreign = world.post("/api/v1/people", &json!({ "email": "ben@example.com" })).await.json();
    let foreign = foreign["sign_in_secret"].as_str().unwrap();
    for link in [foreign, "tgp_nothing", crate::world::TOKEN] {
        let refused = confirm(&mut browser, &asked, ("confirm_link", link)).await;
        assert_eq!(refused.status, 422, "{link}");
    }
    let link = format!("http://desk:8080/sign-in#{}", world.sign_in_link().await);
    let done = confirm(&mut browser, &asked, ("confirm_link", &link)).await;
    assert!(field(&text(&done), "link").contains("/sign-in#"), "{}", text(&done));
    assert_eq!(
        Browser::new(&world).submit("/sign-in", &[("secret", foreign)]).await.status,
        303,
        "it was not used up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_leads_to_no_place_but_a_sensitive_form_here() {
    let world = World::new();
    let mut browser = owner_later(&world).await;
    for to in [
        "https://evil.example/",
        "//evil.example/revoke",
        "/sequences/x/act",
        "/settings/../machines/a/revoke",
        "",
    ] {
        let answer = browser.submit("/confirm", &[("confirm_to", to), ("confirm_password", PASSWORD)]).await;
        assert_eq!(answer.status, 400, "{to}");
    }
    let to = ("confirm_to", "/settings/people");
    let foreign =
        browser.submit_from("https://evil.example", "/confirm", &[to, ("confirm_password", PASSWORD)]).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(
        browser.submit("/settings/people", &[("email", "n@example.com")]).await.status,
        403,
        "nothing was confirmed"
    );
    let nothing = browser.submit("/confirm", &[to]).await;
    assert_eq!(nothing.status, 422, "a confirmation without a proof is none");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_is_led_to_the_sign_in_counts_as_a_refused_attempt() {
    let world = World::new();
    let mut stranger = Browser::new(&world);
    for path in ["/confirm", "/settings/you/password"] {
        let led = stranger.submit(path, &[("confirm_to", "/settings/people")]).await;
        assert!(led.status == 303 && location(&led).starts_with("/sign-in"), "{path}");
        assert_eq!(world.answered.lock().unwrap().last(), Some(&(RouteClass::SignIn, 401)), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_is_changed_with_the_current_one_and_not_without() {
    let world = World::new();
    let mut browser = owner_later(&world).await;
    let new = "another horse battery";
    let typed = [("password", new), ("repeated", new)];
    let page = text(&browser.get("/settings/you").await);
    assert!(page.contains("confirm_password"), "{page}");
    let with = |current: &'static str| [("confirm_password", current), typed[0], typed[1]];
    for (fields, told) in
        [(&typed[..], "more than 10 minutes"), (&with("a wrong password")[..], "the password is wrong")]
    {
        let refused = browser.submit("/settings/you/password", fields).await;
        assert_eq!(refused.status, 400);
        assert!(text(&refused).contains(told) && !text(&refused).contains(new), "{}", text(&refused));
    }
    let sign_in = |password: &'static str| [("email", "owner@example.com"), ("password", password)];
    assert_eq!(Browser::new(&world).submit("/sign-in", &sign_in(new)).await.status, 422);
    let set = browser.submit("/settings/you/password", &with(PASSWORD)).await;
    assert_eq!(location(&set), "/settings/you?done=password", "{}", text(&set));
    assert_eq!(Browser::new(&world).submit("/sign-in", &sign_in(new)).await.status, 303);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_open_does_not_keep_its_session_alive() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let refresh = ("x-tidegate-refresh", "1");
    for _ in 0..47 {
        tokio::time::advance(Duration::from_secs(900)).await;
        assert_eq!(browser.get_with("/machines", refresh).await.status, 200);
    }
    tokio::time::advance(Duration::from_secs(900)).await;
    assert!(location(&browser.get_with("/machines", refresh).await).starts_with("/sign-in"));
    let mut used = Browser::signed_in(&world).await;
    for _ in 0..48 {
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert_eq!(used.get("/machines").await.status, 200);
    }
    assert!(world.now().milliseconds() > 0);
    let page = text(&used.get("/settings/you").await);
    assert!(page.contains("12 hours without use") && page.contains(&owner().email), "{page}");
}
