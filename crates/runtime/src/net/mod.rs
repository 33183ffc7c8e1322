//! The path to the control plane: names, proxies, TLS and one kept HTTP connection.
//!
//! Reading order: `address` (where), `dial` (a TCP connection), `proxy` and `tunnel` (through whom), `tls` (to whom),
//! `connection` (HTTP on it), `gather` (in few packets). Every way to fail is a [`NetError`], with words for people and a code for programs.

mod address;
mod connection;
mod dial;
mod failure;
mod gather;
mod intervals;
mod meter;
mod proxy;
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;

pub(crate) use address::ServerAddress;
pub(crate) use connection::{Answer, Connection, PostRequest, Way};
pub(crate) use dial::{KeepAlive, dial, resolve};
pub(crate) use failure::NetError;
pub(crate) use intervals::Intervals;
pub(crate) use meter::Meter;
pub(crate) use proxy::{Proxy, ProxyChoice};
pub(crate) use tls::{TlsClock, Trust, handshake_error};
pub(crate) use tunnel::open_tunnel;
