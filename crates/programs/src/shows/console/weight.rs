//! What every page costs: on the wire first and once the browser keeps what may be kept, and the server's time.

use anyhow::ensure;

use super::multitude;
use super::stage::{Page, Stage};
use crate::harness::{Device, Navigation};
use crate::shows::{Scale, figure};

/// Bytes of a page to somebody who never saw one, heads, styles and scripts included.
const FIRST_BYTES_MAX: f64 = 100_000.0;
/// Bytes of a page to somebody who has seen another.
const AFTER_BYTES_MAX: f64 = 30_000.0;

/// Weighs every page, and times them among very many machines.
pub(in crate::shows) fn run(scale: Scale) -> anyhow::Result<()> {
    weigh_all()?;
    multitude::run(scale)
}

fn weigh_all() -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    stage.crowd()?;
    let pages = stage.furnish()?;
    let session = stage.session()?;
    for page in &pages {
        let (first, after) = weigh(&stage, page, &session)?;
        figure(page.name, format!("{:.1} KB first, {:.1} KB after", first.bytes / 1e3, after.bytes / 1e3));
        ensure!(first.bytes <= FIRST_BYTES_MAX, "{} is over its budget: {first:#?}", page.name);
        ensure!(after.bytes <= AFTER_BYTES_MAX, "{} is over its budget: {after:#?}", page.name);
    }
    Ok(())
}

/// The page in a browser that has nothing of ours, and then once more.
fn weigh(stage: &Stage, page: &Page, session: &str) -> anyhow::Result<(Navigation, Navigation)> {
    let tab = stage.browser.open(Device::DESK)?;
    if !page.is_outside {
        // Somebody who signed in without the console's help, so that nothing is kept yet.
        tab.give_cookie(&stage.url("/"), "tidegate", session)?;
    }
    let first = stage.reach(&tab, page)?;
    let after = stage.reach(&tab, page)?;
    // The form of a page that is reached by one has been here before it.
    let is_first = page.form.is_none();
    ensure!(
        !is_first || first.requests.iter().all(|request| !request.is_cached),
        "something was kept: {first:#?}"
    );
    tab.close()?;
    Ok((first, after))
}
