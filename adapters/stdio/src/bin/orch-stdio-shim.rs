//! The shim as a program of its own, for tests that have no hub to start it from.

use std::process::ExitCode;

fn main() -> ExitCode {
    orch_stdio::shim::entered(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
