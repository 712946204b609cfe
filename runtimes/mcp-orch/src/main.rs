//! The binary: parses the command line and hands it on.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_orch::run(orch_config::cli::Cli::of_process())
}
