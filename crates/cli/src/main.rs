//! The program `tidegate`. Everything is in the library, so that tests of whole programs can wrap it.

fn main() -> std::process::ExitCode {
    tidegate_cli::memory::settle();
    tidegate_cli::main()
}
