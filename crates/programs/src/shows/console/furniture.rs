//! What makes the pages of the stage full.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::stage::Stage;
use crate::harness::enrol_light;

impl Stage {
    /// Enrols two machines of one name; answers the second's id.
    pub(super) fn twins(&self) -> anyhow::Result<String> {
        let to = ([127, 0, 0, 1], self.world.plane.runtime_port()).into();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut last = None;
        for _ in 0..2 {
            last = tokio.block_on(enrol_light(to, self.world.code_for(1)?, 1))?.pop();
        }
        let last = last.context("a machine enrolled")?.endpoint.to_string();
        self.world.listed(&last)?;
        Ok(last)
    }

    /// The page of the entry that holds what the first step brought back.
    pub(super) fn entry_of_result(&self) -> anyhow::Result<String> {
        let place = format!("/machines/{}/transcript", self.machine.endpoint);
        let transcript = self
            .world
            .api
            .get(&format!("/api/v1/endpoints/{}/transcript?limit=500", self.machine.endpoint))?;
        let mut entries = transcript["items"].as_array().context("a transcript has entries")?.iter();
        let entry = entries.find(|entry| entry["kind"] == "journal.step_finished").context("a step ended")?;
        Ok(format!("{place}/{}", entry["number"]))
    }

    /// Makes the order key one that ends in so many days, and starts the control plane again.
    pub(super) fn key_ends_in(&mut self, days: &str) -> anyhow::Result<()> {
        let root = self.world.directory.path().join("root-key.pem").to_string_lossy().into_owned();
        self.world.plane.stop()?;
        self.world.plane.admin(&["order-key", "new", "--root-key", &root, "--valid-days", days])?;
        self.world.plane.start()
    }

    /// Makes a playbook of two versions that does `steps` and asks for one thing; answers its id.
    pub(super) fn playbook(&self, name: &str, steps: &Value) -> anyhow::Result<String> {
        let mut steps = steps.as_array().context("steps are a list")?.clone();
        steps.push(json!({ "probe": "ping", "with": { "host": "{{gateway}}" } }));
        let gateway = json!({ "name": "gateway", "about": format!("Gateway for: {name}"), "kind": "text" });
        let spec =
            json!({ "name": name, "about": format!("For: {name}"), "parameters": [gateway], "steps": steps });
        let made = self.world.api.post("/api/v1/playbooks", &spec)?;
        let id = made["id"].as_str().context("a playbook has an id")?.to_owned();
        let edit = json!({ "about": format!("What to look at first for: {name}") });
        self.world.api.patch(&format!("/api/v1/playbooks/{id}"), 1, &edit)?;
        Ok(id)
    }
}
