//! `mcp-orch completions`.

use std::process::ExitCode;

use orch_config::cli::{Cli, Completions};

use crate::terminal;

pub(crate) fn run(args: &Completions) -> ExitCode {
    let mut script = Vec::new();
    Cli::write_completions(args, &mut script);
    terminal::line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
