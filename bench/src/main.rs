//! `bench`: starts the hub, the floor and any peer with an echo server behind each, loads them case by case in the same run,
//! and checks every answer.
//!
//! A wrong or missing answer makes it fail; a slow one never does, for times are this machine's, of today.
#![expect(clippy::disallowed_methods, reason = "a tool that starts a hub, times it, and is no part of it")]
#![expect(
    clippy::future_not_send,
    reason = "the load comes from one thread, so that it takes one core at most"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what this program is for")]

mod cases;
mod compare;
mod cores;
mod echo;
mod flood;
mod floor;
mod load;
mod proc;
mod report;
mod single;
mod table;
mod target;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::compare::Compare;
use crate::load::Plan;

/// Compares the hub with the floor and with peers, and checks every answer.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A stdio MCP server that answers at once: what the load of a run goes to
    EchoServer(echo::Manner),
    /// The least that can stand between HTTP and a stdio server: the yardstick
    Floor,
    /// Loads an endpoint that is there already
    Load {
        #[command(flatten)]
        plan: Plan,
        /// Runs on this core, and only while nobody else wants it
        #[arg(long, value_name = "CORE")]
        aside: Option<usize>,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        Some(Command::EchoServer(manner)) => {
            echo::serve(&manner).map(|()| true).map_err(|error| error.to_string())
        }
        Some(Command::Floor) => floor::serve().map(|()| true).map_err(|error| error.to_string()),
        Some(Command::Load { plan, aside }) => {
            aside.map_or(Ok(()), cores::step_aside).and_then(|()| load::run_one(&plan))
        }
        None => options.compare.run(),
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
