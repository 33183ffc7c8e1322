//! Tidegate's control plane on one machine: tokio, TLS and one SQLite file behind the routes.
//!
//! It is the host that the routes and the core ask for: it opens transactions, tells the time, holds requests,
//! limits and counts them. What a message means and what is decided about it is the core's; how it looks in HTTP is
//! the routes'. Nothing here reads a table of theirs.

pub mod admin;
mod clock;
mod data;
mod host;
mod identity;
mod limits;
mod logs;
mod metrics;
mod net;
mod operations;
mod options;
mod schemas;
mod serve;
mod server;
mod stop;
mod system;
mod tasks;

pub use net::{InvalidProxyNetwork, ProxyNetwork};
pub use options::{LogFormat, ServeOptions, TlsFiles};
pub use serve::{run, serve};
pub use server::{Addresses, Running, Server};
pub use tidegate_web::{InvalidPublicUrl, PublicUrl};
