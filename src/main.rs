//! The `onefold` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    onefold::cli::main()
}
