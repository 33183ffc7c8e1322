//! The program `tidegate` on the lossy disk: killing it is a power cut.

use std::process::ExitCode;

use tidegate_programs::power_cut::{self, Options};

fn main() -> ExitCode {
    match Options::from_environment() {
        Ok(options) => power_cut::register(options),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    }
    tidegate_cli::main()
}
