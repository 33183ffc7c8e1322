//! What Linux itself has to say: read from `/proc`, `/etc` and netlink.

mod addresses;
mod disks;
mod icmp;
mod journal;
mod links;
mod netlink;
mod network;
mod ownership;
mod processes;
mod resolver;
mod routes;
mod system;
mod systemd;
mod time;

pub(super) use disks::{file_system_of, file_systems};
pub(super) use icmp::{Icmp, IcmpError};
pub(super) use journal::{Asked, ENTRIES_MAX, read_log};
pub(super) use network::network;
pub(super) use ownership::{group_name, user_name};
pub(super) use processes::{processes, sample};
pub(super) use resolver::{Resolver, resolver};
pub(super) use system::facts;
pub(super) use systemd::{service, unit_name};
pub(super) use time::{chrony, daemon, kernel as clock_state};
