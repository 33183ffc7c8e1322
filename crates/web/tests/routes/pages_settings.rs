//! The settings as a browser without script meets them.

use std::sync::Arc;

use axum::http::StatusCode;
use tidegate_web::Front;

use crate::pages::{Browser, location, text};
use crate::world::{Response, World};

const PASSWORD: &str = "correct horse battery";
/// Names that a person or a machine of ill will could choose.
pub(crate) const HOSTILE: [&str; 3] =
    ["<script>alert(1)</script>", "pump\u{202e}txt.exe\"'&", "\"><img src=x onerror=alert(1)>"];

/// The part of a page that follows `before`, up to `after`.
pub(crate) fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("no `{before}` in {page}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("no `{after}` in {rest}")).0
}

/// The text of the field with that id.
pub(crate) fn field(page: &str, id: &str) -> String {
    let inner = between(page, &format!("<textarea id=\"{id}\""), "</textarea>");
    inner.split_once('>').unwrap().1.to_owned()
}

fn seen(answer: &Response, status: u16) -> String {
    let page = text(answer);
    assert_eq!(answer.status.as_u16(), status, "{page}");
    page
}

/// Checks that nothing which somebody named became a part of the page.
pub(crate) fn assert_inert(page: &str) {
    for part in ["<script>alert", "<img src=x"] {
        assert!(!page.contains(part), "{page}");
    }
    // What reorders text is made visible, in the fields to edit it too.
    assert!(!page.contains('\u{202e}'), "{page}");
}

#[tokio::test]
async fn every_page_needs_a_session_and_names_the_others() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let tabs = [
        "/settings",
        "/settings/you",
        "/settings/people",
        "/settings/places",
        "/settings/codes",
        "/settings/audit",
    ];
    for path in tabs {
        let led = Browser::new(&world).get(path).await;
        assert!(location(&led).starts_with("/sign-in?next="), "{path}");
        let page = seen(&owner.get(path).await, 200);
        assert!(page.contains("<nav class=\"tabs\" aria-label=\"Settings\">"), "{page}");
        assert!(tabs.iter().all(|tab| page.contains(&format!("href=\"{tab}\""))), "{page}");
        assert_eq!(page.matches("aria-current=\"page\"").count(), 2, "{path}");
    }
}

#[tokio::test]
async fn a_password_is_set_twice_the_same_and_ends_other_sessions() {
    let world = World::new();
    let (mut here, mut there) = (Browser::signed_in(&world).await, Browser::signed_in(&world).await);
    assert!(text(&here.get("/settings").await).contains("You have no password yet"));
    for (first, second, wrong) in [
        (PASSWORD, "another horse battery", "differ"),
        ("short", "short", "12 to 200 characters"),
        ("owner@example.com", "owner@example.com", "e-mail address"),
        ("password12345", "password12345", "attackers try this password early"),
    ] {
        let answer =
            here.submit("/settings/you/password", &[("password", first), ("repeated", second)]).await;
        let page = seen(&answer, 400);
        let told = between(&page, "role=\"alert\"", "</p>");
        assert!(told.contains(wrong), "{told}");
        assert!(!page.contains(PASSWORD), "what was typed is not sent back");
    }
    let set = here.submit("/settings/you/password", &[("password", PASSWORD), ("repeated", PASSWORD)]).await;
    assert_eq!(location(&set), "/settings/you?done=password");
    assert!(text(&here.get(&location(&set)).await).contains("Your password is set"));
    assert!(location(&there.get("/settings/you").await).starts_with("/sign-in"), "the other one ended");
    let mut anew = Browser::new(&world);
    let fields = [("email", "owner@example.com"), ("password", PASSWORD)];
    assert_eq!(location(&anew.submit("/sign-in", &fields).await), "/");
}

#[tokio::test]
async fn sessions_are_told_apart_and_ended() {
    let world = World::new();
    let (mut here, mut there) = (Browser::signed_in(&world).await, Browser::signed_in(&world).await);
    let page = seen(&here.get("/settings/you").await, 200);
    assert_eq!(page.matches("this one").count(), 1, "{page}");
    let end = format!("/settings/you/sessions/{}/end", between(&page, "/settings/you/sessions/", "/end"));
    let foreign = here.submit_from("https://evil.example", &end, &[]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert_eq!(there.get("/settings").await.status, StatusCode::OK);
    assert_eq!(location(&here.submit(&end, &[]).await), "/settings/you#sessions");
    assert_eq!(there.get("/settings").await.status, StatusCode::SEE_OTHER);
    assert_eq!(here.get("/settings").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_shown_once_renamed_and_withdrawn() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let made = seen(&owner.submit("/settings/you/tokens", &[("name", "ticket system")]).await, 200);
    let secret = field(&made, "token");
    assert!(secret.starts_with("tgp_"), "{secret}");
    assert_eq!(made.matches(&secret).count(), 1);
    assert_eq!(world.get_as(&secret, "/api/v1/me").await.status, 200);
    let listed = seen(&owner.get("/settings/you").await, 200);
    assert!(listed.contains("ticket system") && !listed.contains(&secret), "{listed}");
    assert!(listed.contains("2027-02-21"), "it ends after 90 days: {listed}");
    let forever = owner.submit("/settings/you/tokens", &[("name", "x"), ("expires_in", "forever")]).await;
    assert!(seen(&forever, 400).contains("write a span from 1s to 366d"));
    let place = format!("/settings/you/tokens/{}", between(&listed, "/settings/you/tokens/", "/rename"));
    let refused = owner.submit(&format!("{place}/rename"), &[("name", &"n".repeat(101))]).await;
    let page = seen(&refused, 400);
    assert!(page.contains(&format!("value=\"{}\"", "n".repeat(101))) && page.contains("That did not work"));
    let renamed = owner.submit(&format!("{place}/rename"), &[("name", "other")]).await;
    assert_eq!(location(&renamed), "/settings/you#tokens");
    assert!(text(&owner.get("/settings/you").await).contains("other"));
    let foreign = owner.submit_from("https://evil.example", &format!("{place}/revoke"), &[]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get_as(&secret, "/api/v1/me").await.status, 200, "another site's page did nothing");
    owner.submit(&format!("{place}/revoke"), &[]).await;
    assert_eq!(world.get_as(&secret, "/api/v1/me").await.status, 401);
}

/// Invites somebody; answers the link.
async fn invited(owner: &mut Browser, email: &str) -> String {
    field(&seen(&owner.submit("/settings/people", &[("email", email)]).await, 200), "link")
}

#[tokio::test]
async fn an_invitation_is_a_link_shown_once_that_leads_to_a_password() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let link = invited(&mut owner, "nora@example.com").await;
    let secret = link.strip_prefix("http://desk:8080/sign-in#").unwrap();
    let listed = seen(&owner.get("/settings/people").await, 200);
    assert!(listed.contains("nora@example.com") && !listed.contains(secret), "{listed}");
    let mut guest = Browser::new(&world);
    let signed_in = guest.submit("/sign-in", &[("secret", secret)]).await;
    assert_eq!(location(&signed_in), "/settings/you#password");
    let page = seen(&guest.get("/settings/you").await, 200);
    assert!(page.contains("id=\"password\"") && page.contains("You have no password yet."), "{page}");
    let used = Browser::new(&world).submit("/sign-in", &[("secret", secret)]).await;
    assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_link_leads_where_one_wanted_to_go_and_who_has_a_password_home() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let link = invited(&mut owner, "nora@example.com").await;
    let secret = link.rsplit('#').next().unwrap();
    let mut guest = Browser::new(&world);
    let signed_in = guest.submit("/sign-in", &[("secret", secret), ("next", "/machines")]).await;
    assert_eq!(location(&signed_in), "/machines");
    guest.submit("/settings/you/password", &[("password", PASSWORD), ("repeated", PASSWORD)]).await;
    let listed = text(&owner.get("/settings/people").await);
    let person = between(&listed, "aria-label=\"Deactivate nora@example.com\"", "/deactivate\"");
    let id = person.rsplit('/').next().unwrap();
    let again = field(&text(&owner.submit(&format!("/settings/people/{id}/link"), &[]).await), "link");
    assert_ne!(again, link);
    let secret = again.rsplit('#').next().unwrap();
    let signed_in = Browser::new(&world).submit("/sign-in", &[("secret", secret)]).await;
    assert_eq!(location(&signed_in), "/");
}

#[tokio::test]
async fn people_are_deactivated_and_come_back_and_refusals_stand_on_the_page() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let link = invited(&mut owner, "nora@example.com").await;
    let mut nora = Browser::new(&world);
    nora.submit("/sign-in", &[("secret", link.rsplit('#').next().unwrap())]).await;
    let listed = text(&owner.get("/settings/people").await);
    let person = between(&listed, "aria-label=\"Deactivate nora@example.com\"", "/deactivate\"");
    let place = format!("/settings/people/{}", person.rsplit('/').next().unwrap());
    let deactivate = format!("{place}/deactivate");
    let own = nora.submit(&deactivate, &[]).await;
    assert!(seen(&own, 409).contains("you cannot deactivate yourself"));
    let known = owner.submit("/settings/people", &[("email", "Nora@Example.com")]).await;
    let page = seen(&known, 409);
    assert!(page.contains("is known already") && page.contains("value=\"Nora@Example.com\""), "{page}");
    assert_eq!(owner.submit_from("https://evil.example", &deactivate, &[]).await.status, 403);
    assert_eq!(nora.get("/settings").await.status, 200);
    assert_eq!(location(&owner.submit(&deactivate, &[]).await), "/settings/people");
    assert_eq!(nora.get("/settings").await.status, 303);
    let refused = owner.submit(&format!("{place}/link"), &[]).await;
    assert!(seen(&refused, 409).contains("reactivate them first"));
    assert!(text(&owner.get("/settings/people").await).contains("Reactivate"));
    owner.submit(&format!("{place}/reactivate"), &[]).await;
    assert!(
        text(&owner.get("/settings/people").await).contains("aria-label=\"Deactivate nora@example.com\"")
    );
}

/// Makes a client with a site; answers the ids of both.
pub(crate) async fn place(owner: &mut Browser, client: &str, site: &str) -> (String, String) {
    assert_eq!(owner.submit("/settings/clients", &[("name", client)]).await.status, 303);
    let listed = text(&owner.get("/settings/places").await);
    let client = between(&listed, "action=\"/settings/clients/", "/sites\"").to_owned();
    let fields = [("name", site), ("time_zone", "Europe/Berlin")];
    assert_eq!(owner.submit(&format!("/settings/clients/{client}/sites"), &fields).await.status, 303);
    let listed = text(&owner.get("/settings/places").await);
    let site = between(&listed, "action=\"/settings/sites/", "\"").to_owned();
    (client, site)
}

#[tokio::test]
async fn clients_and_sites_are_made_and_edited_and_what_was_typed_stays() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    assert!(text(&owner.get("/settings/places").await).contains("No clients yet"));
    let (client, site) = place(&mut owner, "Nordwerk", "Plant 3").await;
    let (client, site) = (format!("/settings/clients/{client}"), format!("/settings/sites/{site}"));
    let page = seen(&owner.submit("/settings/clients", &[("name", "Nordwerk")]).await, 409);
    assert!(page.contains("there is a client `Nordwerk` already"), "{page}");
    let misspelt = [("name", "Plant 4"), ("time_zone", "Europe/Berln")];
    for path in [&site, &format!("{client}/sites")] {
        let page = seen(&owner.submit(path, &misspelt).await, 400);
        assert!(page.contains("there is no time zone `Europe/Berln`"), "{page}");
        assert!(page.contains("value=\"Plant 4\"") && page.contains("value=\"Europe/Berln\""), "{page}");
        assert!(page.contains("<details class=\"confirm\" open>"), "{page}");
    }
    let odd = [("name", "Plant 4"), ("time_zone", "UTC"), ("windows", "Mon 2 o'clock <b>")];
    let page = seen(&owner.submit(&site, &odd).await, 400);
    assert!(page.contains("is no maintenance window: write days and times"), "{page}");
    assert!(
        page.contains("value=\"Mon 2 o&#39;clock &lt;b&gt;\"")
            || page.contains("value=\"Mon 2 o'clock &lt;b&gt;\""),
        "{page}"
    );
    let planned = [("name", "Plant 3"), ("time_zone", "Europe/Berlin"), ("windows", "mon-fri 2:00-2:12")];
    assert_eq!(location(&owner.submit(&site, &planned).await), "/settings/places");
    let foreign = owner.submit_from("https://evil.example", &client, &[("name", "Evil")]).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(location(&owner.submit(&client, &[("name", "Südwerk")]).await), "/settings/places");
    owner.submit(&site, &[("name", "Plant 5"), ("time_zone", "Asia/Tokyo")]).await;
    let page = text(&owner.get("/settings/places").await);
    assert!(
        page.contains("Südwerk") && page.contains("Plant 5") && page.contains("Asia/Tokyo, where it is 23:0")
    );
    assert!(!page.contains("Evil") && !page.contains("Nordwerk</h2>"), "{page}");
    assert!(page.contains("value=\"Mon-Fri 02:00-02:12\""), "an edit without the field keeps them: {page}");
}

#[tokio::test]
async fn names_of_ill_will_are_nothing_but_names() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    let long = "ä".repeat(100);
    for name in HOSTILE.into_iter().chain([long.as_str()]) {
        let (client, _) = place(&mut owner, name, name).await;
        assert_inert(&text(&owner.get("/settings/places").await));
        let taken = owner.submit(&format!("/settings/clients/{client}/sites"), &[("name", name)]).await;
        assert_inert(&seen(&taken, 409));
        let token = name.chars().take(50).collect::<String>();
        assert_inert(&seen(&owner.submit("/settings/you/tokens", &[("name", &token)]).await, 200));
        assert_inert(&text(&owner.get("/settings/you").await));
        let email = format!("{}@example.com", token.replace(' ', ""));
        assert_inert(&text(&owner.submit("/settings/people", &[("email", &email)]).await));
    }
    assert_inert(&text(&owner.get("/settings/people").await));
    assert_inert(&text(&owner.get("/machines/new").await));
}

#[tokio::test]
async fn what_does_not_read_is_refused_and_does_nothing() {
    let world = World::new();
    let mut owner = Browser::signed_in(&world).await;
    for path in [
        "/settings/people/nobody/deactivate",
        "/settings/sites/0",
        "/settings/codes/../revoke",
        "/settings/you/tokens/00000000000000000000/revoke",
        "/settings/you/sessions/x/end",
    ] {
        assert_eq!(owner.submit(path, &[]).await.status, 404, "{path}");
    }
    for path in ["/settings/people?cursor=x", "/settings/codes?cursor=x", "/settings/you?tokens=x"] {
        assert_eq!(owner.get(path).await.status, 400, "{path}");
    }
    assert_eq!(owner.submit("/settings/clients", &[]).await.status, 400);
}

/// A world and its owner, who has one site.
pub(crate) async fn with_site() -> (Arc<World>, Browser, String) {
    with_site_in(World::new()).await
}

/// The same where people reach it in this way.
pub(crate) async fn with_site_at(front: Front) -> (Arc<World>, Browser, String) {
    with_site_in(World::at(front)).await
}

async fn with_site_in(world: Arc<World>) -> (Arc<World>, Browser, String) {
    let mut owner = Browser::signed_in(&world).await;
    let (_, site) = place(&mut owner, "Nordwerk", "Plant 3").await;
    (world, owner, site)
}
