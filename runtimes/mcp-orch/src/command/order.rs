//! `mcp-orch start`, `stop` and `restart`.

use std::process::ExitCode;

use anyhow::bail;
use orch_config::cli;
use orch_core::shard::Order;

use crate::admin::{Answer, Request, ask, is_running};
use crate::terminal;

pub(crate) async fn run(args: cli::Order, order: Order) -> anyhow::Result<ExitCode> {
    let data_dir = &args.state.data_dir;
    if !is_running(data_dir).await {
        bail!("no hub runs on {}; servers run only while one does: mcp-orch serve", data_dir.display())
    }
    let request = Request::Order { project: args.state.project, server: args.server, order };
    let Answer::Server(server) = ask(data_dir, request).await? else { bail!("unexpected answer") };
    terminal::line(&format!("{}: {}, health {}", server.name, server.state, server.health));
    if let Some(cause) = server.cause.as_ref().filter(|_| order != Order::Stop) {
        terminal::note(cause);
        if let Some(words) = &server.last_output {
            terminal::note(&format!("its last output: {words}"));
        }
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
