//! `mcp-orch logs`.

use std::time::Duration;

use clap::Args;
use orch_core::record::{LogCategory, LogLevel};

use super::{StateArgs, value};

/// `mcp-orch logs`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "\
Examples:
  mcp-orch logs github                        What it said and what has happened to it, newest last
  mcp-orch logs --errors --since 1h           What went wrong with any server within the last hour
  mcp-orch logs github --follow               Go on with what comes (Ctrl-C ends it)
  mcp-orch logs --json | jq .message          One JSON object on each line
  mcp-orch logs --summary                     How much of what, from when to when, and the last error
  mcp-orch logs --cleanup --older-than 7d     Remove what is older

Entries are removed by themselves after 14 days. Secrets and the arguments of calls are not in them.")]
pub struct Logs {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// Only entries of this server, as `list-servers` shows it
    pub server: Option<String>,
    /// Only errors: the same as --level ERROR
    #[arg(long, conflicts_with = "level")]
    pub errors: bool,
    /// Only entries of this level and the more serious ones
    #[arg(long, ignore_case = true, value_parser = value::log_level())]
    pub level: Option<LogLevel>,
    /// Only entries of this category
    #[arg(long, ignore_case = true, value_parser = value::log_category())]
    pub category: Option<LogCategory>,
    /// Only entries that are not older: 90s, 15m, 1h, 7d
    #[arg(long, value_name = "SPAN", value_parser = value::span)]
    pub since: Option<Duration>,
    /// Entries to show, at most: the newest
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Go on with what comes
    #[arg(long, short)]
    pub follow: bool,
    /// Print JSON, one object on each line
    #[arg(long)]
    pub json: bool,
    /// Say how many entries there are of each level and category, and what the last error was
    #[arg(long, conflicts_with_all = ["errors", "level", "category", "since", "limit", "follow"])]
    pub summary: bool,
    /// Remove the entries of the project that are older than --older-than
    #[arg(long, requires = "older_than")]
    #[arg(conflicts_with_all = ["server", "summary", "errors", "level", "category", "since", "limit", "follow", "json"])]
    pub cleanup: bool,
    /// See --cleanup
    #[arg(long, value_name = "SPAN", requires = "cleanup", value_parser = value::span)]
    pub older_than: Option<Duration>,
}

impl Logs {
    /// The least level that is shown.
    pub fn least(&self) -> Option<LogLevel> {
        self.level.or_else(|| self.errors.then_some(LogLevel::Error))
    }
}
