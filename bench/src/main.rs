//! `bench`: starts a hub with an echo server behind it, loads it case by case, and checks every answer.
//!
//! A wrong or missing answer makes it fail; a slow one never does, for times are this machine's, of today.
#![expect(clippy::disallowed_methods, reason = "a tool that starts a hub, times it, and is no part of it")]
#![expect(
    clippy::future_not_send,
    reason = "the load comes from one thread, so that it takes one core at most"
)]
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod cases;
mod cores;
mod echo;
mod hub;
mod load;
mod proc;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::load::Plan;

/// Loads a hub and checks every answer.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A stdio MCP server that answers at once: what the load of a run goes to
    EchoServer,
    /// Loads an endpoint that is there already
    Load(Plan),
}

/// Without a command: all cases, against a hub of its own.
#[derive(Debug, clap::Args)]
struct Run {
    /// Tenths of a second and few sessions: shows that it works, measures nothing
    #[arg(long)]
    quick: bool,
    /// Only these cases, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    only: Vec<String>,
    /// The hub; without this, the `mcp-orch` beside this program
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        Some(Command::EchoServer) => echo::serve().map(|()| true).map_err(|error| error.to_string()),
        Some(Command::Load(plan)) => load::run_one(&plan),
        None => cases::run(&options.run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
