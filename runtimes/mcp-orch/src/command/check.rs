//! `mcp-orch check`: what is wrong with a configuration file. Starts nothing.

use std::process::ExitCode;

use orch_config::cli::Check;
use orch_config::file::ConfigFile;
use orch_core::Limits;

use crate::terminal;

pub(crate) fn run(args: &Check) -> ExitCode {
    match ConfigFile::load(&args.file, &Limits::default()) {
        Ok(file) => {
            for warning in &file.warnings {
                terminal::note(&format!("warning: {warning}"));
            }
            terminal::line(&format!("{}: {} servers, no errors", args.file.display(), file.servers.len()));
            ExitCode::SUCCESS
        }
        Err(findings) => {
            for finding in &findings {
                terminal::error(&finding.to_string());
            }
            ExitCode::FAILURE
        }
    }
}
