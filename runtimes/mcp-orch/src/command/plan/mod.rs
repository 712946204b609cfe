//! `mcp-orch plan`: how good a planner is.

use std::process::ExitCode;

use orch_config::cli::{PlanArgs, PlanCommand};

mod eval;
mod score;

pub(crate) async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        PlanCommand::Eval(args) => eval::run(args).await,
    }
}
