//! What `serve` prints when it is ready: where everything is, and the line to paste.

use std::net::SocketAddr;

use orch_config::client_config::{Client, ClientTarget, DEFAULT_PROJECT, client_config};
use orch_core::hub::ServerView;
use orch_core::record::RemoteKind;

use crate::terminal;

/// Prints the welcome. `key` is there on the first start only.
pub(crate) fn print(bound: SocketAddr, base_url: &str, servers: &[ServerView], key: Option<&str>) {
    terminal::line(&format!("mcp-orch {}", env!("CARGO_PKG_VERSION")));
    terminal::line(&format!("Listening on http://{bound}"));
    terminal::line("");
    let target = |server| ClientTarget {
        base_url,
        project: DEFAULT_PROJECT,
        server,
        transport: RemoteKind::Http,
        key,
    };
    let mut rows: Vec<Vec<String>> = servers
        .iter()
        .filter(|server| server.configured == "enabled")
        .map(|server| vec![format!("  {}", server.name), target(Some(&server.name)).url()])
        .collect();
    rows.push(vec!["  all servers".to_owned(), target(None).url()]);
    terminal::table(&rows);
    terminal::line("");
    if let Some(key) = key {
        terminal::line(&format!("API key (shown this once): {key}"));
        terminal::line("");
        terminal::line("Connect Claude Code:");
        terminal::line(&format!("  {}", client_config(Client::ClaudeCode, &target(None)).text));
        terminal::line("");
    }
    terminal::line(
        "Another client: mcp-orch client-config --help    Another key: mcp-orch keys create --name NAME",
    );
}
