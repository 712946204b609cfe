//! `mcp-orch completions`.

use std::process::ExitCode;

use orch_config::cli::{Cli, Completions};

pub(crate) fn run(args: &Completions) -> anyhow::Result<ExitCode> {
    Cli::write_completions(args, &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
