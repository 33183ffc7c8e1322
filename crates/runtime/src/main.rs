//! The program `tidegate-runtime`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = tidegate_runtime::executor::guard_main(std::env::args_os()) {
        return code;
    }
    ExitCode::SUCCESS
}
