//! The program `tidegate-runtime` on the lossy disk: killing it is a power cut.

use std::process::ExitCode;

use tidegate_programs::power_cut::{self, Options};
use tidegate_runtime::executor::guard_main;

fn main() -> ExitCode {
    // The guard of a step is this same program started again: it has no database, and so no disk.
    if let Some(code) = guard_main(std::env::args_os()) {
        return code;
    }
    match Options::from_environment() {
        Ok(options) => power_cut::register(options),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    }
    tidegate_runtime::main()
}
