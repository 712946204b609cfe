//! `mcp-orch completions`.

use std::process::ExitCode;

use orch_config::cli::{Cli, Completions};

pub(crate) fn run(args: &Completions) -> ExitCode {
    Cli::write_completions(args, &mut std::io::stdout());
    ExitCode::SUCCESS
}
