//! Servers as operators see them: three facts about each, and a way to start, end and restart it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, eventually, eventually_told, succeed};
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);

/// What `list-servers` says of a server.
async fn view(hub: &Hub, name: &str) -> Value {
    let listed = succeed(hub.home.program(&["list-servers", "--json"]), DEADLINE).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("a list");
    listed.into_iter().find(|server| server["name"] == name).expect("the server")
}

#[tokio::test]
async fn server_that_nobody_uses_ends_and_wakes_for_the_next_call() {
    let server = Server::everything().setting("idleTimeout", json!(1));
    let (hub, key) = Hub::with(&[("everything", server)]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "before" })).await;
    // The idle are looked for twice a minute.
    eventually("it ends", Duration::from_secs(40), || hub.home.processes_of("everything").is_empty()).await;
    let seen = view(&hub, "everything").await;
    assert_eq!((&seen["state"], &seen["health"]), (&json!("idle"), &json!("ok")), "{seen}");
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
    assert_eq!(view(&hub, "everything").await["state"], "running");
}

#[tokio::test]
async fn operator_stops_starts_and_restarts_a_server() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "before" })).await;
    let order = async |words: &[&str]| succeed(hub.home.program(words), DEADLINE).await;
    let first = hub.home.processes_of("everything");
    let said = order(&["restart", "everything"]).await;
    assert!(said.contains("everything: running, health ok"), "{said}");
    let second = hub.home.processes_of("everything");
    assert!(!second.is_empty() && second.iter().any(|pid| !first.contains(pid)), "{first:?} {second:?}");
    assert!(order(&["stop", "everything"]).await.contains("stopped"));
    eventually("it ends", DEADLINE, || hub.home.processes_of("everything").is_empty()).await;
    assert!(order(&["start", "everything"]).await.contains("running"));
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
    let refused = process::run(hub.home.program(&["start", "nobody"]), DEADLINE).await;
    assert!(
        process::text(&refused.stderr)
            .contains("server nobody is not there; the servers are: everything, hub")
    );
    assert!(!refused.status.success());
}

#[tokio::test]
async fn server_that_keeps_ending_is_left_alone_until_it_is_started_by_hand() {
    let ends = Server::program(process::found("sh")).arg("-c").arg("echo 'no licence' >&2; exit 3");
    let (hub, key) = Hub::with(&[("ends", ends), ("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    eventually_told("it is left alone", Duration::from_mins(1), async || {
        wire.ask(&json!(1), "tools/call", json!({ "name": "ends__x", "arguments": {} })).await;
        view(&hub, "ends").await["state"] == "crashed"
    })
    .await;
    let seen = view(&hub, "ends").await;
    assert_eq!(seen["health"], "failed");
    assert!(seen["cause"].as_str().is_some_and(|cause| cause.contains("exit code 3")), "{seen}");
    assert!(seen["last_output"].as_str().is_some_and(|words| words.contains("no licence")), "{seen}");
    assert!(seen["next_step"].as_str().is_some_and(|step| step.contains("mcp-orch start ends")), "{seen}");
    let answer = wire.call_for_text("everything__echo", json!({ "message": "well" })).await;
    assert_eq!(answer, "Echo: well");
    let tried = process::run(hub.home.program(&["start", "ends"]), DEADLINE).await;
    assert!(!tried.status.success(), "it fails again, and says so");
    assert!(process::text(&tried.stderr).contains("exit code 3"));
}
