//! Starts ashiato: parses the command line, runs the verb, ends with its exit code.

use std::process::ExitCode;

/// Queries allocate from many threads at once, for which glibc's allocator has locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ashiato::cli::main()
}
