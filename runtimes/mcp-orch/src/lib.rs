//! Composition: which adapters stand behind which ports, and what each command does with the result.
//!
//! No rule of behaviour lives here. `instance` puts an instance together, `serve` puts faces before it, `admin` is
//! the socket that the other commands reach it by, and `command` has one file for each of them.

use std::process::ExitCode;

use orch_config::cli::{Cli, Command};
use orch_core::shard::Order;

mod admin;
mod command;
mod handover;
mod instance;
mod json;
mod listeners;
mod logging;
mod memory;
mod serve;
mod signals;
mod terminal;
mod welcome;

/// Does what the command line says. 0 when it worked, 1 when it failed.
pub fn run(cli: Cli) -> ExitCode {
    // A hub goes on though nobody can read what it says.
    let serves = matches!(cli.command, Command::Serve(_));
    let done = match cli.command {
        Command::Batch(args) => in_runtime(command::batch::run(args)),
        Command::Check(args) => Ok(command::check::run(&args)),
        Command::Completions(args) => Ok(command::completions::run(&args)),
        Command::Call(args) => in_runtime(command::call::run(args)),
        Command::Calls(args) => in_runtime(command::calls::run(args)),
        Command::ClientConfig(args) => in_runtime(command::client_config::run(args)),
        Command::Doctor(args) => in_runtime(command::doctor::run(args)),
        Command::Keys(args) => in_runtime(command::keys::run(args)),
        Command::ListServers(args) => in_runtime(command::list::servers(args)),
        Command::ListTools(args) => in_runtime(command::list::tools(args)),
        Command::Login(args) => in_runtime(command::login::run(args)),
        Command::Logout(args) => in_runtime(command::login::forget(args)),
        Command::Logs(args) => in_runtime(command::logs::run(args)),
        Command::Metrics(args) => in_runtime(command::metrics::run(args)),
        Command::Plan(args) => in_runtime(command::plan::run(args)),
        Command::Restart(args) => in_runtime(command::order::run(args, Order::Restart)),
        Command::Serve(args) => in_runtime(serve::run(args)),
        Command::Start(args) => in_runtime(command::order::run(args, Order::Start)),
        Command::Stop(args) => in_runtime(command::order::run(args, Order::Stop)),
    };
    let unwritten = terminal::unwritten().filter(|_| !serves);
    let unwritten = unwritten.map(|error| anyhow::anyhow!("the result could not be written: {error}"));
    match done.and_then(|code| unwritten.map_or(Ok(code), Err)) {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&format!("mcp-orch: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    // Who has one core alone has nothing to gain from threads that hand each other work.
    let one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if one_core {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    // What is ready is done before the system is asked what else is: with the usual 61 tasks, of a thousand connections the same
    // ones came first each time, and others three times as late.
    let runtime = builder.enable_all().event_interval(512).build()?;
    let done = runtime.block_on(work);
    // Whatever still runs has had its time to end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    done
}
