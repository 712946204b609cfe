//! `mcp-orch batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value;
use crate::client_config::DEFAULT_PROJECT;

/// `mcp-orch batch`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  export MCP_ORCH_KEY=$(mcp-orch keys create --name batch | tail -n 1)
  mcp-orch batch run plan.json               Run a plan; its --help shows one
  mcp-orch batch list                        The runs of the key
  mcp-orch batch retry 0123456789ab          Once more what has failed

The hub is asked over HTTP (--url). A run is its own key's, and goes on without whoever began it.")]
pub struct Batch {
    /// What to do with plans and their runs.
    #[command(subcommand)]
    pub command: BatchCommand,
}

/// What can be done with plans and their runs.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum BatchCommand {
    /// Give a run up: nothing more of it begins
    #[command(after_help = "Example:\n  mcp-orch batch cancel 0123456789ab")]
    Cancel(BatchRef),
    /// List the runs of the key, the newest first
    List(BatchList),
    /// Begin once more what has failed of a run, is unknown or was skipped; what was done stays done
    #[command(
        after_help = "Example:\n  mcp-orch batch retry 0123456789ab      It is followed to its end, as with `run`"
    )]
    Retry(BatchRef),
    /// Run a plan and follow its steps until it has ended
    Run(BatchRun),
    /// Say how a run stands
    #[command(after_help = "Example:\n  mcp-orch batch status 0123456789ab --json")]
    Status(BatchRef),
}

/// Which hub, and with which key.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct HubArgs {
    /// Address of the hub, or of the TLS before it (`https://HOST`, with a path or without)
    #[arg(long, value_name = "URL", env = "MCP_ORCH_URL", default_value = "http://127.0.0.1:8000")]
    pub url: String,
    /// PEM file of authorities that the certificate at an https address may come from, beside the public ones
    #[arg(long, value_name = "FILE", env = "MCP_ORCH_CA")]
    pub ca: Option<PathBuf>,
    /// Slug of the project
    #[arg(long, value_name = "SLUG", env = "ORCH_PROJECT", default_value = DEFAULT_PROJECT, value_parser = value::slug)]
    pub project: String,
    /// File with an API key on its last line; otherwise the key is in the variable `MCP_ORCH_KEY`
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch batch run`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = r#"A plan is a graph of tool calls; values flow from step to step. plan.json may be:
  {"steps": [
    {"id": "issues", "tool": "github.list_issues", "arguments": {"repo": "acme/app"}},
    {"id": "page", "tool": "notion.create_page", "arguments": {"title": "{{issues#/total}} open"}}
  ], "output": {"$from": "page", "path": "/url"}}

Examples:
  export MCP_ORCH_KEY=$(mcp-orch keys create --name batch | tail -n 1)
  mcp-orch batch run plan.json --dry-run     Check it, and say what would run
  mcp-orch batch run plan.json               Run it; Ctrl-C cancels it
  mcp-orch batch run - --json < plan.json    Only what comes out, as JSON

Exit status: 0 done, 1 failed or not begun, 2 a command line that makes no sense, 3 cancelled, 4 out of time."#)]
pub struct BatchRun {
    /// Which hub, and with which key.
    #[command(flatten)]
    pub hub: HubArgs,
    /// File with the plan, JSON; - is standard input
    pub plan: PathBuf,
    /// Check the plan, and say what would run
    #[arg(long)]
    pub dry_run: bool,
}

/// A run by its name.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BatchRef {
    /// Which hub, and with which key.
    #[command(flatten)]
    pub hub: HubArgs,
    /// The run, as `batch list` shows it
    #[arg(value_name = "RUN", value_parser = value::run)]
    pub run: String,
}

/// `mcp-orch batch list`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(
    after_help = "Example:\n  mcp-orch batch list --limit 10\n\nRuns can be seen for an hour after their end."
)]
pub struct BatchList {
    /// Which hub, and with which key.
    #[command(flatten)]
    pub hub: HubArgs,
    /// Runs to show, at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
}
