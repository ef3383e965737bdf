//! Starts ashiato: parses the command line, runs the verb, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ashiato::cli::main()
}
