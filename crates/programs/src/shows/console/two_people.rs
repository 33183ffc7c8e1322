//! Two people at one machine: what one begins and queues is on the other's page at once, however many look.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

use super::stage::{MACHINE, Stage};
use crate::harness::{Device, Find, Tab};
use crate::shows::{Scale, figure};

/// Tabs of the second person, all on the machine's page.
const TABS: usize = 50;
/// How long a change may take to be on all of them.
const WITHIN_SECONDS: u64 = 30;

/// One drafts, edits and queues; the other looks on.
pub(in crate::shows) fn run(scale: Scale) -> anyhow::Result<()> {
    let mut stage = Stage::new()?;
    let place = stage.url(&format!("/machines/{}", stage.machine.endpoint));
    let first = stage.signed_in(Device::DESK)?;
    // A browser keeps six connections to a host, and one listens in each tab: so each has cookies of its own. They
    // share one session, since an address may not sign in so often.
    let session = stage.session()?;
    let mut watching = Vec::new();
    for _ in 0..scale.pick(TABS, 5) {
        let tab = stage.browser.open(Device::DESK)?;
        tab.give_cookie(&stage.url("/"), "tidegate", &session)?;
        watching.push(tab);
    }
    for tab in &watching {
        tab.goto(&place)?;
    }
    figure("tabs that look at one machine's page", watching.len());

    first.goto(&place)?;
    first.choose(&Find::label("Begin with"), "ping")?;
    told(&stage, &watching, "begun by owner", "a draft that is begun", || {
        first.click(&Find::button("Draft a sequence"))?;
        first.shows(&Find::heading("Draft").exact(), 15)
    })?;
    first.fill(&Find::label("Title"), "Look at the drive")?;
    first.fill(&Find::label("host").inside(Find::css("#step-1")), "127.0.0.1")?;
    told(&stage, &watching, "Look at the drive", "its title", || {
        first.click(&Find::button("Save").exact())?;
        first.settled().map(drop)
    })?;
    told(&stage, &watching, "Queued", "that it is queued", || {
        first.click(&Find::button("Queue for"))?;
        first.shows(&Find::heading("Steps"), 15)
    })?;
    stage.machine.start()?;
    let asked = Instant::now();
    for tab in &watching {
        tab.watch("1 of 1 steps ran")?;
    }
    stage.browser.arrivals(&watching.iter().collect::<Vec<_>>(), WITHIN_SECONDS)?;
    figure(
        "from the machine's start to its result on every page",
        format!("{:.1} s", asked.elapsed().as_secs_f64()),
    );
    for tab in watching {
        ensure!(tab.text()?.contains(MACHINE), "it is the page of the machine");
        tab.close()?;
    }
    Ok(())
}

/// Does something, and says how long it took until `text` was on every page.
fn told(
    stage: &Stage,
    tabs: &[Tab],
    text: &str,
    what: &str,
    act: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for tab in tabs {
        ensure!(!tab.text()?.contains(text), "“{text}” is there before it happened");
        tab.watch(text)?;
    }
    let began = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    act()?;
    let arrivals = stage.browser.arrivals(&tabs.iter().collect::<Vec<_>>(), WITHIN_SECONDS);
    let mut took: Vec<_> =
        arrivals.with_context(|| what.to_owned())?.iter().map(|at| at.saturating_sub(began)).collect();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    figure(what, format!("p50 {} ms, p99 {} ms, the last {} ms after the press", at(50), at(99), at(100)));
    Ok(())
}
