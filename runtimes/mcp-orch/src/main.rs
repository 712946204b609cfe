//! The binary: is the shim of a server if it was started as one, else parses the command line and hands it on.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a server waits for it, and it may not have a second thread.
    orch_stdio::shim::entered(std::env::args_os())
        .unwrap_or_else(|| mcp_orch::run(orch_config::cli::Cli::of_process()))
}
