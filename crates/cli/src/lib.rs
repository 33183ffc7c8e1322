//! The program `tidegate`: technicians' and operators' commands, and `serve`.
//!
//! Commands talk to a control plane by its JSON API alone, as any script could; only `serve`, `admin` and
//! `demo` touch a data directory, and only through [`host`]. Nothing here decides a rule of the product.

mod arguments;
mod catalogue;
mod cli;
mod client;
mod commands;
mod confirm;
mod connection;
mod credentials;
mod demo;
mod exit;
mod failure;
mod host;
pub mod link;
pub mod memory;
mod names;
mod output;
mod progress;
#[cfg(test)]
mod sample;
mod screen;
mod sequence_file;
mod sequence_text;
mod table;
mod text;
mod time;
mod transcript;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use exit::Exit;
use failure::Failure;
use screen::Screen;

/// Runs the program with the arguments of this process. Errors are printed once, here.
pub fn main() -> ExitCode {
    // Ends by itself with 2 on a command line that does not read, and with 0 after help.
    let cli = cli::Cli::parse();
    let screen = Screen::detect();
    install_crypto();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused("failed to start").caused_by(&error))
        .and_then(|runtime| runtime.block_on(Box::pin(commands::run(cli.command, &screen))));
    let exit = ended.unwrap_or_else(|failure| {
        failure.print(&screen);
        failure.exit
    });
    Exit::into(exit)
}

/// Chooses the cryptography of TLS for the whole process; a second call changes nothing.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
