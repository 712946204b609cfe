//! Results that are larger than the bounds allow, and as large as an operator lets them be.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::json;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::found;
use crate::wire::Wire;

const PROGRAM: &str = include_str!("large.py");
const LARGE: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_mins(1);

async fn hub(limits: &[&str]) -> (Hub, String) {
    let home = Home::with(&[("large", Server::program(found("python3")).arg("-c").arg(PROGRAM))]);
    let flags = limits.iter().flat_map(|limit| ["--limit", limit]);
    let hub = Hub::start_with(&home, |command| command.args(flags.clone())).await;
    let key = hub.create_key().await;
    (hub, key)
}

#[tokio::test]
async fn a_result_over_the_limit_is_an_error_that_names_it_and_its_session_goes_on() {
    let (hub, key) = hub(&[]).await;
    let wire = Wire::legacy(hub.at("/servers/large/mcp"), &key, "2025-11-25").await;
    let pad = |bytes: usize| json!({ "name": "pad", "arguments": { "bytes": bytes } });
    let refused = wire.ask(&json!(1), "tools/call", pad(9 << 20)).await;
    assert_eq!(refused["error"]["data"]["limit"], "message_bytes", "{refused}");
    let text = wire.call_for_text("pad", json!({ "bytes": 7 << 20 })).await;
    assert_eq!(text.len(), 7 << 20);
}

#[tokio::test]
async fn a_result_of_32_mib_passes_over_both_transports_where_the_limits_are_raised_for_it() {
    let (hub, key) = hub(&["message_bytes=40MiB", "held_key_bytes=160MiB"]).await;
    let wire = Wire::legacy(hub.at("/servers/large/mcp"), &key, "2025-11-25").await;
    let text = wire.call_for_text("pad", json!({ "bytes": LARGE })).await;
    assert_eq!(text.len(), LARGE);

    let get = Client::new().get(hub.at("/servers/large/sse")).bearer_auth(&key);
    let mut stream = get.header("accept", "text/event-stream").send().await.expect("a stream");
    let path = event(&mut stream).await;
    let post = async |body: serde_json::Value| {
        let post = Client::new().post(hub.at(&path)).bearer_auth(&key).json(&body);
        assert_eq!(post.send().await.expect("an answer").status(), 202);
    };
    let information = json!({ "name": "e2e", "version": "1" });
    let hello = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": information });
    post(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello })).await;
    assert!(event(&mut stream).await.contains("\"protocolVersion\""));
    post(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let call = json!({ "name": "pad", "arguments": { "bytes": LARGE } });
    post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call })).await;
    let answer = event(&mut stream).await;
    assert!(answer.len() > LARGE && answer.ends_with("\"}]}}"), "{} bytes", answer.len());
}

/// The data of the next event.
async fn event(stream: &mut Response) -> String {
    let mut seen = Vec::new();
    let whole = async {
        while let Some(chunk) = stream.chunk().await.expect("a chunk") {
            seen.extend_from_slice(&chunk);
            let data = seen.windows(5).position(|it| it == b"data:");
            if data.is_some() && seen.ends_with(b"\n\n") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("the event comes in time");
    let text = String::from_utf8(seen).expect("text");
    text.lines().find_map(|line| line.strip_prefix("data:")).expect("data").trim().to_owned()
}
