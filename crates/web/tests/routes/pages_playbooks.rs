//! The playbooks as a browser without script meets them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, Machine};
use crate::pages::{Browser, location, text};
use crate::pages_settings::{HOSTILE, between};
use crate::world::{Response, World};

const YAML: &str = "name: Read a log\nsteps:\n- probe: shell\n  with:\n    command: ls /var/log\n";

fn seen(answer: &Response, status: u16) -> String {
    let page = text(answer);
    assert_eq!(answer.status.as_u16(), status, "{page}");
    page
}

/// What the field of a playbook's form holds.
fn source(page: &str) -> String {
    let inner = between(page, " id=\"yaml\" name=\"yaml\"", "</textarea>");
    let shown = inner.split_once(">\n").unwrap().1;
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The version that a form saves over.
fn over(page: &str) -> String {
    between(page, "name=\"over\" value=\"", "\"").to_owned()
}

async fn made(browser: &mut Browser, yaml: &str) -> String {
    let answer = browser.submit("/playbooks/new", &[("yaml", yaml)]).await;
    assert!(location(&answer).starts_with("/playbooks/"), "{}", text(&answer));
    location(&answer)
}

async fn spec(world: &Arc<World>, place: &str) -> Value {
    world.get(&format!("/api/v1{place}")).await.json()["spec"].clone()
}

#[tokio::test]
async fn a_playbook_is_written_changed_renamed_and_read_in_every_version() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let example = source(&seen(&browser.get("/playbooks/new").await, 200));
    let place = made(&mut browser, &example.replace('\n', "\r\n")).await;
    assert_eq!(spec(&world, &place).await["name"], "Controller does not answer");
    assert!(seen(&browser.get("/playbooks").await, 200).contains("Controller does not answer"));

    let edit = format!("{place}/edit");
    let form = seen(&browser.get(&edit).await, 200);
    assert!(form.contains("Save version 2"), "{form}");
    let renamed = source(&form).replace("name: Controller does not answer", "name: Controller is silent");
    let saved = browser.submit(&edit, &[("over", &over(&form)), ("yaml", &renamed)]).await;
    assert_eq!(location(&saved), place, "{}", text(&saved));
    let page = seen(&browser.get(&place).await, 200);
    assert!(page.contains("<h1>Controller is silent</h1>") && page.contains("Version 2"), "{page}");
    let versions = between(&page, "<h2>Versions</h2>", "</table>");
    assert!(versions.contains("owner@example.com") && versions.contains("?version=1"), "{versions}");

    let first = seen(&browser.get(&format!("{place}?version=1")).await, 200);
    assert!(first.contains("This is an earlier version.") && first.contains("edit?version=1"), "{first}");
    let back = seen(&browser.get(&format!("{edit}?version=1")).await, 200);
    assert_eq!(source(&back), source(&form), "an earlier version is where one can go on from");
    let again = browser.submit(&edit, &[("over", &over(&back)), ("yaml", &source(&back))]).await;
    assert_eq!(location(&again), place, "{}", text(&again));
    assert_eq!(spec(&world, &place).await["name"], "Controller does not answer");
}

#[tokio::test]
async fn what_does_not_read_is_told_with_its_line_and_kept() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    for (yaml, told) in [
        ("name: x\nsteps:\n- probe: ping\n  within: {}\n", "<code>  within: {}</code>"),
        (
            "name: x\nsteps:\n- probe: ping\n  with: { host: \"{{hots}}\" }\n",
            "step 1: `{{hots}}` names no parameter",
        ),
        ("name: x\nsteps:\n- probe: ping\n  with: { host: {{host}} }\n", "between quotes"),
        ("", "Not saved: "),
        ("name: x\nsteps: []\n", "1 to 100 steps"),
        ("name: <script>alert(1)</script>\nsteps: &gt; *a", "&amp;gt; *a"),
    ] {
        let page = seen(&browser.submit("/playbooks/new", &[("yaml", yaml)]).await, 422);
        assert!(page.contains(told), "{told}: {page}");
        assert_eq!(source(&page), yaml);
        assert!(!page.contains("<script>alert"), "{page}");
    }
    let long = format!("name: x\nabout: {}\n", "y".repeat(300_000));
    let page = seen(&browser.submit("/playbooks/new", &[("yaml", &long)]).await, 422);
    assert!(page.contains("at most"), "it says how long it may be");
}

#[tokio::test]
async fn what_somebody_saved_meanwhile_is_not_overwritten_unseen() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let place = made(&mut browser, YAML).await;
    let edit = format!("{place}/edit");
    let form = seen(&browser.get(&edit).await, 200);
    let theirs = YAML.replace("ls /var/log", "ls /theirs");
    browser.submit(&edit, &[("over", &over(&form)), ("yaml", &theirs)]).await;
    let mine = YAML.replace("ls /var/log", "ls /mine \"<b>\" & more");
    let fields = [("over", over(&form)), ("yaml", mine.clone())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = seen(&browser.submit(&edit, &fields).await, 412);
    assert_eq!(source(&refused), mine, "what was typed is still there");
    assert!(refused.contains("Somebody saved another version meanwhile"), "{refused}");
    assert!(refused.contains("Save this as version 3 of it"), "{refused}");
    assert_eq!(spec(&world, &place).await["steps"][0]["with"]["command"], "ls /theirs");
    assert_eq!(over(&refused), over(&form), "and pressing Save again is refused again");
    let instead = between(&refused, "name=\"instead\" value=\"", "\"");
    let saved = browser.submit(&edit, &[&fields[..], &[("instead", instead)]].concat()).await;
    assert_eq!(location(&saved), place, "{}", text(&saved));
    assert_eq!(spec(&world, &place).await["steps"][0]["with"]["command"], "ls /mine \"<b>\" & more");

    let other = made(&mut browser, &YAML.replace("Read a log", "Other")).await;
    let crossed = over(&seen(&browser.get(&format!("{other}/edit")).await, 200));
    for wrong in
        [&[("yaml", YAML)][..], &[("over", &crossed), ("yaml", YAML)], &[("over", "x.y"), ("yaml", YAML)]]
    {
        seen(&browser.submit(&edit, wrong).await, 400);
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_offered_as_a_next_version() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let place = made(&mut browser, YAML).await;
    let mine = YAML.replace("Read a log", "read a LOG").replace("/var/log", "/mine");
    let refused = seen(&browser.submit("/playbooks/new", &[("yaml", &mine)]).await, 409);
    assert!(
        refused.contains(&format!("href=\"{place}\"")) && refused.contains("version 2 of it"),
        "{refused}"
    );
    assert_eq!(source(&refused), mine);
    let instead = between(&refused, "name=\"instead\" value=\"", "\"");
    let saved = browser.submit("/playbooks/new", &[("instead", instead), ("yaml", &mine)]).await;
    assert_eq!(location(&saved), place, "{}", text(&saved));
    assert_eq!(spec(&world, &place).await["steps"][0]["with"]["command"], "ls /mine");
}

#[tokio::test]
async fn archiving_is_asked_for_twice_and_can_be_undone() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let place = made(&mut browser, YAML).await;
    let page = seen(&browser.get(&place).await, 200);
    assert!(
        between(&page, "<summary class=\"button\">Archive", "</details>").contains("can be taken out again")
    );
    assert_eq!(location(&browser.submit(&format!("{place}/archive"), &[]).await), place);
    let page = seen(&browser.get(&place).await, 200);
    assert!(page.contains("Take it out again") && !page.contains("/edit\""), "{page}");
    let listed = seen(&browser.get("/playbooks").await, 200);
    assert!(between(&listed, "Archived (1)", "</details>").contains("Read a log"), "{listed}");
    let taken = seen(&browser.submit("/playbooks/new", &[("yaml", YAML)]).await, 409);
    assert!(taken.contains("archived") && !taken.contains("name=\"instead\""), "{taken}");
    assert_eq!(location(&browser.submit(&format!("{place}/unarchive"), &[]).await), place);
    assert!(!seen(&browser.get("/playbooks").await, 200).contains("Archived ("));
}

#[tokio::test]
async fn a_playbook_is_taken_along_as_a_file_with_a_tame_name() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    for (at, name) in HOSTILE.iter().enumerate() {
        let body =
            json!({ "name": name, "about": name, "steps": [{ "probe": name, "with": { "command": name } }] });
        let id = world.post("/api/v1/playbooks", &body).await.json()["id"].as_str().unwrap().to_owned();
        for path in ["", "/edit", "?version=1"] {
            let page = seen(&browser.get(&format!("/playbooks/{id}{path}")).await, 200);
            assert!(!page.contains("<script>alert") && !page.contains("<img src"), "{page}");
        }
        let file = browser.get(&format!("/playbooks/{id}/yaml")).await;
        assert_eq!(file.headers["content-type"], "text/yaml; charset=utf-8");
        assert_eq!(file.headers["x-content-type-options"], "nosniff");
        let disposition = file.headers["content-disposition"].to_str().unwrap();
        let plain = between(disposition, "attachment; filename=\"playbook-", ".yaml\"");
        assert!(plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{disposition}");
        let again = yaml_of(&text(&file));
        assert_eq!((&again["name"], &again["about"]), (&json!(name), &json!(name)), "{at}");
    }
    assert_eq!(browser.get("/playbooks/0000000000000000/yaml").await.status, 404);
    let led = Browser::new(&world).get("/playbooks/0000000000000000/yaml").await;
    assert!(location(&led).starts_with("/sign-in?next="));
}

fn yaml_of(text: &str) -> Value {
    serde_json::to_value(tidegate_core::playbook::yaml_read(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_sequence_is_kept_as_a_playbook_and_again_as_its_next_version() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let mut browser = Browser::signed_in(&world).await;
    let command = "docker ps --format '{{.Names}}'";
    let asked = json!({ "title": HOSTILE[0], "stop_on": "attention",
        "steps": [{ "probe": "shell", "with": { "command": command }, "timeout": "30s", "rerun": true }] });
    let queued = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &asked).await.json();
    let sequence = format!("/sequences/{}", queued["id"].as_str().unwrap());
    assert!(seen(&browser.get(&sequence).await, 200).contains(&format!("{sequence}/playbook")));
    let keep = format!("{sequence}/playbook");
    let form = seen(&browser.get(&keep).await, 200);
    assert!(form.contains("value=\"&lt;script&gt;alert(1)&lt;/script&gt;\""), "its title is offered: {form}");
    assert!(!form.contains("<script>alert"), "{form}");

    let none = seen(&browser.submit(&keep, &[("name", " "), ("about", "What <b>for</b>")]).await, 422);
    assert!(none.contains("What &lt;b&gt;for&lt;/b&gt;") && none.contains("`name` has"), "{none}");
    let made = browser.submit(&keep, &[("name", "Names"), ("about", "Lists.")]).await;
    let place = location(&made);
    assert!(place.starts_with("/playbooks/"), "{}", text(&made));
    let kept = spec(&world, &place).await;
    assert_eq!(
        (&kept["name"], &kept["about"], &kept["stop_on"]),
        (&json!("Names"), &json!("Lists."), &json!("attention"))
    );
    let filled = world.post(&format!("/api/v1{place}/fill"), &json!({})).await.json();
    assert_eq!(filled["steps"], asked["steps"], "it asks the same again: {filled}");

    let taken = seen(&browser.submit(&keep, &[("name", "names"), ("about", "Typed.")]).await, 409);
    assert!(taken.contains("Typed.") && taken.contains("value=\"names\""), "{taken}");
    let instead = between(&taken, "name=\"instead\" value=\"", "\"");
    let saved = browser.submit(&keep, &[("instead", instead), ("name", "names"), ("about", "Typed.")]).await;
    assert_eq!(location(&saved), place, "{}", text(&saved));
    assert_eq!(spec(&world, &place).await["about"], "Typed.");
    let stale = seen(&browser.submit(&keep, &[("instead", instead), ("name", "names")]).await, 412);
    assert!(stale.contains("version 3 of it"), "{stale}");
}

#[tokio::test]
async fn a_draft_is_saved_before_it_is_kept() {
    let world = World::new();
    Machine::enrolled(&world).await;
    let mut browser = Browser::signed_in(&world).await;
    let asked = json!({ "draft": true, "steps": [{ "probe": "shell", "with": { "command": "before" } }] });
    let draft = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &asked).await.json();
    let id = draft["id"].as_str().unwrap();
    let revision = draft["revision"].to_string();
    let fields = [
        ("revision", revision.as_str()),
        ("title", "Look"),
        ("s0.probe", "shell"),
        ("s0.with.command", "after"),
        ("act", "playbook"),
    ];
    let led = browser.submit(&format!("/sequences/{id}/edit"), &fields).await;
    assert_eq!(location(&led), format!("/sequences/{id}/playbook"), "{}", text(&led));
    let form = seen(&browser.get(&location(&led)).await, 200);
    assert!(form.contains("value=\"Look\"") && form.contains("<code>after</code>"), "{form}");
    let place = location(&browser.submit(&location(&led), &[("name", "Look")]).await);
    assert_eq!(spec(&world, &place).await["steps"][0]["with"]["command"], "after");
}

#[tokio::test]
async fn a_form_of_another_site_makes_and_changes_no_playbook() {
    let world = World::new();
    let mut browser = Browser::signed_in(&world).await;
    let place = made(&mut browser, YAML).await;
    let other = YAML.replace("Read a log", "Theirs");
    for path in ["/playbooks/new".to_owned(), format!("{place}/edit"), format!("{place}/archive")] {
        let refused = browser.submit_from("https://evil.example", &path, &[("yaml", &other)]).await;
        seen(&refused, 403);
    }
    let listed = seen(&browser.get("/playbooks").await, 200);
    assert!(!listed.contains("Theirs") && !listed.contains("Archived ("), "{listed}");
}
