//! A person's hands, in one of four ways of using the console. What they did is counted.

use anyhow::Context as _;

use crate::harness::{Device, Find, Tab};

/// How somebody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A mouse and a keyboard at 1280 px.
    Mouse,
    /// A keyboard alone at 1280 px.
    Keyboard,
    /// Fingers at 360 px.
    Touch,
    /// A mouse and a keyboard at 1280 px, in a browser without script.
    Plain,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Mouse, Self::Keyboard, Self::Touch, Self::Plain];

    pub(super) fn device(self) -> Device {
        match self {
            Self::Mouse | Self::Keyboard => Device::DESK,
            Self::Touch => Device::PHONE,
            Self::Plain => Device::DESK.without_script(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mouse => "mouse, 1280 px",
            Self::Keyboard => "keyboard alone, 1280 px",
            Self::Touch => "touch, 360 px",
            Self::Plain => "without script, 1280 px",
        }
    }
}

/// One person at one tab.
pub(super) struct Hands {
    pub(super) tab: Tab,
    way: Way,
    /// Clicks and taps.
    pub(super) presses: usize,
    /// Keys that typed a character.
    pub(super) typed: usize,
    /// Every other key: tab, return, the one that loads a page anew.
    pub(super) keys: usize,
    /// Pages that were loaded.
    pub(super) pages: usize,
    /// What they cost on the wire, heads included.
    pub(super) bytes: f64,
}

impl Hands {
    pub(super) fn new(tab: Tab, way: Way) -> Self {
        Self { tab, way, presses: 0, typed: 0, keys: 0, pages: 0, bytes: 0.0 }
    }

    /// Types an address.
    pub(super) fn go(&mut self, url: &str) -> anyhow::Result<()> {
        let navigation = self.tab.goto(url)?;
        self.count(navigation.bytes);
        Ok(())
    }

    /// Loads the page anew.
    pub(super) fn reload(&mut self) -> anyhow::Result<()> {
        let navigation = self.tab.reload()?;
        self.keys += 1;
        self.count(navigation.bytes);
        Ok(())
    }

    /// Notes a page that one got to; call it once something of that page is there.
    pub(super) fn arrived(&mut self) -> anyhow::Result<()> {
        let navigation = self.tab.settled()?;
        anyhow::ensure!(navigation.status == 200, "{} was answered {}", navigation.url, navigation.status);
        self.count(navigation.bytes);
        Ok(())
    }

    fn count(&mut self, bytes: f64) {
        self.pages += 1;
        self.bytes += bytes;
    }

    /// Presses a button.
    pub(super) fn press(&mut self, button: &str) -> anyhow::Result<()> {
        self.activate("button", button)
    }

    /// Follows a link.
    pub(super) fn follow(&mut self, link: &str) -> anyhow::Result<()> {
        self.activate("link", link)
    }

    fn activate(&mut self, role: &str, name: &str) -> anyhow::Result<()> {
        if self.way == Way::Keyboard {
            self.reach(role, name)?;
            self.keys += 1;
            return self.tab.press("Enter");
        }
        self.presses += 1;
        // In most browsers a name is found within another; what comes first on the page is what a person sees first.
        self.tab.click(&Find::role(role, name).nth(0)).with_context(|| format!("the {role} “{name}”"))
    }

    /// Whether this person moves steps with the mouse.
    pub(super) fn drags(&self) -> bool {
        self.way == Way::Mouse
    }

    /// Drags one thing onto another.
    pub(super) fn drag(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.presses += 1;
        self.tab.drag(&Find::css(from), &Find::css(to)).with_context(|| format!("{from} onto {to}"))
    }

    /// Writes into the field of that role and label; `within` says where, for those who look.
    pub(super) fn write(&mut self, role: &str, label: &str, within: &str, text: &str) -> anyhow::Result<()> {
        self.typed += text.chars().count();
        if self.way == Way::Keyboard {
            self.reach(role, label)?;
            // What stands there is selected, and so replaced.
            self.keys += 1;
            self.tab.press("Control+A")?;
            return self.tab.type_text(text);
        }
        self.presses += 1;
        let field = Find::role(role, label).inside(Find::css(within));
        self.tab.click(&field).with_context(|| format!("the field “{label}” of {within}"))?;
        self.tab.fill(&field, text)
    }

    /// The same for a secret, which is read out to nobody: it has no role.
    pub(super) fn write_secret(&mut self, label: &str, text: &str) -> anyhow::Result<()> {
        if self.way == Way::Keyboard {
            self.reach("textbox", label)?;
            return self.tab.type_text(text);
        }
        self.presses += 1;
        self.tab.fill(&Find::label(label), text)
    }

    /// Chooses an option.
    pub(super) fn choose(&mut self, label: &str, option: &str) -> anyhow::Result<()> {
        let list = Find::role("combobox", label);
        if self.way == Way::Keyboard {
            self.reach("combobox", label)?;
            self.typed += option.chars().count();
            self.tab.type_text(option)?;
        } else {
            self.presses += 2;
            self.tab.choose(&list, option)?;
        }
        Ok(())
    }

    fn reach(&mut self, role: &str, name: &str) -> anyhow::Result<()> {
        self.keys += self.tab.tab_to(role, name)?;
        Ok(())
    }

    /// Whether the pages change by themselves for this person.
    pub(super) fn is_live(&self) -> bool {
        self.way != Way::Plain
    }

    /// What it took.
    pub(super) fn sum(&self) -> String {
        let Self { presses, typed, keys, pages, bytes, .. } = self;
        let presses = if *presses > 0 { format!("{presses} presses") } else { format!("{keys} keys") };
        format!("{presses}, {typed} characters, {pages} pages, {:.0} KB", bytes / 1000.0)
    }
}
