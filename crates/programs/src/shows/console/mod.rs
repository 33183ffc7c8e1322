//! The console in a real browser: what a technician does in it, and what its pages may not do to them.

mod axe;
mod foreign;
mod furniture;
mod hands;
mod hostile;
mod main_job;
mod morning;
mod multitude;
mod screenshots;
mod stage;
mod two_people;
mod weight;

use crate::harness::{Browser, Device, Find, Scheme, Tab, World, free_port};

pub(super) use axe::run as axe;
pub(super) use hostile::run as hostile;
pub(super) use main_job::run as browser;
pub(super) use morning::run as morning;
pub(super) use screenshots::run as screenshots;
pub(super) use two_people::run as two_people;
pub(super) use weight::run as weight;

/// The two widths in the two themes.
const DEVICES: [Device; 4] = [
    Device::DESK,
    Device::DESK.in_scheme(Scheme::Dark),
    Device::PHONE,
    Device::PHONE.in_scheme(Scheme::Dark),
];

/// A port of loopback on which nothing listens.
fn closed_port() -> anyhow::Result<u16> {
    free_port()
}

/// A tab of somebody who has signed in with an API token.
fn signed_in(browser: &Browser, world: &World, device: Device) -> anyhow::Result<Tab> {
    let tab = browser.open(device)?;
    tab.goto(&format!("{}/sign-in", world.plane.url()))?;
    tab.fill(&Find::label("One-time link"), &world.plane.token)?;
    tab.click(&Find::button("Sign in with it"))?;
    tab.shows(&Find::heading("Overnight"), 15)?;
    tab.settled()?;
    Ok(tab)
}
