//! The server as machines, people and operators meet it: over sockets, on a data directory of its own.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod accounts;
mod admin;
mod client;
mod flood;
mod flow;
mod front;
mod hostile;
mod machine;
mod operations;
mod order_key;
mod plane;
mod protected;
mod restore;
mod room;
mod shutdown;
mod tls;
