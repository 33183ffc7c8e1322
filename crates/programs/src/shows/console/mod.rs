//! The console in a real browser: what a technician does in it, and what its pages may not do to them.

mod axe;
mod foreign;
mod hands;
mod hostile;
mod main_job;
mod screenshots;
mod stage;
mod two_people;
mod weight;

use std::net::TcpListener;

use crate::harness::{Device, Scheme};

pub(super) use axe::run as axe;
pub(super) use hostile::run as hostile;
pub(super) use main_job::run as browser;
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
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
