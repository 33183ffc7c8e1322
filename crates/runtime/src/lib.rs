//! The program on the endpoint: performs what the core decides, and decides nothing itself.
//!
//! It holds a state directory, starts and ends processes, reads clocks and talks to the control plane. What runs
//! when, what is told, and what a crash leaves behind is in `tidegate_core::runtime`.

mod clock;
mod command;
mod doctor;
mod enrol;
mod entropy;
mod exchange;
pub mod executor;
mod facts;
mod failure;
mod files;
mod identity;
mod net;
mod pace;
mod policy_arguments;
pub mod probes;
mod room;
mod service;
mod session;
mod state_directory;
mod status;
mod steps;
mod traffic;
mod transport;
mod volatile;

pub use command::main;
