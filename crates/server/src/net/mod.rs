//! From a socket to the routes: listening, TLS, HTTP, and patience with slow clients.

mod activity;
mod body;
mod budget;
mod connection;
mod forwarded;
mod gate;
mod listener;
mod network;
mod patience;
mod proxy_protocol;
mod tls;

use std::time::{Duration, Instant};

pub(crate) use budget::Budget;
pub(crate) use forwarded::Proxies;
pub use forwarded::{InvalidProxyNetwork, ProxyNetwork};
pub(crate) use listener::{CONNECTIONS_MAX, Gate, Listener, Serving, bind};
pub(crate) use network::{network, tiers};
pub(crate) use tls::Tls;

tokio::task_local! {
    /// When the request that this task answers arrived.
    static ARRIVED: Instant;
}

/// How long the request that this task answers has taken; zero outside of one.
pub(crate) fn request_time() -> Duration {
    ARRIVED.try_with(Instant::elapsed).unwrap_or_default()
}
