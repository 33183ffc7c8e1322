//! Runs one of the things that this project shows, by name.

use std::process::ExitCode;

use clap::Parser;
use tidegate_programs::shows::{SHOWS, Scale, run};

/// Shows that a promise holds, with real programs, and prints the figures.
#[derive(Parser)]
#[command(name = "shows")]
struct Arguments {
    /// A name of the list, or `list`
    name: String,
    /// Repeats less often, as every test run does
    #[arg(long)]
    quick: bool,
    /// Repeats so many times as often as is promised, to look for what builds up slowly
    #[arg(long, value_name = "COUNT", conflicts_with = "quick", value_parser = clap::value_parser!(u16).range(1..))]
    times: Option<u16>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.name == "list" {
        for show in SHOWS {
            println!("{:<16} {}", show.name, show.about);
        }
        return ExitCode::SUCCESS;
    }
    let scale = match (arguments.quick, arguments.times) {
        (true, _) => Scale::Quick,
        (false, Some(count)) => Scale::Times(count),
        (false, None) => Scale::Full,
    };
    match run(&arguments.name, scale) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: did not hold: {error:#}", arguments.name);
            ExitCode::FAILURE
        }
    }
}
