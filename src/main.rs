//! The `weirkeeper` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    weirkeeper::app::main()
}
