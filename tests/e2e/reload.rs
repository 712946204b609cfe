//! The configuration is watched: a change is applied to what changed, and to nothing else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{eventually, eventually_told, text};
use crate::wire::Wire;

/// How long a change may take to be applied.
const APPLIED: Duration = Duration::from_secs(2);

fn memory(home: &Arc<Home>, file: &str) -> Server {
    Server::node("server-memory").env("MEMORY_FILE_PATH", home.path().join(file).display().to_string())
}

#[tokio::test]
async fn change_is_applied_and_restarts_only_the_server_that_changed() {
    let home = Home::new();
    home.configure(&[("everything", Server::everything()), ("memory", memory(&home, "a.jsonl"))]);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("everything__echo", json!({ "message": "x" })).await;
    wire.call_for_text("memory__read_graph", json!({})).await;
    let (everything, before) = (home.processes_of("everything"), home.processes_of("memory"));
    assert!(!everything.is_empty() && !before.is_empty(), "both are running");

    let thinking = Server::node("server-sequential-thinking");
    home.configure(&[
        ("everything", Server::everything()),
        ("memory", memory(&home, "b.jsonl")),
        ("thinking", thinking),
    ]);
    eventually_told("the new server is served", APPLIED, async || {
        can_initialize(&hub, &key, "thinking").await
    })
    .await;
    eventually("the changed server has let go of its process", APPLIED, || {
        home.processes_of("memory").iter().all(|pid| !before.contains(pid))
    })
    .await;
    wire.call_for_text("memory__read_graph", json!({})).await;
    let after = home.processes_of("memory");
    assert!(!after.is_empty() && after.iter().all(|pid| !before.contains(pid)), "{before:?}, {after:?}");
    assert_eq!(home.processes_of("everything"), everything, "the server that did not change");
}

#[tokio::test]
async fn broken_configuration_changes_nothing_and_its_repair_is_applied() {
    let home = Home::with(&[("everything", Server::everything())]);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("everything__echo", json!({ "message": "x" })).await;
    let processes = home.processes_of("everything");

    home.write_config("{ \"mcpServers\": { \"everything\": ");
    eventually("the hub says what is wrong", APPLIED, || hub.log().contains("mcp-config.json:1:")).await;
    wire.call_for_text("everything__echo", json!({ "message": "still here" })).await;
    assert_eq!(home.processes_of("everything"), processes);

    home.configure(&[("everything", Server::everything()), ("second", Server::everything())]);
    eventually_told("the repaired file is applied", APPLIED, async || {
        can_initialize(&hub, &key, "second").await
    })
    .await;
    assert_eq!(home.processes_of("everything"), processes);
}

#[tokio::test]
async fn removed_server_drains_its_calls() {
    let home = Home::new();
    home.configure(&[("everything", Server::everything()), ("memory", memory(&home, "a.jsonl"))]);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "x" })).await;

    let mut call = wire.post(&slow_call()).await;
    let mut under_way = String::new();
    while !under_way.contains("notifications/progress") {
        let piece = call.chunk().await.expect("an answer that begins").expect("its beginning");
        under_way.push_str(&text(&piece));
    }
    home.configure(&[("memory", memory(&home, "a.jsonl"))]);
    eventually_told("the server is gone", APPLIED, async || !can_initialize(&hub, &key, "everything").await)
        .await;
    let rest = call.text().await.expect("the rest of the answer");
    assert!(rest.contains("\"progress\":6"), "it was gone for others while the call went on: {rest}");
    assert!(rest.contains("Long running operation completed"), "{rest}");
    eventually("its process has ended", Duration::from_secs(10), || {
        home.processes_of("everything").is_empty()
    })
    .await;
}

/// A call of some seconds, which says when it has begun.
fn slow_call() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "trigger-long-running-operation",
            "arguments": { "duration": 3, "steps": 6 },
            "_meta": { "progressToken": "slow" },
        },
    })
}

/// Whether a server has an endpoint that shakes hands.
async fn can_initialize(hub: &Hub, key: &str, server: &str) -> bool {
    let wire = Wire::stranger(hub.at(&format!("/servers/{server}/mcp")), key);
    let initialize = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "knock", "version": "1" },
        },
    });
    wire.post(&initialize).await.status().is_success()
}
