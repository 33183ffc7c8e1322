//! The program `tidegate`: technicians' and operators' commands, and `serve`.
#![allow(dead_code)]

mod arguments;
mod client;
mod confirm;
mod connection;
mod credentials;
mod exit;
mod failure;
pub mod link;
mod names;
#[cfg(test)]
mod sample;
mod screen;
mod sequence_file;
mod table;
mod text;
mod time;
mod verdict;

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}

/// Chooses the cryptography of TLS for the whole process; a second call changes nothing.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
