//! The command line of `mcp-orch`.
//!
//! Every flag of `serve` has an `ORCH_...` variable; a flag wins over its variable. What clap hands out is checked:
//! an address is an address, a project is a slug.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::client_config::DEFAULT_PROJECT;

mod batch;
mod calls;
mod login;
mod logs;
mod query;
mod serve;
mod upstream;
mod value;

#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchCommand, BatchList, BatchRef, BatchRun, HubArgs};
pub use calls::{Calls, Metrics};
pub use login::{Login, Logout};
pub use logs::Logs;
pub use query::{Call, Check, ClientConfigArgs, Completions, Doctor, KeyCommand, Keys, KeysCreate};
pub use query::{KeysList, KeysRevoke, ListServers, ListTools, Order};
pub use query::{PlanArgs, PlanCommand, PlanEval};
pub use serve::{DEFAULT_CONFIG, LogLevel, Serve};
pub use upstream::{DefaultIsolation, PidNamespaces, UpstreamArgs};
pub use value::Expiry;

/// A hub for MCP servers: many servers behind one authenticated endpoint.
#[derive(Clone, Debug, Parser)]
#[command(name = "mcp-orch", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  mcp-orch serve                       Serve ./mcp-config.json on 127.0.0.1:8000
  mcp-orch list-servers                Say which servers there are, and how they do
  mcp-orch client-config claude-code   Print the line that connects Claude Code

Exit status: 0 when it worked, 1 when it failed, 2 when the command line makes no sense.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `mcp-orch` can be told to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run plans, graphs of tool calls, and look after their runs
    Batch(Batch),
    /// Call a tool and print its result
    Call(Call),
    /// Show which tools were called, by whom, and how it went
    Calls(Calls),
    /// Check a configuration file without starting anything
    Check(Check),
    /// Print the text that connects a client to the hub
    ClientConfig(ClientConfigArgs),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Look for what could be wrong: configuration, programs, port, data directory, running hub
    Doctor(Doctor),
    /// Make, list and revoke API keys
    Keys(Keys),
    /// List the servers of a project: state, cause of a failure, number of tools
    ListServers(ListServers),
    /// List the tools of a project
    ListTools(ListTools),
    /// Log in at a remote server that asks for it
    Login(Login),
    /// Forget the login at a remote server
    Logout(Logout),
    /// Show what servers said, and what has happened to them
    Logs(Logs),
    /// Print what the running hub has counted, for Prometheus
    Metrics(Metrics),
    /// Measure how well the configured planner makes plans of goals
    Plan(PlanArgs),
    /// End the processes of a server and start it
    Restart(Order),
    /// Serve MCP endpoints until told to stop
    Serve(Serve),
    /// Start a server now, also one that has crashed
    Start(Order),
    /// End the processes of a server; the next call starts it again
    Stop(Order),
}

/// Which data, and which project in it.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct StateArgs {
    /// Directory of the database and of the running hub's admin socket
    #[arg(long, value_name = "DIR", env = "ORCH_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Slug of the project
    #[arg(long, value_name = "SLUG", env = "ORCH_PROJECT", default_value = DEFAULT_PROJECT, value_parser = value::slug)]
    pub project: String,
}

impl Cli {
    /// The command line of this process. Ends the process with help (0) or with what is wrong with it (2).
    pub fn of_process() -> Self {
        Self::parse()
    }

    /// Writes the completion script for a shell.
    pub fn write_completions(completions: &Completions, out: &mut impl Write) {
        clap_complete::generate(completions.shell, &mut Self::command(), "mcp-orch", out);
    }
}
