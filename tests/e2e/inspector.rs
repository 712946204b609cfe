//! The Inspector's command line in front of the hub.

use std::time::Duration;

use serde_json::Value;

use crate::hub::Hub;
use crate::peers::{self, Server};
use crate::process::succeed;

/// What the Inspector prints for one request.
async fn inspect(hub: &Hub, key: &str, endpoint: &str, words: &[&str]) -> Value {
    let mut command = peers::inspector();
    command.env("HOME", hub.home.path()).current_dir(hub.home.path());
    command.arg(hub.at(endpoint)).args(["--header", &format!("Authorization: Bearer {key}")]).args(words);
    let printed = succeed(command, Duration::from_mins(1)).await;
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[tokio::test]
async fn inspector_lists_and_calls_tools_in_both_eras_and_over_both_transports() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let roads: [(&str, &[&str]); 3] = [
        ("mcp", &["--transport", "http", "--protocol-era", "legacy"]),
        ("mcp", &["--transport", "http", "--protocol-era", "modern"]),
        ("sse", &["--transport", "sse"]),
    ];
    for (last, options) in roads {
        for (prefix, echo) in [("/servers/everything/", "echo"), ("/", "everything__echo")] {
            let endpoint = format!("{prefix}{last}");
            let list = [options, &["--method", "tools/list"]].concat();
            let listed = inspect(&hub, &key, &endpoint, &list).await;
            let tools =
                listed["tools"].as_array().unwrap_or_else(|| panic!("{endpoint} {options:?}: {listed}"));
            assert!(tools.iter().any(|tool| tool["name"] == echo), "{endpoint} {options:?}: {listed}");
            let call = ["--method", "tools/call", "--tool-name", echo, "--tool-arg", "message=hello"];
            let called = inspect(&hub, &key, &endpoint, &[options, &call].concat()).await;
            assert_eq!(called["content"][0]["text"], "Echo: hello", "{endpoint} {options:?}");
        }
    }
}
