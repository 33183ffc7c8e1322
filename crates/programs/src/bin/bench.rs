//! Prints what was measured beside what the design budgets.

use std::process::ExitCode;

use clap::Parser;
use tidegate_programs::bench::{Options, run, serve_floor};

/// Measures throughput, latency and memory of the built programs, beside the budgets of the design.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Seconds of each load
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Endpoints that the control plane knows
    #[arg(long, default_value_t = 5_000)]
    endpoints: usize,
    /// Rounds from queueing to the result
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Is the server that does nothing, for comparison
    #[arg(long, hide = true)]
    floor_server: bool,
}

fn main() -> ExitCode {
    let Arguments { seconds, endpoints, rounds, floor_server } = Arguments::parse();
    let ended = if floor_server { serve_floor() } else { run(Options { seconds, endpoints, rounds }) };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
