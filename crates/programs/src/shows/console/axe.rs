//! Every page for everybody: axe finds nothing grave, nothing has to be pushed sideways, and the focus goes as one reads.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::DEVICES;
use super::stage::{Page, Stage};
use crate::harness::{Device, Scheme, Tab};
use crate::shows::{Scale, figure};

/// Most presses of the tab key on one page.
const PRESSES_MAX: usize = 400;

/// Most places within a field for a day and time: year, month, day, hour, minute, half of the day, and the calendar.
const PARTS_MAX: usize = 7;

/// Days until the end of an order key: one of each stage of the warning around every page.
const KEY_DAYS: [&str; 3] = ["50", "20", "5"];

/// Looks at every page in both themes and widths, and at the warnings that are around each.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    stage.crowd()?;
    let pages = stage.furnish()?;
    let mut found = Found::default();
    for device in DEVICES {
        stage.visit(device, &pages, |tab, page| found.look(tab, page, device))?;
    }
    let overnight: Vec<_> = pages.into_iter().filter(|page| page.name == "overnight").collect();
    for days in KEY_DAYS {
        stage.key_ends_in(days)?;
        for device in DEVICES {
            stage.visit(device, &overnight, |tab, page| {
                tab.says("The order key ends on", 15)?;
                found.look(tab, page, device)
            })?;
        }
    }
    let Found { looked, reached, grave, slight } = found;
    figure("pages looked at, in both themes at 1280 and 360 px", looked);
    figure("places that the tab key reached, in reading order", reached);
    figure("grave findings", grave.len());
    figure("slight ones by rule and page", format!("{slight:?}"));
    ensure!(grave.is_empty(), "{}", grave.join("\n  "));
    Ok(())
}

/// What was found on all pages.
#[derive(Default)]
struct Found {
    looked: usize,
    reached: usize,
    grave: Vec<String>,
    slight: BTreeMap<String, usize>,
}

impl Found {
    fn look(&mut self, tab: &Tab, page: &Page, device: Device) -> anyhow::Result<()> {
        let place = format!("{} at {} px, {:?}", page.name, device.width, device.scheme);
        self.looked += 1;
        for violation in tab.violations()? {
            if violation.is_grave() {
                self.grave.push(format!("{place}: {violation:?}"));
            } else {
                *self.slight.entry(format!("{} on {}", violation.rule, page.name)).or_default() += 1;
            }
        }
        let layout = tab.layout()?;
        if layout.scroll_width > layout.width {
            self.grave.push(format!("{place}: has to be pushed sideways: {layout:?}"));
        }
        // Where the focus goes is no matter of colour.
        if device.scheme == Scheme::Light {
            match focus_order(tab) {
                Ok(count) => self.reached += count,
                Err(error) => self.grave.push(format!("{place}: {error:#}")),
            }
        }
        Ok(())
    }
}

/// Goes through the page with the tab key; answers how many places it reached.
fn focus_order(tab: &Tab) -> anyhow::Result<usize> {
    let mut passed: Vec<usize> = Vec::new();
    let (mut last, mut parts) = (String::new(), 0);
    for _ in 0..PRESSES_MAX {
        tab.press("Tab")?;
        let Some(focus) = tab.focused()? else { break };
        if passed.first() == Some(&focus.position) {
            break;
        }
        let name = format!("the {} “{}”", focus.role, focus.name);
        ensure!(focus.is_marked, "nothing shows that {name} has the focus");
        ensure!(focus.is_visible, "{name} has the focus out of sight");
        if focus.role == "DateTime" && passed.last() == Some(&focus.position) {
            parts += 1;
            ensure!(parts < PARTS_MAX, "the tab key does not leave {name}");
            continue;
        }
        parts = 0;
        ensure!(passed.last() < Some(&focus.position), "{name} is reached after {last}, and read before it");
        passed.push(focus.position);
        last = name;
    }
    ensure!((1..PRESSES_MAX).contains(&passed.len()), "the tab key reaches {} places", passed.len());
    Ok(passed.len())
}
