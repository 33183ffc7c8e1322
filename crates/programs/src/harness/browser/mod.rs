//! A real browser that a person's hands are played in: Chromium, told what to do over a pipe.
//!
//! Node.js with playwright-core stands between, because it knows when an element can be clicked; it is a child process
//! (`crates/programs/browser/driver.mjs`) that answers one line of JSON with one line. `./dev` installs all of it.
//!
//! What no page of ours may do fails whatever was asked of the tab next: an error in the console, a breach of the
//! content security policy, an uncaught exception, a request to somebody else, a window, a dialog nobody announced.

mod driver;
mod find;
mod seen;
mod tab;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::json;

use driver::Driver;
pub use find::Find;
pub use seen::{Cookie, Focus, Here, Layout, Navigation, Request, Violation};
pub use tab::Tab;

/// One browser process. Its tabs go with it.
#[derive(Debug)]
pub struct Browser {
    driver: Arc<Mutex<Driver>>,
    /// The browser's version.
    pub version: String,
}

/// How a person sees the pages: a device and what was set on it. Each has cookies of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The width of the viewport in CSS pixels.
    pub width: u32,
    /// The height of the viewport in CSS pixels.
    pub height: u32,
    /// A phone: touched, not pointed at, and its viewport follows the page's `meta`.
    pub touch: bool,
    /// Dark or light.
    pub scheme: Scheme,
    /// Whether pages may run script.
    pub script: bool,
    /// Whether the person asked for less movement.
    pub motion: Motion,
    /// The person's time zone.
    pub zone: &'static str,
    /// What becomes of a dialog.
    pub dialogs: Dialogs,
}

/// Which of its two themes a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// How much may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// What the page likes.
    NoPreference,
    /// Nothing that need not.
    Reduce,
}

/// What becomes of a dialog, such as a question whether one is sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialogs {
    /// It is a failure: none was announced.
    Refuse,
    /// It is answered with yes.
    Accept,
}

impl Device {
    /// A desk: 1280 px wide, a mouse and a keyboard.
    pub const DESK: Self = Self {
        width: 1280,
        height: 800,
        touch: false,
        scheme: Scheme::Light,
        script: true,
        motion: Motion::Reduce,
        zone: "UTC",
        dialogs: Dialogs::Refuse,
    };

    /// A small phone: 360 px wide and touched.
    pub const PHONE: Self = Self { width: 360, height: 740, touch: true, ..Self::DESK };

    /// The same in another theme.
    pub const fn in_scheme(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    /// The same without script.
    pub const fn without_script(self) -> Self {
        Self { script: false, ..self }
    }
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When it is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let (driver, version) = Driver::start()?;
        Ok(Self { driver: Arc::new(Mutex::new(driver)), version })
    }

    /// Why none can be started here; `None`: it can.
    pub fn missing() -> Option<String> {
        if modules().is_none() {
            return Some("TIDEGATE_BROWSER names no folder with playwright-core: `./dev` installs it".into());
        }
        (!chromium().is_file()).then(|| format!("there is no {}: `./dev` installs it", chromium().display()))
    }

    /// Opens an empty tab of a person who uses `device`.
    ///
    /// # Errors
    ///
    /// When the browser refuses or is gone.
    pub fn open(&self, device: Device) -> anyhow::Result<Tab> {
        let mut request = serde_json::to_value(device)?;
        request["op"] = json!("open");
        let mut driver = self.driver.lock().map_err(|_| anyhow::anyhow!("a panic ended another's use"))?;
        let opened = driver.ask(&request)?;
        drop(driver);
        Ok(Tab::new(self.driver.clone(), opened["tab"].as_u64().unwrap_or_default(), device))
    }

    /// When each of the tabs first showed what it [watches](Tab::watch) for: milliseconds since 1970, in their order.
    ///
    /// # Errors
    ///
    /// When one has not shown it within `seconds`.
    pub fn arrivals(&self, tabs: &[&Tab], seconds: u64) -> anyhow::Result<Vec<u64>> {
        let ids: Vec<_> = tabs.iter().map(|tab| tab.id()).collect();
        let request = json!({ "op": "arrivals", "tabs": ids, "timeout": seconds * 1000 });
        let mut driver = self.driver.lock().map_err(|_| anyhow::anyhow!("a panic ended another's use"))?;
        Ok(serde_json::from_value(driver.ask(&request)?)?)
    }
}

/// Where playwright-core and axe-core are.
fn modules() -> Option<OsString> {
    std::env::var_os("TIDEGATE_BROWSER").filter(|folder| PathBuf::from(folder).join("node_modules").is_dir())
}

fn chromium() -> PathBuf {
    std::env::var_os("TIDEGATE_CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from)
}
