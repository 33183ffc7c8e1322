//! What the console is shown with: a browser, a control plane, machines, somebody who is signed in.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::harness::{Browser, Device, Find, Machine, Navigation, Tab, World, enrol_light};

/// What the machine is called that everything is done on.
pub(super) const MACHINE: &str = "Palletiser 7 HMI";

/// Machines that are only listed.
const OTHERS: usize = 30;

/// Pages that are there whatever was done: what people call them, where they are, and how they are answered.
const PAGES: &[(&str, &str, u16)] = &[
    ("overnight", "/", 200),
    ("machines", "/machines", 200),
    ("machines-none", "/machines?q=no+such+machine", 200),
    ("add-machine", "/machines/new", 200),
    ("playbooks", "/playbooks", 200),
    ("playbook-new", "/playbooks/new", 200),
    ("settings", "/settings", 200),
    ("settings-you", "/settings/you", 200),
    ("settings-people", "/settings/people", 200),
    ("settings-places", "/settings/places", 200),
    ("settings-codes", "/settings/codes", 200),
    ("settings-audit", "/settings/audit", 200),
    ("not-found", "/machines/ep_00000000000000000000000000000000", 404),
];

/// One page.
pub(super) struct Page {
    /// What it is called in figures and names of files.
    pub(super) name: &'static str,
    /// Its address without the control plane's.
    pub(super) path: String,
    /// How it is answered.
    pub(super) status: u16,
    /// Whether it is for people who are not signed in.
    pub(super) is_outside: bool,
    /// The form at that address whose answer the page is; `None`: it is there by itself.
    pub(super) form: Option<Form>,
}

/// A form that is filled in and sent.
pub(super) struct Form {
    /// The label of its field.
    label: &'static str,
    /// What is typed there.
    text: String,
    /// The button that sends it.
    button: &'static str,
    /// The heading of the answer.
    heading: &'static str,
}

/// All of it; gone at the end.
pub(super) struct Stage {
    pub(super) browser: Browser,
    pub(super) world: World,
    pub(super) machine: Machine,
}

impl Stage {
    /// Sets it up; the machine is enrolled and not started.
    pub(super) fn new() -> anyhow::Result<Self> {
        let browser = Browser::start()?;
        let mut world = World::new()?;
        let machine = world.machine()?;
        let stage = Self { browser, world, machine };
        stage.rename(MACHINE)?;
        Ok(stage)
    }

    /// Enrols machines among which one has to be found.
    pub(super) fn crowd(&self) -> anyhow::Result<usize> {
        let code = self.world.code_for(OTHERS)?;
        let to = ([127, 0, 0, 1], self.world.plane.runtime_port()).into();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(tokio.block_on(enrol_light(to, code, OTHERS))?.len() + 1)
    }

    /// Gives the machine another name, and waits until it is found by it.
    pub(super) fn rename(&self, name: &str) -> anyhow::Result<()> {
        let place = format!("/api/v1/endpoints/{}", self.machine.endpoint);
        let revision = self.world.api.get(&place)?["revision"].as_u64().context("it has a revision")?;
        self.world.api.patch(&place, revision, &json!({ "name": name }))?;
        crate::harness::wait_for("the name to be listed", 30, || {
            let listed = self.world.api.get("/api/v1/endpoints?limit=200")?;
            Ok(listed["items"].as_array().is_some_and(|items| items.iter().any(|item| item["name"] == name)))
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.plane.url())
    }

    /// A tab of somebody who has signed in with an API token.
    pub(super) fn signed_in(&self, device: Device) -> anyhow::Result<Tab> {
        super::signed_in(&self.browser, &self.world, device)
    }

    /// The secret of a fresh session.
    pub(super) fn session(&self) -> anyhow::Result<String> {
        let tab = self.signed_in(Device::DESK)?;
        let cookies = tab.cookies()?;
        tab.close()?;
        let cookie = cookies.into_iter().find(|cookie| cookie.name == "tidegate");
        Ok(cookie.context("a session is in a cookie")?.value)
    }

    /// Lets the machine do `steps` to the end, and answers the sequence's id.
    pub(super) fn done(&mut self, title: &str, steps: &Value) -> anyhow::Result<String> {
        let sequence = json!({ "title": title, "stop_on": "never", "steps": steps });
        let id = self.world.queue(&self.machine, &sequence)?;
        if !self.machine.is_running()? {
            self.machine.start()?;
        }
        let ended = self.world.ended(&id, 60)?;
        ensure!(ended["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{ended:#}");
        Ok(id)
    }

    /// Lets things happen on the machine that make its pages full, stops it, and answers every page there is.
    pub(super) fn furnish(&mut self) -> anyhow::Result<Vec<Page>> {
        let steps = json!([
            { "probe": "ping", "with": { "host": "127.0.0.1", "count": 2 } },
            { "probe": "tcp_connect", "with": { "host": "127.0.0.1", "port": super::closed_port()? } },
            { "probe": "disk_usage", "with": { "path": "/" } },
            { "probe": "shell", "with": { "command": "seq 1 60; echo lost >&2; exit 3" } },
        ]);
        self.furnish_with("Labeller stops at shift change", &steps)
    }

    /// The same with that title and those steps. A page that the console has and this list has not is looked at by
    /// nobody, so a new one belongs here.
    pub(super) fn furnish_with(&mut self, title: &str, steps: &Value) -> anyhow::Result<Vec<Page>> {
        let plan = json!({ "windows": ["Mon-Fri 02:00-02:12", "Sat 20:00-04:00"] });
        self.world.api.patch(&format!("/api/v1/sites/{}", self.world.site), 0, &plan)?;
        let result = self.done(title, steps)?;
        self.world
            .api
            .post(&format!("/api/v1/sequences/{result}/notes"), &json!({ "text": "Belt is worn." }))?;
        self.machine.stop()?;
        let place = format!("/api/v1/endpoints/{}/sequences", self.machine.endpoint);
        let ask = |title: &str, is_draft: bool| {
            let sequence = json!({ "title": title, "steps": steps, "draft": is_draft });
            let made = self.world.api.post(&place, &sequence)?;
            anyhow::Ok(made["id"].as_str().context("a sequence has an id")?.to_owned())
        };
        let (waiting, draft) = (ask(&format!("{title} (2)"), false)?, ask(&format!("{title} (3)"), true)?);
        ask("And once more", false)?;
        let playbook = self.playbook(title, steps)?;
        let own = [
            ("machine", format!("/machines/{}", self.machine.endpoint)),
            ("machine-same-name", format!("/machines/{}", self.twins()?)),
            ("transcript", format!("/machines/{}/transcript", self.machine.endpoint)),
            ("transcript-entry", self.entry_of_result()?),
            ("result", format!("/sequences/{result}")),
            ("compared", format!("/sequences/{result}/steps/1/previous")),
            ("waiting", format!("/sequences/{waiting}")),
            ("draft", format!("/sequences/{draft}/edit")),
            ("playbook", format!("/playbooks/{playbook}")),
            ("playbook-before", format!("/playbooks/{playbook}?version=1")),
            ("playbook-edit", format!("/playbooks/{playbook}/edit")),
            ("playbook-keep", format!("/sequences/{result}/playbook")),
        ];
        let page = |name, path, status| Page { name, path, status, is_outside: false, form: None };
        // A session that was opened with an API token is asked to confirm.
        let form = Form {
            label: "What a new token is for",
            text: title.chars().take(40).collect(),
            button: "Make a token",
            heading: "Confirm that it is you",
        };
        let confirm = Page { form: Some(form), ..page("confirm", "/settings/you".to_owned(), 403) };
        let outside = Page { is_outside: true, ..page("sign-in", "/sign-in".to_owned(), 200) };
        let always = PAGES.iter().map(|(name, path, status)| page(name, (*path).to_owned(), *status));
        let own = own.into_iter().map(|(name, path)| page(name, path, 200));
        Ok([outside, confirm].into_iter().chain(always).chain(own).collect())
    }

    /// Goes to a page: by its address, or by the form whose answer it is.
    pub(super) fn reach(&self, tab: &Tab, page: &Page) -> anyhow::Result<Navigation> {
        let url = self.url(&page.path);
        let Some(form) = &page.form else { return tab.goto_for(&url, page.status) };
        tab.goto(&url)?;
        tab.fill(&Find::label(form.label), &form.text)?;
        tab.click(&Find::button(form.button))?;
        tab.shows(&Find::heading(form.heading), 15)?;
        let here = tab.here()?;
        ensure!(here.status == page.status, "{} was answered {here:?}", page.name);
        tab.settled()
    }

    /// Goes through every page as somebody with that device.
    pub(super) fn visit(
        &self,
        device: Device,
        pages: &[Page],
        mut look: impl FnMut(&Tab, &Page) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (outside, inside) = (self.browser.open(device)?, self.signed_in(device)?);
        for page in pages {
            let tab = if page.is_outside { &outside } else { &inside };
            self.reach(tab, page)?;
            look(tab, page)
                .with_context(|| format!("{} at {} px, {:?}", page.name, device.width, device.scheme))?;
        }
        outside.close()?;
        inside.close()
    }
}
