//! `mcp-orch calls` and `mcp-orch metrics`.

use std::time::Duration;

use clap::Args;

use super::{StateArgs, value};

/// `mcp-orch calls`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch calls                              The newest calls of tools, newest last
  mcp-orch calls github --failed --since 1h   Which calls of a server did not work within the last hour
  mcp-orch calls --summary --since 1d         Of each tool how many, how many failed, how long they took
  mcp-orch calls --json | jq .tool            One JSON object on each line

Calls are kept for 14 days. Their arguments and results are not.")]
pub struct Calls {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// Only calls of this server, as `list-servers` shows it
    pub server: Option<String>,
    /// Only calls of this tool, by its server's name for it
    #[arg(long)]
    pub tool: Option<String>,
    /// Only calls with this key, by its id as `keys list` shows it
    #[arg(long, value_name = "ID")]
    pub key: Option<String>,
    /// Only calls that did not end with a good result
    #[arg(long)]
    pub failed: bool,
    /// Only calls that ended no longer ago: 90s, 15m, 1h, 7d
    #[arg(long, value_name = "SPAN", value_parser = value::span)]
    pub since: Option<Duration>,
    /// Calls to show, at most: the newest
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Say of each tool how many calls there were and how long they took
    #[arg(long, conflicts_with = "limit")]
    pub summary: bool,
    /// Print JSON, one object on each line
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch metrics`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch metrics                            What the running hub has counted since it was started
  mcp-orch metrics > /var/lib/node_exporter/textfile/mcp-orch.prom")]
pub struct Metrics {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
}
