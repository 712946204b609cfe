//! Servers of both eras, on the TypeScript and Python SDKs of version 2.

use std::path::{Path, PathBuf};
use std::process::Command;

use orch_core::ports::upstream::CloseReason;
use orch_core::record::RemoteKind;
use serde_json::{Value, json};

use crate::link::{Link, text};
use crate::peer::{Peer, command, installed, node_modules};

/// A server on the TypeScript SDK.
fn typescript() -> Peer {
    let mut command = command("node");
    command.arg(here().join("dual.mjs")).arg(node_modules().join("server/dist/index.mjs"));
    that_says_its_port(&mut command)
}

/// A server on the Python SDK.
fn python(mode: &str) -> Peer {
    let mut command = command(installed().join("mcp2/bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(here().join("dual.py")).arg(mode);
    that_says_its_port(&mut command)
}

fn that_says_its_port(command: &mut Command) -> Peer {
    let mut peer = Peer::start(command);
    peer.port = peer.line().parse().unwrap();
    peer
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream-http/peers")
}

fn called(link: &mut Link, tool: &str, arguments: Value) -> Value {
    let id = link.stateless("tools/call", json!({ "name": tool, "arguments": arguments }));
    link.answer(id).1
}

/// What every server of 2026-07-28 is to be asked.
fn speaks_statelessly(link: &mut Link) {
    let id = link.stateless("server/discover", json!({}));
    let discovery = link.answer(id).1;
    let versions = discovery["result"]["supportedVersions"].as_array();
    assert!(versions.is_some_and(|it| it.contains(&json!("2026-07-28"))), "{discovery}");

    let answer = called(link, "echo", json!({ "message": "hello" }));
    assert_eq!(
        (text(&answer).as_str(), &answer["result"]["resultType"]),
        ("echo: hello", &json!("complete"))
    );

    let id = link.stateless(
        "tools/call",
        json!({ "name": "count", "arguments": {}, "_meta": { "progressToken": 9 } }),
    );
    let (before, answer) = link.answer(id);
    assert_eq!(before.iter().filter(|it| it["params"]["progressToken"] == 9).count(), 3, "{before:?}");
    assert_eq!(text(&answer), "counted");

    let id = link.stateless("no/such/method", json!({}));
    assert_eq!(link.answer(id).1["error"]["code"], -32_601, "a 404 with an error in it is that error");
}

/// A cancelled call is one whose stream is closed, and the server notices.
fn cancels(link: &mut Link, peer: &Peer) {
    let id = link.stateless("tools/call", json!({ "name": "wait", "arguments": {} }));
    assert_eq!(peer.line(), "waiting");
    called(link, "echo", json!({ "message": "meanwhile" }));
    link.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }),
    );
    assert_eq!(peer.line(), "cancelled");
    let answer = called(link, "echo", json!({ "message": "after" }));
    assert_eq!(text(&answer), "echo: after");
}

#[test]
fn a_typescript_server_is_spoken_to_statelessly() {
    let peer = typescript();
    let mut link = Link::open(RemoteKind::Http, &peer.url("/mcp"));
    speaks_statelessly(&mut link);
    let answer = called(&mut link, "größe", json!({ "message": "1" }));
    assert_eq!(text(&answer), "größe: 1", "its name is said in base64");

    let listen =
        link.stateless("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    assert_eq!(link.message()["method"], "notifications/subscriptions/acknowledged");
    let id = link.stateless("tools/call", json!({ "name": "change", "arguments": {} }));
    let (mut news, _) = link.answer(id);
    let news = news.pop().unwrap_or_else(|| link.message());
    assert_eq!(news["method"], "notifications/tools/list_changed");
    let tag = &news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert!(*tag == json!(listen) || *tag == json!(listen.to_string()), "{news}");

    cancels(&mut link, &peer);
    assert_eq!(link.close(), CloseReason::Stopped);
}

#[test]
fn a_typescript_server_without_sessions_is_spoken_to_in_the_era_before() {
    let peer = typescript();
    let mut link = Link::with_hands_shaken(RemoteKind::Http, &peer.url("/mcp"), "2025-11-25");
    assert_eq!(link.call("echo", json!({ "message": "hello" })), "echo: hello");
    assert_eq!(link.close(), CloseReason::Stopped);
}

#[test]
fn a_python_server_is_spoken_to_statelessly() {
    let peer = python("http");
    let mut link = Link::open(RemoteKind::Http, &peer.url("/mcp"));
    speaks_statelessly(&mut link);
    cancels(&mut link, &peer);
    assert_eq!(link.close(), CloseReason::Stopped);
}

#[test]
fn a_python_server_that_closes_its_stream_is_polled_for_the_answer() {
    let peer = python("http");
    let mut link = Link::with_hands_shaken(RemoteKind::Http, &peer.url("/mcp"), "2025-11-25");
    assert_eq!(link.call("echo", json!({ "message": "hello" })), "echo: hello");
    let id = link
        .request("tools/call", json!({ "name": "poll", "arguments": {}, "_meta": { "progressToken": 1 } }));
    let (before, answer) = link.answer(id);
    assert_eq!(text(&answer), "polled");
    let progress: Vec<_> = before.iter().map(|it| it["params"]["progress"].as_f64().unwrap()).collect();
    assert_eq!(progress, [1.0, 2.0], "nothing is lost and nothing comes twice");
    let wait = link.request("tools/call", json!({ "name": "wait", "arguments": {} }));
    assert_eq!(peer.line(), "waiting");
    assert_eq!(link.call("echo", json!({ "message": "meanwhile" })), "echo: meanwhile");
    link.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": wait } }),
    );
    assert_eq!(peer.line(), "cancelled");
    assert_eq!(link.close(), CloseReason::Stopped);
}

#[test]
fn a_python_server_is_spoken_to_over_http_and_sse() {
    let peer = python("sse");
    let mut link = Link::with_hands_shaken(RemoteKind::Sse, &peer.url("/sse"), "2024-11-05");
    assert_eq!(link.call("echo", json!({ "message": "hello" })), "echo: hello");
    let id = link
        .request("tools/call", json!({ "name": "count", "arguments": {}, "_meta": { "progressToken": 1 } }));
    let (before, answer) = link.answer(id);
    assert_eq!((before.len(), text(&answer).as_str()), (3, "counted"));
    assert_eq!(link.close(), CloseReason::Stopped);
}
