//! The program `tidegate`. Everything is in the library, so that tests of whole programs can wrap it.

/// A control plane makes and drops many short texts on several threads: with the allocator of the GNU C library it
/// queues a third less, and musl's, in static builds, is slower still.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tidegate_cli::main()
}
