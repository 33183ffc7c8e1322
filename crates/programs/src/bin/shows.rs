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
    /// Takes the time it takes in life, once, where a show otherwise shortens every interval
    #[arg(long, conflicts_with_all = ["quick", "times"])]
    unscaled: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.name == "list" {
        for show in SHOWS {
            println!("{:<16} {}", show.name, show.about);
        }
        return ExitCode::SUCCESS;
    }
    let scale = match (arguments.quick, arguments.unscaled, arguments.times) {
        (true, _, _) => Scale::Quick,
        (_, true, _) => Scale::Unscaled,
        (false, false, Some(count)) => Scale::Times(count),
        (false, false, None) => Scale::Full,
    };
    match run(&arguments.name, scale) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: did not hold: {error:#}", arguments.name);
            ExitCode::FAILURE
        }
    }
}
