//! Remote servers behind the hub: the reference server over both HTTP transports, its ends, and its secrets.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::home::Home;
use crate::hub::Hub;
use crate::peer::Peer;
use crate::process::{eventually_told, succeed};
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);

/// A home whose configuration has these servers.
fn home(servers: &Value) -> Arc<Home> {
    let home = Home::new();
    home.write_config(&json!({ "mcpServers": servers }).to_string());
    home
}

/// A hub that may reach this machine, and a key for it.
async fn open_hub(servers: &Value) -> (Hub, String) {
    let hub = Hub::start_with(&home(servers), |serve| serve.args(["--allow-upstream", "127.0.0.1"])).await;
    let key = hub.create_key().await;
    (hub, key)
}

fn at(peer: &Peer, path: &str) -> Value {
    let kind = if path == "/sse" { "sse" } else { "streamable-http" };
    json!({ "type": kind, "url": peer.url(path) })
}

fn echo(words: &str) -> Value {
    json!({ "name": "echo", "arguments": { "message": words } })
}

/// A client of each era lists, calls, and hears of progress.
async fn serves(hub: &Hub, key: &str) {
    let url = hub.at("/servers/remote/mcp");
    let legacy = Wire::legacy(url.clone(), key, "2025-11-25").await;
    for wire in [legacy, Wire::modern(url, key)] {
        assert!(wire.tools().await.contains(&"echo".to_owned()));
        assert_eq!(wire.call_for_text("echo", json!({ "message": "größe" })).await, "Echo: größe");
        let slow = json!({ "duration": 0.3, "steps": 3 });
        let params = json!({ "name": "trigger-long-running-operation", "arguments": slow, "_meta": { "progressToken": "p" } });
        let heard = wire.hear(&json!(7), "tools/call", params).await;
        let progress = heard.iter().filter(|it| it["method"] == "notifications/progress");
        assert_eq!(progress.filter(|it| it["params"]["progressToken"] == "p").count(), 3, "{heard:?}");
        assert_eq!(heard.last().map(|it| &it["id"]), Some(&json!(7)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_server_on_streamable_http_is_a_server_like_any_other() {
    let peer = Peer::everything("streamableHttp");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/mcp") })).await;
    serves(&hub, &key).await;
    let said = std::iter::repeat_with(|| peer.line()).find(|it| it.contains("Establishing new SSE stream"));
    assert!(said.is_some(), "the hub listens for the server's news");
}

#[tokio::test]
async fn a_server_on_http_and_sse_is_a_server_like_any_other() {
    let peer = Peer::everything("sse");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/sse") })).await;
    serves(&hub, &key).await;
}

#[tokio::test]
async fn a_local_server_is_refused_with_the_flag_that_allows_it() {
    let peer = Peer::everything("streamableHttp");
    let url = format!("http://localhost:{}/mcp", peer.port);
    let home = home(&json!({ "remote": { "url": url } }));
    let flag = format!("--allow-upstream localhost:{}", peer.port);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let answer = wire.ask(&json!(1), "tools/call", json!({ "name": "remote__echo", "arguments": {} })).await;
    let said = answer["error"]["message"].as_str().expect("an error").to_owned();
    assert!(said.contains(&flag), "{answer}");
    let listed = succeed(home.program(&["list-servers"]), DEADLINE).await;
    assert!(listed.contains(&flag), "{listed}");
    let examined = crate::process::run(home.program(&["doctor"]), DEADLINE).await;
    let examined = crate::process::text(&examined.stdout);
    assert!(examined.contains("FAIL server remote") && examined.contains(&flag), "{examined}");
    drop(hub);

    let examined = crate::process::run(home.program(&["doctor"]), DEADLINE).await;
    let examined = crate::process::text(&examined.stdout);
    assert!(examined.contains("FAIL address of remote") && examined.contains(&flag), "{examined}");
    let mut doctor = home.program(&["doctor"]);
    doctor.env("ORCH_ALLOW_UPSTREAM", format!("localhost:{}", peer.port));
    let examined = crate::process::text(&crate::process::run(doctor, DEADLINE).await.stdout);
    assert!(examined.contains("ok   address of remote"), "{examined}");
    let words: Vec<&str> = flag.split(' ').collect();
    let hub = Hub::start_with(&home, |serve| serve.args(&words)).await;
    let wire = wire.moved(hub.at("/mcp"));
    let answer = wire
        .ask(&json!(2), "tools/call", json!({ "name": "remote__echo", "arguments": { "message": "in" } }))
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "Echo: in", "{answer}");
}

#[tokio::test]
async fn a_server_that_starts_again_and_knows_no_session_any_more_is_not_noticed() {
    let peer = Peer::everything("streamableHttp");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/mcp") })).await;
    let wire = Wire::legacy(hub.at("/servers/remote/mcp"), &key, "2025-11-25").await;
    assert_eq!(wire.call_for_text("echo", json!({ "message": "before" })).await, "Echo: before");
    let port = peer.port;
    drop(peer);
    let peer = Peer::everything_at("streamableHttp", port);
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
    let opened = std::iter::repeat_with(|| peer.line()).find(|line| line.contains("Session initialized"));
    assert!(opened.is_some(), "the hub has a session of the new server");
}

#[tokio::test]
async fn a_server_that_is_gone_for_a_while_fails_calls_and_nothing_else() {
    for (mode, path) in [("streamableHttp", "/mcp"), ("sse", "/sse")] {
        let peer = Peer::everything(mode);
        let (hub, key) = open_hub(&json!({ "remote": at(&peer, path) })).await;
        let wire = Wire::legacy(hub.at("/servers/remote/mcp"), &key, "2025-11-25").await;
        assert_eq!(wire.call_for_text("echo", json!({ "message": "before" })).await, "Echo: before");
        let port = peer.port;
        drop(peer);
        eventually_told("calls fail", DEADLINE, async || {
            let answer = wire.ask(&json!(1), "tools/call", echo("meanwhile")).await;
            answer["error"]["message"].as_str().is_some_and(|it| it.contains("connection refused"))
        })
        .await;
        let _peer = Peer::everything_at(mode, port);
        eventually_told("calls are answered again", DEADLINE, async || {
            let answer = wire.ask(&json!(1), "tools/call", echo("after")).await;
            answer["result"]["content"][0]["text"] == "Echo: after"
        })
        .await;
    }
}
