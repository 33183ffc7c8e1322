//! Every page for everybody: axe finds nothing grave, nothing has to be pushed sideways, and the focus goes as one reads.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::DEVICES;
use super::stage::Stage;
use crate::harness::{Scheme, Tab};
use crate::shows::{Scale, figure};

/// Most presses of the tab key on one page.
const PRESSES_MAX: usize = 400;

/// Most places within a field for a day and time: year, month, day, hour, minute, half of the day, and the calendar.
const PARTS_MAX: usize = 7;

/// Looks at every page in both themes and widths.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    stage.crowd()?;
    let pages = stage.furnish()?;
    let (mut looked, mut reached) = (0_usize, 0_usize);
    let (mut grave, mut slight): (Vec<String>, BTreeMap<String, usize>) = Default::default();
    for device in DEVICES {
        stage.visit(device, &pages, |tab, page| {
            let place = format!("{} at {} px, {:?}", page.name, device.width, device.scheme);
            looked += 1;
            for violation in tab.violations()? {
                if violation.is_grave() {
                    grave.push(format!("{place}: {violation:?}"));
                } else {
                    *slight.entry(format!("{} on {}", violation.rule, page.name)).or_default() += 1;
                }
            }
            let layout = tab.layout()?;
            if layout.scroll_width > layout.width {
                grave.push(format!("{place}: has to be pushed sideways: {layout:?}"));
            }
            // Where the focus goes is no matter of colour.
            if device.scheme == Scheme::Light {
                match focus_order(tab) {
                    Ok(count) => reached += count,
                    Err(error) => grave.push(format!("{place}: {error:#}")),
                }
            }
            Ok(())
        })?;
    }
    figure("pages looked at, in both themes at 1280 and 360 px", looked);
    figure("places that the tab key reached, in reading order", reached);
    figure("grave findings", grave.len());
    figure("slight ones by rule and page", format!("{slight:?}"));
    ensure!(grave.is_empty(), "{}", grave.join("\n  "));
    Ok(())
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
