//! One tab: what a person does in it, and what it shows them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::driver::Driver;
use super::{Cookie, Device, Find, Focus, Here, Layout, Navigation, Violation};

/// How long something may take that happens at once.
const AT_ONCE_MS: u64 = 15_000;

/// Most presses of the tab key that reach anything on a page.
const PRESSES_MAX: usize = 300;

/// The most of a page's height that a picture holds, in CSS pixels.
const SHOT_HEIGHT_MAX: u32 = 4800;

/// One tab. Tabs of one [`Browser::open`](super::Browser::open) share cookies, and nobody else's.
#[derive(Debug)]
pub struct Tab {
    driver: Arc<Mutex<Driver>>,
    id: u64,
    /// Whose it is.
    pub device: Device,
}

#[derive(Deserialize)]
struct Told {
    value: Value,
    problems: Vec<String>,
}

impl Tab {
    pub(super) fn new(driver: Arc<Mutex<Driver>>, id: u64, device: Device) -> Self {
        Self { driver, id, device }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Another tab of the same person.
    ///
    /// # Errors
    ///
    /// When the browser refuses or is gone.
    pub fn another(&self) -> anyhow::Result<Self> {
        let mut driver = self.driver.lock().map_err(|_| anyhow::anyhow!("a panic ended another's use"))?;
        let opened = driver.ask(&json!({ "op": "another", "tab": self.id }))?;
        let id = opened["tab"].as_u64().context("a tab has an id")?;
        Ok(Self { driver: self.driver.clone(), id, device: self.device })
    }

    // --- Going somewhere ---

    /// Goes to `url` and waits until everything of it is there.
    ///
    /// # Errors
    ///
    /// When it is not answered with 200.
    pub fn goto(&self, url: &str) -> anyhow::Result<Navigation> {
        self.goto_for(url, 200)
    }

    /// The same where another status is right.
    ///
    /// # Errors
    ///
    /// When it is answered with another one.
    pub fn goto_for(&self, url: &str, status: u16) -> anyhow::Result<Navigation> {
        self.judged(json!({ "op": "goto", "url": url }), status)
    }

    /// Loads the page anew.
    ///
    /// # Errors
    ///
    /// When it is not answered with 200.
    pub fn reload(&self) -> anyhow::Result<Navigation> {
        self.judged(json!({ "op": "reload" }), 200)
    }

    /// Goes back to the page before.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn back(&self) -> anyhow::Result<Navigation> {
        self.judged(json!({ "op": "back" }), 200)
    }

    /// Waits until everything of the page is there, and answers what it cost.
    ///
    /// # Errors
    ///
    /// When something of it does not come.
    pub fn settled(&self) -> anyhow::Result<Navigation> {
        self.ask(json!({ "op": "settled" }))
    }

    /// Waits until the address contains `part`.
    ///
    /// # Errors
    ///
    /// When that does not happen.
    pub fn address(&self, part: &str) -> anyhow::Result<Here> {
        self.ask(json!({ "op": "address", "contains": part }))
    }

    /// Where it is.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn here(&self) -> anyhow::Result<Here> {
        self.ask(json!({ "op": "here" }))
    }

    fn judged(&self, request: Value, status: u16) -> anyhow::Result<Navigation> {
        let navigation: Navigation = self.ask(request)?;
        let found = navigation.status;
        ensure!(found == status, "{} was answered {found}, not {status}: {}", navigation.url, self.text()?);
        Ok(navigation)
    }

    // --- What a person does ---

    /// Clicks it, once it can be; on a phone taps it.
    ///
    /// # Errors
    ///
    /// When there is none or more than one, or it cannot be clicked.
    pub fn click(&self, find: &Find) -> anyhow::Result<()> {
        let op = if self.device.touch { "tap" } else { "click" };
        self.ask(json!({ "op": op, "find": find }))
    }

    /// Drags it onto `to` with the mouse. Both have to fit into the viewport.
    ///
    /// # Errors
    ///
    /// When there is none of one or more than one.
    pub fn drag(&self, find: &Find, to: &Find) -> anyhow::Result<()> {
        self.ask(json!({ "op": "drag", "find": find, "to": to }))
    }

    /// Points at it.
    ///
    /// # Errors
    ///
    /// When there is none or more than one.
    pub fn hover(&self, find: &Find) -> anyhow::Result<()> {
        self.ask(json!({ "op": "hover", "find": find }))
    }

    /// Puts `text` into a field in place of what is there.
    ///
    /// # Errors
    ///
    /// When there is none or more than one, or it takes no text.
    pub fn fill(&self, find: &Find, text: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "fill", "find": find, "text": text }))
    }

    /// Chooses the option with this label.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn choose(&self, find: &Find, option: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "choose", "find": find, "option": option }))
    }

    /// Presses a key, such as `Tab`, `Enter` or `Control+K`.
    ///
    /// # Errors
    ///
    /// When there is no such key.
    pub fn press(&self, keys: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "press", "keys": keys }))
    }

    /// Types text where the focus is.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn type_text(&self, text: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "type", "text": text }))
    }

    /// Presses the tab key until the focus is on something of this role whose name contains `name`, and answers how
    /// often. Everything on the way must show that it has the focus.
    ///
    /// # Errors
    ///
    /// When it is never reached, or the focus cannot be seen on the way.
    pub fn tab_to(&self, role: &str, name: &str) -> anyhow::Result<usize> {
        let mut passed = Vec::new();
        for presses in 1..=PRESSES_MAX {
            self.press("Tab")?;
            let Some(focus) = self.focused()? else { continue };
            ensure!(focus.is_marked, "nothing shows that the {} “{}” has the focus", focus.role, focus.name);
            ensure!(focus.is_visible, "the {} “{}” has the focus out of sight", focus.role, focus.name);
            if focus.role == role && focus.name.contains(name) {
                return Ok(presses);
            }
            passed.push(format!("{} “{}”", focus.role, focus.name));
        }
        passed.dedup();
        anyhow::bail!("no {role} “{name}” is reached with the tab key, but {}", passed.join(", "))
    }

    // --- What is there ---

    /// Waits until it is shown.
    ///
    /// # Errors
    ///
    /// When it is not within `seconds`.
    pub fn shows(&self, find: &Find, seconds: u64) -> anyhow::Result<()> {
        self.ask(json!({ "op": "wait", "find": find, "state": "visible", "timeout": seconds * 1000 }))
    }

    /// Waits until it is not shown.
    ///
    /// # Errors
    ///
    /// When it still is after `seconds`.
    pub fn hides(&self, find: &Find, seconds: u64) -> anyhow::Result<()> {
        self.ask(json!({ "op": "wait", "find": find, "state": "hidden", "timeout": seconds * 1000 }))
    }

    /// Waits until the page shows this text somewhere.
    ///
    /// # Errors
    ///
    /// When it does not within `seconds`.
    pub fn says(&self, text: &str, seconds: u64) -> anyhow::Result<()> {
        self.shows(&Find::text(text), seconds)
    }

    /// How many there are.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn count(&self, find: &Find) -> anyhow::Result<usize> {
        self.ask(json!({ "op": "count", "find": find }))
    }

    /// The texts of all that are there, as they are shown.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn texts(&self, find: &Find) -> anyhow::Result<Vec<String>> {
        self.ask(json!({ "op": "texts", "find": find }))
    }

    /// What is in a field.
    ///
    /// # Errors
    ///
    /// When there is none or more than one.
    pub fn value(&self, find: &Find) -> anyhow::Result<String> {
        self.ask(json!({ "op": "value", "find": find }))
    }

    /// An attribute of it; `None`: it has none of that name.
    ///
    /// # Errors
    ///
    /// When there is none or more than one.
    pub fn attribute(&self, find: &Find, name: &str) -> anyhow::Result<Option<String>> {
        self.ask(json!({ "op": "attribute", "find": find, "name": name }))
    }

    /// All the text of the page, as it is shown.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn text(&self) -> anyhow::Result<String> {
        self.ask(json!({ "op": "text" }))
    }

    /// The page's HTML as the browser understood it.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn source(&self) -> anyhow::Result<String> {
        self.ask(json!({ "op": "source" }))
    }

    /// The page as a program that reads it out is told it: roles and names, indented.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn outline(&self) -> anyhow::Result<String> {
        self.ask(json!({ "op": "aria" }))
    }

    /// What has the focus; `None`: nothing on the page.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn focused(&self) -> anyhow::Result<Option<Focus>> {
        self.ask(json!({ "op": "focused" }))
    }

    /// How the page lies in its viewport.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn layout(&self) -> anyhow::Result<Layout> {
        self.ask(json!({ "op": "layout" }))
    }

    /// What axe finds against the page. It takes script.
    ///
    /// # Errors
    ///
    /// When it cannot look, or no rule applied at all.
    pub fn violations(&self) -> anyhow::Result<Vec<Violation>> {
        #[derive(Deserialize)]
        struct Found {
            passed: usize,
            violations: Vec<Violation>,
        }
        let found: Found = self.ask(json!({ "op": "axe" }))?;
        ensure!(found.passed > 0, "no rule of axe applied: the page is empty");
        Ok(found.violations)
    }

    /// Takes a picture of the viewport, or of the whole page down to a bound.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn shot(&self, path: &Path, whole_page: bool) -> anyhow::Result<()> {
        let (op, height_max) = ("shot", SHOT_HEIGHT_MAX);
        self.ask(json!({ "op": op, "path": path, "full": whole_page, "height_max": height_max }))
    }

    // --- Around it ---

    /// Notes, from here on, when the page first holds `text`; [`Browser::arrivals`](super::Browser::arrivals) tells.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn watch(&self, text: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "watch", "text": text }))
    }

    /// The cookies of this person.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn cookies(&self) -> anyhow::Result<Vec<Cookie>> {
        self.ask(json!({ "op": "cookies" }))
    }

    /// Plants a cookie, as somebody could who once had the device.
    ///
    /// # Errors
    ///
    /// When the browser does not take it.
    pub fn give_cookie(&self, url: &str, name: &str, value: &str) -> anyhow::Result<()> {
        self.ask(json!({ "op": "give_cookie", "url": url, "name": name, "value": value }))
    }

    /// What the page did since it was last asked that none of ours may do. They are forgiven.
    ///
    /// # Errors
    ///
    /// When the browser is gone.
    pub fn problems(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.told(json!({ "op": "here" }))?.problems)
    }

    /// Closes it.
    ///
    /// # Errors
    ///
    /// When the page had problems.
    pub fn close(self) -> anyhow::Result<()> {
        self.ask(json!({ "op": "close" }))
    }

    fn ask<T: DeserializeOwned>(&self, request: Value) -> anyhow::Result<T> {
        let told = self.told(request)?;
        ensure!(told.problems.is_empty(), "the page did what it may not: {}", told.problems.join("\n  "));
        Ok(serde_json::from_value(told.value)?)
    }

    fn told(&self, mut request: Value) -> anyhow::Result<Told> {
        request["tab"] = json!(self.id);
        if request["timeout"].is_null() {
            request["timeout"] = json!(AT_ONCE_MS);
        }
        let mut driver = self.driver.lock().map_err(|_| anyhow::anyhow!("a panic ended another's use"))?;
        Ok(serde_json::from_value(driver.ask(&request)?)?)
    }
}
