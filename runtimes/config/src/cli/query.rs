//! The commands that ask something of a running hub or of its store, and answer on standard output.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use orch_core::KeyId;
use orch_core::record::RemoteKind;

use super::serve::DEFAULT_CONFIG;
use super::{Expiry, StateArgs, UpstreamArgs, value};
use crate::client_config::Client;

/// `mcp-orch keys`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What to do with keys.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What can be done with keys.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it, alone on the last line; it is not shown again
    Create(KeysCreate),
    /// List the keys of a project, without their secrets
    List(KeysList),
    /// Revoke a key: it stops working at once
    Revoke(KeysRevoke),
}

/// `mcp-orch keys create`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Example:
  mcp-orch keys create --name laptop --expires-days 30
  key=$(mcp-orch keys create --name ci | tail -n 1)")]
pub struct KeysCreate {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// What the key is for, as people will read it
    #[arg(long, value_parser = value::label)]
    pub name: String,
    /// Days until the key stops working: 1 to 365, or never
    #[arg(long = "expires-days", value_name = "DAYS", default_value = "90", value_parser = value::expiry)]
    pub expires: Expiry,
}

/// `mcp-orch keys list`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch keys list --project web")]
pub struct KeysList {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch keys revoke`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch keys revoke 4fK0aZq81LmX")]
pub struct KeysRevoke {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The key's id, as `keys list` shows it: not the key itself
    #[arg(value_parser = value::key_id)]
    pub id: KeyId,
}

/// `mcp-orch list-servers`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch list-servers --json")]
pub struct ListServers {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch start`, `stop` and `restart`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch start github      Now, also one that has crashed
  mcp-orch stop github       Until the next call
  mcp-orch restart github

The hub has to run. Servers need not be started by hand: the first call does it.
To keep one from starting, set \"disabled\": true in the configuration.")]
pub struct Order {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The server, as `list-servers` shows it
    pub server: String,
}

/// `mcp-orch list-tools`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch list-tools --server github")]
pub struct ListTools {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// Only the tools of this server
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch call`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Example:
  mcp-orch call github.search --args '{\"query\": \"is:open label:bug\"}'")]
pub struct Call {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The tool, as `list-tools` shows it: SERVER.TOOL
    pub tool: String,
    /// The arguments, a JSON object
    #[arg(long = "args", value_name = "JSON", default_value = "{}", value_parser = value::json_object)]
    pub arguments: String,
    /// Seconds to wait for the result
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout_s: u32,
    /// Print the whole result as JSON, not its text alone
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch check`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch check team.json")]
pub struct Check {
    /// The configuration file
    #[arg(default_value = DEFAULT_CONFIG)]
    pub file: PathBuf,
}

/// `mcp-orch plan`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct PlanArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// What `mcp-orch plan` can be told to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PlanCommand {
    /// Measure the configured planner: 40 goals for the tools of the reference servers; nothing but the model runs
    Eval(PlanEval),
}

/// `mcp-orch plan eval`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch plan eval
  mcp-orch plan eval team.json --only git --json")]
pub struct PlanEval {
    /// The configuration file with the planner
    #[arg(default_value = DEFAULT_CONFIG)]
    pub file: PathBuf,
    /// Only the goals whose names or words contain this
    #[arg(long, value_name = "WORD")]
    pub only: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// PEM file of authorities that the provider's certificate may come from, beside the public ones
    #[arg(long = "upstream-ca", value_name = "FILE", env = "ORCH_UPSTREAM_CA")]
    pub own_roots: Option<PathBuf>,
}

/// `mcp-orch client-config`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch client-config claude-code --key \"$(mcp-orch keys create --name claude | tail -n 1)\"
  mcp-orch client-config cline --server github --transport sse

Which transport: http is the newer and faster one, and every current client has it; sse is for clients that do not.")]
pub struct ClientConfigArgs {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The client
    pub client: Client,
    /// One server; without this, the unified endpoint of all servers
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Streamable HTTP (http), or the older HTTP+SSE (sse)
    #[arg(long, default_value = "http", value_parser = value::transport())]
    pub transport: RemoteKind,
    /// The hub's URL as the client sees it; without this, that of the running hub
    #[arg(long, value_name = "BASE", env = "ORCH_PUBLIC_URL", value_parser = value::base_url)]
    pub url: Option<String>,
    /// The API key to put in; without this, a placeholder
    #[arg(long, env = "ORCH_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

/// `mcp-orch doctor`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "Example:\n  mcp-orch doctor --data-dir /var/lib/mcp-orch")]
pub struct Doctor {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// What `serve` is told of remote servers.
    #[command(flatten)]
    pub upstream: UpstreamArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `mcp-orch completions`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Example:
  mcp-orch completions bash > ~/.local/share/bash-completion/completions/mcp-orch")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}
