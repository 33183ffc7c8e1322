//! The conditions of a draft as a browser without script meets them: what it takes, until when, and from when.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::machine::{ENDPOINT, Machine};
use crate::pages::{Browser, location, text};
use crate::pages_settings::between;
use crate::world::World;

struct Draft {
    world: Arc<World>,
    browser: Browser,
    id: String,
}

impl Draft {
    /// A draft that says so much besides its one step.
    async fn with(more: Value) -> Self {
        let world = World::new();
        Machine::enrolled(&world).await;
        let mut asked =
            json!({ "draft": true, "steps": [{ "probe": "shell", "with": { "command": "true" } }] });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = world.post(&format!("/api/v1/endpoints/{ENDPOINT}/sequences"), &asked).await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let browser = Browser::signed_in(&world).await;
        Self { world, browser, id }
    }

    async fn page(&mut self) -> String {
        text(&self.browser.get(&format!("/sequences/{}/edit", self.id)).await)
    }

    async fn written(&self) -> Value {
        self.world.get(&format!("/api/v1/sequences/{}", self.id)).await.json()
    }

    /// Presses Save with these fields; answers the status and the page.
    async fn save(&mut self, fields: &[(&str, &str)]) -> (u16, String) {
        let revision = self.written().await["revision"].to_string();
        let step = [("revision", revision.as_str()), ("s0.probe", "shell"), ("s0.with.command", "true")];
        let place = format!("/sequences/{}/edit", self.id);
        let answer = self.browser.submit(&place, &[&step[..], fields, &[("act", "save")]].concat()).await;
        (answer.status.as_u16(), location(&answer) + &text(&answer))
    }
}

#[tokio::test]
async fn a_draft_says_what_it_takes_and_until_when() {
    let mut draft = Draft::with(json!({})).await;
    let page = draft.page().await;
    assert!(
        page.contains("It takes about 1 s, at most 60 s; about 8 KB, more if a command prints more."),
        "{page}"
    );
    assert!(page.contains("Mon 30 Nov 14:03 UTC</time>, unless it has started by then."), "{page}");
    let choice = between(&page, "name=\"expires_in_hours\"", "</select>");
    assert!(choice.contains("<option value=\"\" selected>7 d") && choice.contains(", as usual"), "{choice}");

    assert_eq!(draft.save(&[("expires_in_hours", "")]).await.0, 303);
    assert!(draft.written().await["draft"]["expires_in"].is_null(), "what is usual is not made a choice");
    assert_eq!(draft.save(&[("expires_in_hours", "24")]).await.0, 303);
    assert_eq!(draft.written().await["draft"]["expires_in"], "1d");
    assert!(draft.page().await.contains("Tue 24 Nov 14:03 UTC"));
}

#[tokio::test]
async fn an_expiry_that_is_not_offered_stays_until_another_is_chosen() {
    let mut draft = Draft::with(json!({ "expires_in": "90m" })).await;
    assert!(draft.page().await.contains("<option value=\"\" selected>1 h 30 min</option>"));
    assert_eq!(draft.save(&[("title", "x"), ("expires_in_hours", "")]).await.0, 303);
    assert_eq!(draft.written().await["draft"]["expires_in"], "90m");

    let mut draft = Draft::with(json!({ "expires_at": "2026-11-27T08:00:00Z" })).await;
    assert!(draft.page().await.contains("Fri 27 Nov 08:00 UTC"));
    assert_eq!(draft.save(&[("title", "x"), ("expires_in_hours", "")]).await.0, 303);
    assert_eq!(draft.written().await["draft"]["expires_at"], "2026-11-27T08:00:00.000Z");
    assert_eq!(draft.save(&[("expires_in_hours", "720")]).await.0, 303);
    let written = draft.written().await["draft"].clone();
    assert_eq!((&written["expires_in"], &written["expires_at"]), (&json!("30d"), &Value::Null));
}

#[tokio::test]
async fn an_earliest_start_is_set_kept_and_cleared() {
    let mut draft = Draft::with(json!({ "stop_on": "never" })).await;
    let at = ("not_before", "2026-11-24T06:30");
    assert_eq!(draft.save(&[at]).await.0, 303);
    assert_eq!(draft.written().await["draft"]["not_before"], "2026-11-24T06:30:00.000Z");
    let page = draft.page().await;
    assert!(page.contains("value=\"2026-11-24T06:30\"") && page.contains("It waits until"), "{page}");

    let (status, page) = draft.save(&[("not_before", "<b>soon</b>"), ("title", "Typed")]).await;
    assert_eq!(status, 400, "{page}");
    assert!(page.contains("value=\"Typed\"") && page.contains("&lt;b&gt;soon"), "{page}");
    assert_eq!(draft.written().await["draft"]["not_before"], "2026-11-24T06:30:00.000Z");

    assert_eq!(draft.save(&[("not_before", ""), ("stop_on", "")]).await.0, 303);
    let written = draft.written().await["draft"].clone();
    assert!(written["not_before"].is_null() && written["stop_on"].is_null(), "{written}");
}
