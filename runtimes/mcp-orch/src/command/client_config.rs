//! `mcp-orch client-config`.

use std::process::ExitCode;

use orch_config::cli::ClientConfigArgs;
use orch_config::client_config::{ClientTarget, client_config};

use crate::admin::{Answer, Request, ask, is_running};
use crate::terminal;

pub(crate) async fn run(args: ClientConfigArgs) -> anyhow::Result<ExitCode> {
    let base_url = match args.url {
        Some(url) => url,
        None => running_url(&args.state.data_dir).await,
    };
    let target = ClientTarget {
        base_url: &base_url,
        project: &args.state.project,
        server: args.server.as_deref(),
        transport: args.transport,
        key: args.key.as_deref(),
    };
    let config = client_config(args.client, &target);
    terminal::note(config.place);
    if args.key.is_none() {
        terminal::note("Put a key in place of YOUR_KEY: mcp-orch keys create --name NAME");
    }
    terminal::line(&config.text);
    Ok(ExitCode::SUCCESS)
}

/// The address of the hub that runs, or the one that it takes by default.
async fn running_url(data_dir: &std::path::Path) -> String {
    if is_running(data_dir).await
        && let Ok(Answer::Status(status)) = ask(data_dir, Request::Status).await
    {
        return status.base_url;
    }
    "http://127.0.0.1:8000".to_owned()
}
