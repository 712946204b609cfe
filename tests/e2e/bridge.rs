//! A client that knows nothing but stdio, bridged to the hub by mcp-remote.

use crate::hub::Hub;
use crate::matrix::{Verdict, expect_kept};
use crate::peers::{self, Server};

#[tokio::test]
async fn mcp_remote_bridges_a_client_on_stdio_to_the_hub() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let roads = [
        ("/servers/everything/mcp", "http-only", "everything"),
        ("/mcp", "http-first", "unified"),
        ("/servers/everything/sse", "sse-only", "everything"),
    ];
    for (endpoint, strategy, profile) in roads {
        let mut client = peers::node_client("ts_v1.mjs");
        client.args(["--transport", "stdio", "--profile", profile, "--"]).args(peers::mcp_remote());
        client.arg(hub.at(endpoint)).args(["--allow-http", "--transport", strategy]);
        client.args(["--header", &format!("Authorization:Bearer {key}")]);
        client.env("HOME", hub.home.path());
        expect_kept(&hub, &format!("{endpoint} by {strategy}"), &Verdict::of(client).await);
    }
}
