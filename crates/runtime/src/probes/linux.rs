//! What Linux itself has to say: read from `/proc`, `/etc` and netlink.

mod addresses;
mod files;
mod icmp;
mod journal;
mod links;
mod netlink;
mod network;
mod resolver;
mod routes;
mod system;
mod systemd;

pub(super) use files::{open_without_waiting, read_at, real_path};
pub(super) use icmp::{Icmp, IcmpError};
pub(super) use journal::{Asked, ENTRIES_MAX, read_log};
pub(super) use network::network;
pub(super) use resolver::{Resolver, resolver};
pub(super) use system::facts;
pub(super) use systemd::{service, unit_name};
