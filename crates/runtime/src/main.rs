//! The program `tidegate-runtime`.

fn main() -> std::process::ExitCode {
    tidegate_runtime::main()
}
